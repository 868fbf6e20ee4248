//! Files of inputs.

use super::peer::{Answer, Call, Peer};
use super::*;
use crate::executor::JobError;

const CLAIM: &str = "POST /worker/v1/claim";

/// A peer with one request to claim, which answers the calls for its files.
async fn peer(input: Value, answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Peer {
    let claimed = jobs(&[claimed(attempt(), &input)]);
    Peer::start(move |call: &Call| if call.is(CLAIM) { Answer::ok(&claimed) } else { answer(call) }).await
}

fn bytes() -> Vec<u8> {
    (0..100_000_u32).map(|at| (at % 253) as u8).collect()
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    for takes_ranges in [true, false] {
        let input = json!({ "image_urls": ["https://a.example/1.png", "https://a.example/2.png"] });
        let peer = peer(input, move |call: &Call| {
            let from = call.header("range").map(|range| {
                range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().unwrap()
            });
            let png = || "content-type: image/png\r\n".to_owned();
            match from {
                None => Answer::Cut(200, png(), bytes(), 40_000),
                Some(from) if takes_ranges && from < 70_000 => {
                    let range = format!("{}content-range: bytes {from}-99999/100000\r\n", png());
                    Answer::Cut(206, range, bytes()[from..].to_vec(), 30_000)
                }
                Some(from) if takes_ranges => {
                    let range = format!("{}content-range: bytes {from}-99999/100000\r\n", png());
                    Answer::Cut(206, range, bytes()[from..].to_vec(), 100_000 - from)
                }
                Some(_) => Answer::Cut(200, png(), bytes(), 100_000),
            }
        })
        .await;
        let session = Session::with(&peer);
        let (job, attempt, _alive) = job(session.claim().await);
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().join("file");
        let inputs = session.line.inputs();
        let url = "https://a.example/2.png";
        assert!(inputs.is_elsewhere(&job, url) && inputs.is_elsewhere(&job, "http://here/media/a.png"));
        let media_type = within(inputs.fetch(&job, "image_urls", url, &to, 1_000_000)).await.unwrap();
        assert_eq!(media_type.as_deref(), Some("image/png"));
        assert!(std::fs::read(&to).unwrap() == bytes(), "ranges: {takes_ranges}");
        let target = format!("GET /worker/v1/inputs/{}/1?", attempt.id);
        let calls = peer.calls(&target);
        assert!(
            calls
                .iter()
                .all(|call| call.target.contains("number=1") && call.target.contains("parameter=image_urls"))
        );
        assert_eq!(calls[1].header("range"), Some("bytes=40000-"));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_had_fails_its_generation_with_the_servers_sentence() {
    let input = json!({ "image_url": "https://a.example/1.png" });
    let expected = "`image_url` leads to a web page";
    for (answer, why) in [
        (Answer::refused(422, expected), expected),
        (Answer::Says(200, "", vec![0; 2_000]), "longer than 1000 bytes"),
    ] {
        let peer = peer(input.clone(), move |_| answer.clone()).await;
        let session = Session::with(&peer);
        let (job, _, _alive) = job(session.claim().await);
        let directory = tempfile::tempdir().unwrap();
        let fetched = session.line.inputs();
        let to = directory.path().join("file");
        let fetched = within(fetched.fetch(&job, "image_url", "https://a.example/1.png", &to, 1_000)).await;
        assert!(matches!(&fetched, Err(JobError::Failed(said)) if said.contains(why)), "{fetched:?}");
    }
    let peer = peer(input, |_| Answer::refused(409, "stale")).await;
    let session = Session::with(&peer);
    let (job, _, _alive) = job(session.claim().await);
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("file");
    let fetched =
        within(session.line.inputs().fetch(&job, "image_url", "https://a.example/1.png", &to, 1_000)).await;
    assert!(matches!(fetched, Err(JobError::Stopped)), "{fetched:?}");
}

#[tokio::test]
async fn a_data_url_needs_no_call() {
    let url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==";
    let peer = peer(json!({ "image_url": url }), |_| Answer::Lost).await;
    let session = Session::with(&peer);
    let (job, _, _alive) = job(session.claim().await);
    let directory = tempfile::tempdir().unwrap();
    let inputs = session.line.inputs();
    assert!(!inputs.is_elsewhere(&job, url));
    let to = directory.path().join("file");
    let media_type = inputs.fetch(&job, "image_url", url, &to, 1_000).await.unwrap();
    assert_eq!(media_type.as_deref(), Some("image/png"));
    assert!(std::fs::read(to).unwrap().starts_with(b"\x89PNG"));
    let short = inputs.fetch(&job, "image_url", url, &directory.path().join("b"), 3).await;
    assert!(matches!(short, Err(JobError::Failed(_))), "{short:?}");
    assert!(peer.calls("GET").is_empty());
}
