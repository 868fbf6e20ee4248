//! Errors by cause: what to show, what to keep, and what to retry.

use clipia::{Clipia, Error, Outcome, json};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let clipia = Clipia::from_env()?;

    // Refused: nothing was charged.
    match clipia.submit("nano-banana-2", json!({ "prompt": "" })).await {
        Ok(fox) => println!("{} is submitted", fox.id()),
        Err(Error::Input(why)) => println!("{}: {why}", why.argument().unwrap_or("the call")),
        Err(Error::InsufficientCredits(why)) => println!("the account: {why}"),
        // The submit may have been accepted. The same submit with this key finds it, and is charged once.
        Err(Error::SubmitUnanswered { idempotency_key, .. }) => println!("keep {idempotency_key}"),
        Err(error) if error.is_retryable() => println!("later: {error}"),
        Err(error) => return Err(error),
    }

    // The wait ended, but the generation goes on. The error has its id.
    let input = json!({ "prompt": "waves at dusk", "duration": 2, "resolution": "480p" });
    let clip = clipia.submit("seedance-2-fast-t2v", input).await?;
    let outcome = match clip.wait().timeout(Duration::from_millis(1)).await {
        Err(Error::Deadline { request_id, .. }) => {
            println!("not yet: {request_id}");
            clipia.generation(request_id).wait().await?
        }
        ended => ended?,
    };

    // Failed and canceled are outcomes. Only `completed` makes them errors. The credits were returned.
    match outcome {
        Outcome::Completed(clip) => println!("made for {} credits", clip.cost().unwrap_or_default()),
        Outcome::Failed(why) => println!("failed: {} ({})", why.message(), why.code()),
        ended => println!("ended: {}", ended.response().status),
    }
    Ok(())
}
