//! Futures that are dropped before their end: the log has the id or key that the caller needs.

use crate::emulated::{Emulated, MODEL, input};
use crate::secrets::Everything;
use clipia::Error;
use clipia_emulator::Operation;
use std::future::IntoFuture;
use std::time::Duration;

/// Starts a call, and drops it once something of it has come to the server.
async fn cut<F: IntoFuture>(call: F, has_come: impl Fn() -> bool) {
    let come = async {
        while !has_come() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = call.into_future() => panic!("it should not end"),
        () = come => {}
    }
}

/// Runs `calls` and records their log.
async fn traced(calls: impl AsyncFnOnce(Everything)) {
    let everything = Everything::here();
    let guard = tracing::subscriber::set_default(everything.clone());
    calls(everything).await;
    drop(guard);
}

fn lines(everything: &Everything, word: &str) -> Vec<String> {
    everything.text().lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_submit_that_is_cut_short_logs_its_key() {
    traced(async |everything| {
        // While the request is in flight, and while the submit pauses before a retry.
        for fault in ["submit hang", "submit 503 retry-after=30s"] {
            let emulated = Emulated::new(&[fault]);
            let clipia = emulated.client();
            let submit = clipia.submit(MODEL, input(""));
            let (own, given) = (submit.get_idempotency_key().to_owned(), format!("mine-{}", emulated.url()));
            let came = |key: &str| emulated.idempotency_keys().iter().any(|sent| sent == key);
            cut(submit, || came(&own)).await;
            cut(clipia.subscribe(MODEL, input("")).idempotency_key(&given), || came(&given)).await;
            let logged = lines(&everything, "submit cut short");
            for key in [own, given] {
                let logged =
                    logged.iter().filter(|line| line.contains(&format!("idempotency_key=\"{key}\"")));
                assert_eq!(logged.count(), 1, "{key}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_submit_that_has_ended_or_was_never_sent_logs_nothing() {
    traced(async |everything| {
        let emulated = Emulated::new(&["submit insufficient_credits x1 after 1", "estimate hang"]);
        let clipia = emulated.client();
        drop(clipia.submit(MODEL, input("")).into_future());
        clipia.submit(MODEL, input("")).await.unwrap();
        clipia.submit(MODEL, input("")).await.unwrap_err();
        let estimated = || !emulated.calls(Operation::Estimate).is_empty();
        cut(clipia.submit(MODEL, input("")).max_cost(1), estimated).await;
        assert_eq!(lines(&everything, "cut short"), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_wait_that_is_cut_short_logs_the_id() {
    traced(async |everything| {
        let emulated = Emulated::new(&[]);
        let clipia = emulated.client();
        let fox = clipia.submit(MODEL, input("@stuck")).await.unwrap();
        let polled = |others: bool| {
            let of_fox = |id: &str| id == fox.id().as_str();
            let polls = emulated.calls(Operation::Result);
            polls.iter().filter_map(|call| call.request_id.as_deref()).any(|id| of_fox(id) != others)
        };
        cut(fox.wait(), || polled(false)).await;
        cut(clipia.subscribe(MODEL, input("@stuck")), || polled(true)).await;
        let logged = lines(&everything, "wait cut short");
        assert_eq!(logged.len(), 2, "{logged:?}");
        assert!(logged[0].contains(&format!("request_id={}", fox.id())), "{logged:?}");
        // A wait that ends by itself logs nothing.
        let error = fox.wait().timeout(Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error:?}");
        drop(fox.wait());
        assert_eq!(lines(&everything, "wait cut short").len(), 2);
    })
    .await;
}
