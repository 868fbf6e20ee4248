//! The delivery of an outcome, attempted a few times.

use super::{Answer, NotTaken, Receiver, Response, Secret, SignedDelivery, now};
use crate::output::{one_line, say};
use clipia::webhook::Delivery;
use std::time::Duration;
use uuid::Uuid;

/// The most attempts at one delivery.
const ATTEMPTS_MAX: u32 = 5;

/// The wait after the first attempt. Each further one is twice as long, so that all take some 8 s: a program that restarts is back.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Delivers `body` to `receiver`. Attempts it again if the receiver cannot be reached, does not respond, or responds with a 5xx.
///
/// # Errors
/// [`NotTaken`] if the last attempt did not end with a 2xx.
pub(crate) async fn deliver(
    receiver: &Receiver,
    secret: &Secret,
    body: &Delivery,
) -> anyhow::Result<Response> {
    let (id, body) = (Uuid::now_v7(), serde_json::to_vec(body)?);
    let mut attempt = 1;
    loop {
        // Signed anew: a receiver refuses a signature of more than five minutes ago.
        let delivery = SignedDelivery::new(&[secret.reveal()], id, now(), body.clone());
        let response = receiver.send(delivery).await;
        if response.answer.is_taken() {
            return Ok(response);
        }
        let Some(wait) = wait_after(attempt, &response.answer) else {
            return Err(NotTaken { url: receiver.shown(), answer: response.answer }.into());
        };
        attempt += 1;
        say(format_args!(
            "the receiver {}; attempt {attempt} of {ATTEMPTS_MAX} follows in {} s",
            one_line(&response.answer.to_string()),
            wait.as_secs_f64()
        ));
        tokio::time::sleep(wait).await;
    }
}

/// The wait between the attempt of this number, which ended with `answer`, and the next. `None` if there is no next one.
fn wait_after(attempt: u32, answer: &Answer) -> Option<Duration> {
    let may_pass = !matches!(answer, Answer::Status(..500));
    (may_pass && attempt < ATTEMPTS_MAX).then(|| FIRST_WAIT * 2_u32.pow(attempt - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_attempted_again_and_a_refusal_is_not() {
        let waits = |answer: &Answer| -> Vec<f64> {
            (1..).map_while(|attempt| wait_after(attempt, answer)).map(|wait| wait.as_secs_f64()).collect()
        };
        let fault = [0.5, 1.0, 2.0, 4.0];
        for answer in [
            Answer::Status(500),
            Answer::Status(503),
            Answer::TimedOut,
            Answer::Unreachable("refused".into()),
            Answer::Broken("reset".into()),
        ] {
            assert_eq!(waits(&answer), fault, "{answer}");
        }
        for status in [302, 400, 404, 429] {
            assert!(waits(&Answer::Status(status)).is_empty(), "{status}");
        }
    }
}
