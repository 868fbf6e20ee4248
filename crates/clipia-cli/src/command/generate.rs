//! `clipia generate`.

use crate::exit::Interrupted;
use crate::input::What;
use crate::output;
use crate::progress::Board;
use crate::shell::word;
use clap::Args;
use clipia::{Clipia, Outcome};
use std::future::IntoFuture;
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};

/// Submits a generation, and waits for it if told
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    what: What,
    /// Waits for the outcome
    #[arg(long)]
    wait: bool,
    /// Where the server posts the outcome
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Submits nothing that costs more
    #[arg(long, value_name = "CREDITS")]
    max_cost: Option<u64>,
    /// Submits under this key: the same again with the same key is charged once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Waits, and saves the files here
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(clipia: Clipia, options: Options) -> anyhow::Result<()> {
    let input = options.what.input()?;
    let mut submit = clipia.submit(&options.what.model, input);
    if let Some(url) = options.webhook {
        submit = submit.webhook(url);
    }
    if let Some(credits) = options.max_cost {
        submit = submit.max_cost(credits);
    }
    if let Some(key) = options.idempotency_key {
        submit = submit.idempotency_key(key);
    }
    let key = submit.get_idempotency_key().to_owned();
    // One for all calls: what is pressed between two of them is heard by the second.
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let submitted = unless_interrupted(interrupt.as_mut(), submit, || {
        format!(
            "nobody knows whether this submit was accepted; the same again with `--idempotency-key {}` within 24 \
             hours is charged once",
            word(&key)
        )
    })
    .await??;
    for warning in submitted.warnings() {
        output::say(format_args!("warning: {}", warning.message));
    }
    if !options.wait && options.output.is_none() {
        return output::json(submitted.response());
    }
    match submitted.cost() {
        Some(cost) => output::say(format_args!("submitted {} for {cost} credits", submitted.id())),
        None => output::say(format_args!("submitted {}", submitted.id())),
    }
    let goes_on = || {
        format!(
            "the generation goes on; `clipia result {}` tells what came out of it",
            word(submitted.id().as_str())
        )
    };
    let mut line = Board::new().line(&options.what.model);
    let outcome = unless_interrupted(interrupt.as_mut(), line.follow(&submitted), goes_on).await??;
    line.end(outcome.response().status.as_str());
    // Saved before anything is printed: the files are paid for, and whoever was to read this may be gone.
    let saved = match (&outcome, options.output) {
        (Outcome::Completed(completed), Some(directory)) => {
            Some(unless_interrupted(interrupt.as_mut(), completed.download(directory), goes_on).await)
        }
        _ => None,
    };
    let printed = output::json(outcome.response());
    if let Some(paths) = saved {
        for path in paths?? {
            output::say(format_args!("saved {}", path.display()));
        }
    }
    printed?;
    outcome.completed()?;
    Ok(())
}

/// What `call` comes to, or after Ctrl-C an error that says how to go on.
async fn unless_interrupted<F: IntoFuture>(
    interrupt: Pin<&mut impl Future<Output = io::Result<()>>>,
    call: F,
    again: impl Fn() -> String,
) -> Result<F::Output, Interrupted> {
    tokio::select! {
        output = call.into_future() => Ok(output),
        // Where the system has no such signal, nobody can interrupt.
        Ok(()) = interrupt => Err(Interrupted::new(again())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn ctrl_c_between_two_calls_is_heard_by_the_second() {
        use rustix::process::{Signal, getpid, kill_process};

        let mut interrupt = pin!(tokio::signal::ctrl_c());
        let again = || "again".to_owned();
        unless_interrupted(interrupt.as_mut(), tokio::task::yield_now(), again).await.unwrap();
        kill_process(getpid(), Signal::INT).unwrap();
        unless_interrupted(interrupt.as_mut(), std::future::pending::<()>(), again).await.unwrap_err();
    }
}
