//! Workers on other machines: `clipia work` beside `clipia serve`, both as they are.

use crate::support::{
    DEADLINE, Faults, Options, Proxy, Raw, Server, Worker, until, worker_token, write_warm_program,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The credits of a generation, and of an account at its beginning.
const PRICE: u64 = 3;
const CREDITS: u64 = 1_000;

/// Files of a picture, and the marks by which an attempt shows that it began and waits until it may go on.
const MODEL: &str = r#"
import base64, shutil, time
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
for line in sys.stdin:
    job = json.loads(line)
    if "cancel" in job:
        continue
    prompt, marks = job["input"].get("prompt", ""), os.environ["MARKS"]
    print("making", prompt, flush=True)
    if prompt.startswith("wait"):
        open(os.path.join(marks, "began-%d" % os.getpid()), "w").close()
        say(job["events"], {"progress": 10})
        while not os.path.exists(os.path.join(marks, "go")):
            time.sleep(0.02)
    if job["input"].get("image_url"):
        shutil.copy(job["input"]["image_url"], os.path.join(job["out"], "copy.png"))
    elif prompt == "large":
        with open(os.path.join(job["out"], "large.bin"), "wb") as large:
            large.write(bytes(range(256)) * 8192)
    elif prompt != "words":
        with open(os.path.join(job["out"], "image.png"), "wb") as image:
            image.write(PNG)
    say(job["events"], {"output": {"said": prompt}})
    say(job["events"], {"done": True})
"#;

/// A server whose executor `gpu` is elsewhere, and a program for it.
struct Fixture {
    server: Server,
    token: String,
    directory: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let models = "[[executor]]\nname = \"gpu\"\n[[model]]\nslug = \"box\"\nexecutor = \"gpu\"\ntype = \"image\"\n\
                      pricing = { credits = 3 }\ninput_schema = { parameters = [{ name = \"prompt\", type = \"string\" }, \
                      { name = \"image_url\", type = \"image\" }] }\n";
        let options =
            Options { models: Some(models.to_owned()), credits: Some(CREDITS), ..Options::default() };
        let server = Server::start(options);
        let token = worker_token(&server, "box-1");
        let directory = tempfile::tempdir().unwrap();
        write_warm_program(&directory.path().join("model.py"), MODEL);
        Self { server, token, directory }
    }

    fn marks(&self) -> &Path {
        self.directory.path()
    }

    /// A worker with the warm program.
    fn worker(&self, url: &str, options: &[&str]) -> Worker {
        let marks = format!("MARKS={}", self.marks().display());
        let model = self.directory.path().join("model.py");
        let options = [&["--warm", "--env", &marks], options].concat();
        Worker::start(url, &self.token, &options, &["python3", model.to_str().unwrap()])
    }

    /// Submits an input; returns the id of the request.
    async fn submit(&self, input: Value) -> String {
        let body = json!({ "input": input });
        let submitted = self.server.live().post("/v1/models/box", &body).await.expect(200).json();
        submitted["request_id"].as_str().unwrap_or_else(|| panic!("{submitted}")).to_owned()
    }

    async fn result(&self, id: &str) -> Value {
        self.server.live().get(&format!("/v1/requests/{id}")).await.json()
    }

    /// The result, once the generation has ended.
    async fn ended(&self, id: &str) -> Value {
        until("the generation ends", async || {
            let result = self.result(id).await;
            (result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS").then_some(result)
        })
        .await
    }

    async fn completed(&self, id: &str) -> Value {
        let result = self.ended(id).await;
        assert_eq!(result["status"], "COMPLETED", "{result}");
        result
    }

    /// Waits until the program waits; returns the numbers of its processes.
    async fn began(&self, count: usize) {
        until("the program begins", async || {
            let entries = std::fs::read_dir(self.marks()).unwrap();
            let began = entries
                .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("began-"));
            (began.count() >= count).then_some(())
        })
        .await;
    }

    /// Lets the program go on.
    fn go(&self) {
        std::fs::write(self.marks().join("go"), "").unwrap();
    }

    /// How often what happened to a request.
    fn count(&self, id: &str, what: &str) -> usize {
        let shown = self.server.administer(&["requests", "show", id]);
        let timeline = shown["timeline"].as_array().unwrap_or_else(|| panic!("{shown}"));
        timeline.iter().filter(|occurrence| occurrence["what"] == what).count()
    }

    /// The worker of each attempt at a request.
    fn workers(&self, id: &str) -> Vec<String> {
        let shown = self.server.administer(&["requests", "show", id]);
        let started = |of: &&Value| of["what"] == "started";
        let timeline = shown["timeline"].as_array().unwrap_or_else(|| panic!("{shown}")).iter();
        timeline
            .filter(started)
            .map(|of| of["worker"].as_str().unwrap_or("of the server").to_owned())
            .collect()
    }

    /// Checks that a request was completed in one attempt.
    async fn made_at_once(&self, id: &str) {
        self.completed(id).await;
        let counts = ["started", "lost", "released", "completed"].map(|what| self.count(id, what));
        assert_eq!(counts, [1, 0, 0, 1], "{}", self.server.administer(&["requests", "show", id]));
    }

    /// Checks that so many generations were paid, and nothing else, and that the books agree.
    async fn paid(&self, generations: u64) {
        assert_eq!(self.server.balance().await, CREDITS - generations * PRICE);
        self.server.administer(&["doctor"]);
    }
}

/// A host of a file.
async fn host(file: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/fox.png", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 2_048];
            let _ = stream.read(&mut request).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                file.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), &file].concat()).await;
        }
    });
    url
}

fn png() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(7, 5).write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_on_another_machine_makes_pictures_of_words_and_of_files() {
    let fixture = Fixture::new();
    let mut worker = fixture.worker(&fixture.server.url, &["--slots", "2"]);
    let there = host(png()).await;
    for (input, name) in [(json!({ "prompt": "fox" }), "image"), (json!({ "image_url": there }), "copy")] {
        let result = fixture.completed(&fixture.submit(input).await).await;
        let image = &result["output"]["images"][0];
        let url =
            image["original_url"].as_str().or(image["url"].as_str()).unwrap_or_else(|| panic!("{result}"));
        let file = Raw::new(&fixture.server.url)
            .get(url.strip_prefix(&fixture.server.url).unwrap())
            .await
            .expect(200);
        assert!(file.body.starts_with(b"\x89PNG"), "{name}: {} bytes", file.body.len());
        if name == "copy" {
            assert!(file.body == png());
        }
    }
    let words = fixture.submit(json!({ "prompt": "fox" })).await;
    assert_eq!(fixture.completed(&words).await["output"]["said"], "fox");
    fixture.made_at_once(&words).await;
    fixture.paid(3).await;
    worker.signal(Signal::TERM);
    assert!(worker.ended().success());
    assert_eq!(worker.left(), [] as [std::path::PathBuf; 0], "its directories are removed");
    assert!(!worker.log().contains(&fixture.token), "{}", worker.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_the_program_on_another_machine_within_two_seconds() {
    let fixture = Fixture::new();
    let mark = fixture.marks().join("pid");
    let script = format!("echo $$ > {0}.part && mv {0}.part {0} && exec sleep 600", mark.display());
    let _worker = Worker::start(&fixture.server.url, &fixture.token, &[], &["sh", "-c", &script]);
    let id = fixture.submit(json!({})).await;
    let pid = until("the program runs", async || std::fs::read_to_string(&mark).ok()).await;
    fixture.server.administer(&["requests", "cancel", &id]);
    let canceled = Instant::now();
    until("the program ends", async || (!Path::new("/proc").join(pid.trim()).exists()).then_some(())).await;
    assert!(canceled.elapsed() < Duration::from_secs(2), "{:?}", canceled.elapsed());
    assert_eq!(fixture.ended(&id).await["status"], "CANCELED");
    fixture.paid(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_on_while_the_server_is_killed_and_started_again() {
    let mut fixture = Fixture::new();
    let proxy = Proxy::to(&fixture.server.url, Faults::default()).await;
    let worker = fixture.worker(&proxy.url, &[]);
    let (running, waiting) =
        (fixture.submit(json!({ "prompt": "wait" })).await, fixture.submit(json!({ "prompt": "fox" })).await);
    fixture.began(1).await;
    fixture.server.kill9();
    tokio::time::sleep(Duration::from_secs(2)).await;
    fixture.server.restart();
    proxy.lead_to(&fixture.server.url);
    fixture.go();
    for id in [&running, &waiting] {
        fixture.made_at_once(id).await;
    }
    fixture.paid(2).await;
    let log = worker.log();
    assert_eq!(log.matches("the report of progress cannot be called").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_replaced_by_another_one_and_a_frozen_one_drops_its_work() {
    let mut fixture = Fixture::new();
    let mut killed = fixture.worker(&fixture.server.url, &[]);
    let first = fixture.submit(json!({ "prompt": "wait 1" })).await;
    fixture.began(1).await;
    let frozen = fixture.worker(&fixture.server.url, &[]);
    let second = fixture.submit(json!({ "prompt": "wait 2" })).await;
    fixture.began(2).await;
    killed.signal(Signal::KILL);
    killed.ended();
    frozen.signal(Signal::STOP);
    // Its lease lasts 30 s from its last beat.
    fixture.go();
    fixture.token = worker_token(&fixture.server, "box-2");
    let other = fixture.worker(&fixture.server.url, &["--slots", "2"]);
    for id in [&first, &second] {
        fixture.completed(id).await;
        assert_eq!((fixture.count(id, "lost"), fixture.count(id, "completed")), (1, 1));
        assert_eq!(fixture.workers(id), ["box-1", "box-2"]);
    }
    frozen.signal(Signal::CONT);
    fixture.paid(2).await;
    // It drops its work, and makes the next request: there is no other worker.
    drop(other);
    let third = fixture.submit(json!({ "prompt": "fox" })).await;
    fixture.completed(&third).await;
    fixture.paid(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_after_its_jobs_or_when_none_comes() {
    let fixture = Fixture::new();
    for (options, jobs, code) in [
        (&["--once"][..], 1, 0),
        (&["--max-jobs", "3", "--slots", "2"], 3, 0),
        (&["--idle-exit", "1s"], 2, 0),
        (&["--idle-exit", "1s"], 0, 0),
        (&["--once", "--idle-exit", "1s"], 0, 5),
    ] {
        let mut ids = Vec::new();
        for _ in 0..jobs {
            ids.push(fixture.submit(json!({ "prompt": "fox" })).await);
        }
        let ended = fixture.worker(&fixture.server.url, options).ended();
        assert_eq!(ended.code(), Some(code), "{options:?}");
        for id in ids {
            assert_eq!(fixture.result(&id).await["status"], "COMPLETED", "{options:?}");
        }
    }
    // One more than it may make waits for another worker.
    let ids = [fixture.submit(json!({})).await, fixture.submit(json!({})).await];
    assert!(fixture.worker(&fixture.server.url, &["--once", "--slots", "2"]).ended().success());
    assert_eq!(fixture.result(&ids[0]).await["status"], "COMPLETED");
    assert_eq!(fixture.result(&ids[1]).await["status"], "IN_QUEUE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_completes_what_it_runs_when_it_is_asked_to_end_and_gives_it_back_when_asked_twice() {
    let fixture = Fixture::new();
    let mut asked = fixture.worker(&fixture.server.url, &[]);
    let first = fixture.submit(json!({ "prompt": "wait" })).await;
    fixture.began(1).await;
    asked.signal(Signal::TERM);
    until("it says so", async || asked.log().contains("claims nothing more").then_some(())).await;
    let second = fixture.submit(json!({ "prompt": "fox" })).await;
    fixture.go();
    assert!(asked.ended().success());
    assert_eq!(fixture.result(&first).await["status"], "COMPLETED");
    assert_eq!(fixture.result(&second).await["status"], "IN_QUEUE");
    fixture.server.administer(&["requests", "cancel", &second]);

    let third = fixture.submit(json!({ "prompt": "wait" })).await;
    std::fs::remove_file(fixture.marks().join("go")).unwrap();
    let mut twice = fixture.worker(&fixture.server.url, &["--grace-seconds", "1"]);
    fixture.began(2).await;
    twice.signal(Signal::TERM);
    until("it says so", async || twice.log().contains("claims nothing more").then_some(())).await;
    twice.signal(Signal::TERM);
    twice.ended();
    assert_eq!(fixture.result(&third).await["status"], "IN_QUEUE", "{}", twice.log());
    fixture.go();
    let _other = fixture.worker(&fixture.server.url, &[]);
    fixture.completed(&third).await;
    fixture.paid(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_worker_claims_nothing_and_a_revoked_one_ends() {
    let fixture = Fixture::new();
    let mut worker = fixture.worker(&fixture.server.url, &[]);
    fixture.completed(&fixture.submit(json!({ "prompt": "fox" })).await).await;
    fixture.server.administer(&["workers", "quiet", "box-1"]);
    until("it is quiet", async || worker.log().contains("keeps this worker quiet").then_some(())).await;
    let waiting = fixture.submit(json!({ "prompt": "wait" })).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fixture.result(&waiting).await["status"], "IN_QUEUE");
    fixture.server.administer(&["workers", "resume", "box-1"]);
    fixture.began(1).await;
    fixture.server.administer(&["workers", "revoke", "box-1"]);
    assert_eq!(worker.ended().code(), Some(3));
    let log = worker.log();
    assert!(log.contains("error: the worker's token is not in force"), "{log}");
    assert!(log.contains("hint: on the server, `clipia workers create`"), "{log}");
    assert_eq!(fixture.result(&waiting).await["status"], "IN_QUEUE", "it is queued again at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_not_be_the_executor_says_so() {
    let fixture = Fixture::new();
    for (options, code, said) in [
        (&["work", "--executor", "none"][..], 3, "does not let this worker be the executor `none`"),
        (&["work", "--executor", "gpu", "--server", "http://queue.example"], 2, "over https only"),
    ] {
        let mut work = crate::support::command(options);
        if !options.contains(&"--server") {
            work.args(["--server", &fixture.server.url]);
        }
        work.env("CLIPIA_WORKER_TOKEN", &fixture.token).args(["--", "true"]);
        let output = crate::support::output(&mut work);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(said) && !stderr.contains(&fixture.token), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_made_once_although_three_of_ten_responses_are_lost() {
    let fixture = Fixture::new();
    let faults = Faults { lost: 30, cut_after: 400_000 };
    let proxy = Proxy::to(&fixture.server.url, faults).await;
    let _worker = fixture.worker(&proxy.url, &["--slots", "4"]);
    let mut ids = Vec::new();
    for number in 0..60 {
        let prompt = match number % 10 {
            0 => "large".to_owned(),
            5 => "words".to_owned(),
            _ => format!("fox {number}"),
        };
        ids.push(fixture.submit(json!({ "prompt": prompt })).await);
    }
    let since = Instant::now();
    for id in &ids {
        fixture.completed(id).await;
        assert_eq!((fixture.count(id, "lost"), fixture.count(id, "completed")), (0, 1));
    }
    assert!(proxy.losses.load(Ordering::Relaxed) > 60, "{:?}", proxy.losses);
    assert!(since.elapsed() < DEADLINE, "{:?}", since.elapsed());
    fixture.paid(60).await;
}
