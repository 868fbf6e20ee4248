//! Claims of sessions.

use crate::support::{Answer, EXECUTOR, Server, Session, attempt, claim_order, until};
use clipia_store::{Queue, Workers};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a claim that is held open returns, and after how long.
async fn held(session: &Session, server: &Server) -> (Answer, Duration) {
    let begin = Instant::now();
    (session.claim_with(server, 25, 1, &[]).await, begin.elapsed())
}

/// Long enough that a claim is held open, and short beside its wait.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// Longer than any wake-up takes, and shorter than the wait of a claim.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_claim_waits_and_is_woken_by_a_submit() {
    let server = Server::start().await;
    let session = server.session().await;
    let submit = async {
        a_moment().await;
        server.submit(json!({ "prompt": "fox" })).await
    };
    let ((answer, after), id) = tokio::join!(held(&session, &server), submit);
    let claimed = answer.done();
    let job = &claimed["jobs"][0];
    assert!(after < SOON, "{after:?}");
    assert_eq!((&claimed["say"], &job["request_id"], &job["epoch"]), (&json!("work"), &json!(id), &json!(1)));
    assert_eq!((&job["model"]["slug"], &job["input"]), (&json!("flux"), &json!({ "prompt": "fox" })));
    assert_eq!(job["base_url"], server.url());
    assert!(job["account_id"].as_str().unwrap().starts_with("acct_"), "{job}");
    assert_eq!(server.result(&id).await["status"], "IN_PROGRESS");
    assert!(server.metrics().await.contains("clipia_generations_running 1"));
}

#[tokio::test]
async fn an_empty_queue_is_an_empty_claim_when_the_wait_is_over() {
    let server = Server::start().await;
    let session = server.session().await;
    let begin = Instant::now();
    assert_eq!(session.claim_with(&server, 1, 1, &[]).await.done(), json!({ "jobs": [], "say": "work" }));
    let after = begin.elapsed();
    assert!((Duration::from_millis(900)..SOON).contains(&after), "{after:?}");
}

#[tokio::test]
async fn a_claim_takes_as_many_as_the_session_has_slots() {
    let server = Server::start().await;
    let session = server.session().await;
    for number in 0..3 {
        server.submit(json!({ "prompt": number.to_string() })).await;
    }
    let jobs = session.jobs(&server, 2).await;
    let prompts: Vec<&Value> = jobs.iter().map(|job| &job["input"]["prompt"]).collect();
    assert_eq!(prompts, ["0", "1"]);
}

#[tokio::test]
async fn a_lost_claim_response_is_returned_again_and_a_known_one_is_not() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    let lost = session.claim(&server).await;
    let again = session.claim_with(&server, 0, 1, &[]).await.done();
    assert_eq!(attempt(&again["jobs"][0]), lost);
    assert_eq!(again["jobs"][0]["input"], json!({ "prompt": "fox" }));
    let known = session.claim_with(&server, 0, 1, std::slice::from_ref(&lost)).await.done();
    assert_eq!(known["jobs"], json!([]));
    // A session that is sure to know all that it has is not told of another one.
    let mut sure = claim_order(0, 1, &[]);
    sure["held_is_all"] = json!(true);
    assert_eq!(session.post(&server, "claim", &sure).await.done()["jobs"], json!([]));
    // Another session of the same worker does not get it.
    assert_eq!(Session::new(&session.token).jobs(&server, 1).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_never_get_the_same_request() {
    let server = Server::start().await;
    let token = server.session().await.token;
    let sessions: Vec<Session> = (0..8).map(|_| Session::new(&token)).collect();
    let claims = sessions.iter().map(|session| async {
        let mut held = Vec::new();
        loop {
            let claimed = session.claim_with(&server, 3, 2, &held).await.done();
            let jobs = claimed["jobs"].as_array().unwrap();
            if jobs.is_empty() {
                return held;
            }
            held.extend(jobs.iter().map(attempt));
        }
    });
    let submits = async {
        let mut ids = BTreeSet::new();
        for number in 0..40 {
            ids.insert(server.submit(json!({ "prompt": number.to_string() })).await);
        }
        ids
    };
    let (claimed, submitted) = tokio::join!(futures_util::future::join_all(claims), submits);
    let all: Vec<String> = claimed.into_iter().flatten().map(|attempt| attempt.request).collect();
    assert_eq!(all.len(), 40);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), submitted);
}

#[tokio::test]
async fn a_later_claim_of_the_session_ends_the_earlier_one() {
    let server = Server::start().await;
    let session = server.session().await;
    let later = async {
        a_moment().await;
        session.claim_with(&server, 0, 1, &[]).await.done()
    };
    let ((earlier, after), _) = tokio::join!(held(&session, &server), later);
    assert_eq!(earlier.done()["jobs"], json!([]));
    assert!(after < SOON, "{after:?}");
}

#[tokio::test]
async fn nothing_is_claimed_for_a_client_that_has_gone() {
    let server = Server::start().await;
    let session = server.session().await;
    let body = claim_order(25, 1, &[]).to_string();
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    let head = format!(
        "POST /worker/v1/claim HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nclipia-session: {}\r\ncontent-length: {}\r\n\r\n{body}",
        session.token,
        session.id,
        body.len()
    );
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    until("session", async || {
        (!server.store().workers().await.unwrap()[0].sessions.is_empty()).then_some(())
    })
    .await;
    stream.shutdown().await.unwrap();
    // The response comes when the server has noticed.
    let mut response = [0; 1_024];
    assert!(stream.read(&mut response).await.unwrap() > 0);
    drop(stream);
    let id = server.submit(json!({ "prompt": "fox" })).await;
    a_moment().await;
    assert_eq!(server.result(&id).await["status"], "IN_QUEUE");
    assert_eq!(Session::new(&session.token).claim(&server).await.epoch, 1);
}

#[tokio::test]
async fn a_quiet_worker_gets_the_word_and_nothing_else() {
    let server = Server::start().await;
    let session = server.session().await;
    let quiet = async {
        a_moment().await;
        server.store().set_quiet("box", true).await.unwrap();
    };
    let ((answer, after), ()) = tokio::join!(held(&session, &server), quiet);
    assert_eq!(answer.done(), json!({ "jobs": [], "say": "quiet" }));
    assert!(after < SOON, "{after:?}");
    server.submit(json!({ "prompt": "fox" })).await;
    assert_eq!(session.claim_with(&server, 1, 1, &[]).await.done(), json!({ "jobs": [], "say": "quiet" }));
    let work = async {
        a_moment().await;
        server.store().set_quiet("box", false).await.unwrap();
    };
    let ((answer, after), ()) = tokio::join!(held(&session, &server), work);
    assert_eq!(answer.done()["jobs"].as_array().unwrap().len(), 1);
    assert!(after < SOON, "{after:?}");
}

#[tokio::test]
async fn a_paused_queue_gives_nothing_until_it_is_resumed() {
    let server = Server::start().await;
    let session = server.session().await;
    server.store().pause_queue(EXECUTOR).await.unwrap();
    server.submit(json!({ "prompt": "fox" })).await;
    assert_eq!(session.jobs(&server, 1).await, Vec::<Value>::new());
    let resume = async {
        a_moment().await;
        let access = std::fs::read(server.data.path().join("admin.json")).unwrap();
        let access: Value = serde_json::from_slice(&access).unwrap();
        let url = format!("{}/queues/{EXECUTOR}/resume", server.admin_url());
        let call = reqwest::Client::new().post(url).bearer_auth(access["token"].as_str().unwrap());
        assert_eq!(call.send().await.unwrap().status(), 200);
    };
    let ((answer, after), ()) = tokio::join!(held(&session, &server), resume);
    assert_eq!(answer.done()["jobs"].as_array().unwrap().len(), 1);
    assert!(after < Duration::from_secs(4), "{after:?}");
}

#[tokio::test]
async fn a_session_is_listed_with_what_it_says_of_itself() {
    let server = Server::start().await;
    let session = server.session().await;
    server.submit(json!({ "prompt": "fox" })).await;
    session.claim(&server).await;
    let listed = server.store().workers().await.unwrap().remove(0).sessions.remove(0);
    assert_eq!((listed.session.to_string(), listed.running), (session.id, 1));
    let about = listed.about;
    assert_eq!((about.executor, about.host, about.slots), (EXECUTOR.to_owned(), "gpu-box-1".to_owned(), 1));
    assert_eq!((about.gpu, about.version), (Some("A card".to_owned()), "1.0.0".to_owned()));
}

#[tokio::test]
async fn a_server_that_stops_answers_claims_that_are_held_open() {
    let mut server = Server::start().await;
    let session = server.session().await;
    let url = server.url().to_owned();
    let claim = reqwest::Client::new().post(format!("{url}/worker/v1/claim"));
    let claim = claim.bearer_auth(&session.token).header("clipia-session", &session.id);
    let claim = claim.body(claim_order(25, 1, &[]).to_string());
    let begin = Instant::now();
    let claiming = tokio::spawn(async move { crate::support::send(claim).await });
    until("session", async || {
        (!server.store().workers().await.unwrap()[0].sessions.is_empty()).then_some(())
    })
    .await;
    server.stop().await;
    assert_eq!(claiming.await.unwrap().done()["jobs"], json!([]));
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
}
