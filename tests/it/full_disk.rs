//! A full disk, of the media or of the store, which must fail no generation; and files that no output names.

use crate::support::{Options, Raw, Server, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const SPEECH: &str = "/v1/models/gemini-3-1-flash-tts";

/// Submits a generation that ends quickly, and returns its id.
async fn submit(server: &Server) -> String {
    let body = json!({ "input": { "prompt": "a word" } });
    let submitted = server.live().post(SPEECH, &body).await.expect(200).json();
    submitted["request_id"].as_str().unwrap().to_owned()
}

async fn status(server: &Server, id: &str) -> String {
    let status = server.live().get(&format!("/v1/requests/{id}/status")).await.expect(200).json();
    status["status"].as_str().unwrap().to_owned()
}

/// The number of these requests by status.
async fn statuses(server: &Server, ids: &[String]) -> BTreeMap<String, usize> {
    let mut statuses = BTreeMap::new();
    for id in ids {
        *statuses.entry(status(server, id).await).or_default() += 1;
    }
    statuses
}

async fn all_complete(server: &Server, ids: &[String]) {
    until("all to complete", async || {
        let statuses = statuses(server, ids).await;
        assert!(!statuses.contains_key("FAILED"), "{statuses:?}");
        (statuses.get("COMPLETED") == Some(&ids.len())).then_some(())
    })
    .await;
}

async fn readiness(server: &Server) -> String {
    String::from_utf8(Raw::new(&server.url).get("/readyz").await.body.to_vec()).unwrap()
}

async fn pause(server: &Server) -> String {
    let metrics = Raw::new(&server.admin_url).get("/metrics").await.expect(200).body;
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    metrics.lines().find(|line| line.starts_with("clipia_paused{of=\"media\"}")).unwrap().to_owned()
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The attempts in the store by their end, and the number of rescues.
fn attempts(server: &Server) -> (BTreeMap<String, i64>, i64) {
    let store = rusqlite::Connection::open(server.data().join("clipia.db")).unwrap();
    let mut attempts = store.prepare("SELECT ending, count(*) FROM attempt GROUP BY ending").unwrap();
    let attempts = attempts.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rescues = store.query_row("SELECT sum(rescues) FROM request", [], |row| row.get(0)).unwrap();
    (attempts.collect::<Result<_, _>>().unwrap(), rescues)
}

/// A way to take the space of the media away, and to give it back.
struct Fault {
    reason: &'static str,
    begin: fn(&Server, &Path),
    end: fn(&Server, &Path),
}

const FAULTS: [Fault; 2] = [
    Fault {
        reason: "media cannot be written\n",
        begin: |server, _| {
            fs::rename(server.data().join("media"), server.data().join("aside")).unwrap();
            fs::write(server.data().join("media"), "no directory").unwrap();
        },
        end: |server, _| {
            fs::remove_file(server.data().join("media")).unwrap();
            fs::rename(server.data().join("aside"), server.data().join("media")).unwrap();
        },
    },
    Fault {
        reason: "no room for media\n",
        begin: |_, full| fs::write(full, "").unwrap(),
        end: |_, full| fs::remove_file(full).unwrap(),
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn generations_wait_for_disk_space_and_none_fails() {
    const SUBMITS: usize = 30;
    for Fault { reason, begin, end } in FAULTS {
        let elsewhere = tempfile::tempdir().unwrap();
        let full = elsewhere.path().join("full");
        let environment = vec![("FAULT_MEDIA_FULL", full.clone().into())];
        let server = Server::start(Options { environment, ..Options::default() });
        begin(&server, &full);
        let mut ids = Vec::new();
        for _ in 0..SUBMITS {
            ids.push(submit(&server).await);
        }
        until("trouble", async || {
            let statuses = statuses(&server, &ids).await;
            assert!(
                !statuses.contains_key("FAILED"),
                "{statuses:?}, /readyz says {}",
                readiness(&server).await
            );
            (readiness(&server).await == reason).then_some(())
        })
        .await;
        let public = Raw::new(&server.url);
        public.get("/readyz").await.expect(503);
        public.get("/livez").await.expect(200);
        assert!(pause(&server).await.ends_with(" 1"));
        let sample = server.sandbox().post(SPEECH, &json!({ "input": { "prompt": "a" } })).await;
        sample.expect_error("service_unavailable");
        assert!(sample.header("retry-after").parse::<u32>().unwrap() > 0);
        // The generations that ran are queued again, and no worker claims them.
        until("rest", async || {
            (statuses(&server, &ids).await == BTreeMap::from([("IN_QUEUE".to_owned(), SUBMITS)]))
                .then_some(())
        })
        .await;
        assert_eq!(names(&server.staging()), Vec::<String>::new());

        end(&server, &full);
        all_complete(&server, &ids).await;
        assert_eq!(readiness(&server).await, "ok\n");
        assert!(pause(&server).await.ends_with(" 0"));
        server.sandbox().post(SPEECH, &json!({ "input": { "prompt": "a" } })).await.expect(200);
        let (attempts, rescues) = attempts(&server);
        assert_eq!((attempts["completed"], rescues), (SUBMITS as i64, 0), "{attempts:?}");
        assert!(attempts.keys().all(|how| how == "completed" || how == "released"), "{attempts:?}");
        let media = server.data().join("media");
        let mut expected = ids.clone();
        expected.extend([".new".to_owned(), "sandbox".to_owned()]);
        expected.sort();
        assert_eq!(names(&media), expected);
        assert!(ids.iter().all(|id| names(&media.join(id)).len() == 1));
        assert_eq!(names(&server.staging()), Vec::<String>::new());
        let log = server.log();
        assert_eq!(log.matches("generations wait until this is over").count(), 1, "{log}");
        assert_eq!(log.matches("generations are made again").count(), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_made_while_the_store_is_full_is_stored_later() {
    let elsewhere = tempfile::tempdir().unwrap();
    let full = elsewhere.path().join("full");
    let environment = vec![("FAULT_STORE_FULL", full.clone().into())];
    let server = Server::start(Options { environment, ..Options::default() });
    let clip = json!({ "input": { "prompt": "waves", "duration": 2, "resolution": "480p" } });
    let submitted = server.live().post("/v1/models/seedance-2-fast-t2v", &clip).await.expect(200).json();
    let id = submitted["request_id"].as_str().unwrap();
    until("the start", async || (status(&server, id).await == "IN_PROGRESS").then_some(())).await;
    fs::write(&full, "").unwrap();
    let waits = "the end of a generation cannot be stored yet";
    until("the end", async || server.log().contains(waits).then_some(())).await;
    assert_eq!(readiness(&server).await, "the store has no room on its disk\n");
    fs::remove_file(&full).unwrap();
    all_complete(&server, &[id.to_owned()]).await;
    // It was made once, and delivered once.
    assert_eq!(attempts(&server), (BTreeMap::from([("completed".to_owned(), 1)]), 0));
    assert_eq!(names(&server.data().join("media").join(id)).len(), 1);
    assert_eq!(server.log().matches(waits).count(), 1, "{}", server.log());
}

/// Makes a directory of files that no output names.
fn leave(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("audio-1.wav"), "half a file").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_files_that_no_output_names_are_swept() {
    const SECRET: &str = "00112233445566778899aabbccddeeff";
    const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";
    let environment = vec![("FAILPOINT", "after-output:2".into())];
    let mut server = Server::start(Options { environment, ..Options::default() });
    let first = submit(&server).await;
    all_complete(&server, std::slice::from_ref(&first)).await;
    server.sandbox().post(SPEECH, &json!({ "input": { "prompt": "a" } })).await.expect(200);
    // The process ends after it wrote the files and before it reported them.
    let second = submit(&server).await;
    server.ended();
    let media = server.data().join("media");
    let lost = names(&media.join(&second));
    assert_eq!(lost.len(), 1);
    let left = [
        server.staging().join(SECRET),
        media.join(&first).join(SECRET),
        // Files of a request that the store does not know, and files of no request.
        media.join(UNKNOWN).join(SECRET),
        media.join("sandbox").join(SECRET),
    ];
    left.iter().for_each(|directory| leave(directory));

    server.options.environment.clear();
    server.restart();
    all_complete(&server, std::slice::from_ref(&second)).await;
    until("the sweep", async || {
        let gone = [&left[0], &left[1], &media.join(&second).join(&lost[0])];
        gone.iter().all(|directory| !directory.exists()).then_some(())
    })
    .await;
    assert!(left[2].exists() && left[3].exists());
    for id in [&first, &second] {
        let result: Value = server.live().get(&format!("/v1/requests/{id}")).await.expect(200).json();
        let url = result["output"]["audio"]["url"].as_str().unwrap();
        server.live().get(url.strip_prefix(&server.url).unwrap()).await.expect(200);
        assert_eq!(names(&media.join(id)).len(), 1);
    }
    let sample =
        server.sandbox().post(SPEECH, &json!({ "input": { "prompt": "a" } })).await.expect(200).json();
    assert_eq!(sample["status"], "COMPLETED");
}
