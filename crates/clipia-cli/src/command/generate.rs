//! `clipia generate`.

use crate::connection::Connection;
use crate::delivery::{Receiver, Secret, SecretOption, body_of, deliver};
use crate::duration::duration;
use crate::ending::{self, Open};
use crate::exit::{Hint, Interrupted};
use crate::format::Format;
use crate::input::What;
use crate::output;
use crate::progress::Board;
use crate::shell::word;
use crate::suggestion::with_suggestion;
use clap::Args;
use clipia::{Error, ResultResponse, SubmitResponse, Upload};
use std::future::IntoFuture;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::time::Duration;

/// Submits a generation, and waits for it with `--wait`, `--output` or `--deliver`
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia generate nano-banana-2 -p \"a fox\" -o out --open
  clipia generate seedance-2-fast-i2v --set image_url=@fox.png -p \"it runs\" --max-cost 60 --wait --timeout 10m
  clipia generate nano-banana-2 --input '{\"prompt\": \"a fox\", \"aspect_ratio\": \"16:9\"}'")]
pub(crate) struct Options {
    #[command(flatten)]
    what: What,
    /// Waits until the generation ends, and prints its result
    #[arg(long)]
    wait: bool,
    /// Waits no longer than this, as `90s` or `10m`; then the exit code is 5, and the generation goes on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// The URL that the server posts the outcome to
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Submits nothing if the generation would cost more
    #[arg(long, value_name = "CREDITS")]
    max_cost: Option<u64>,
    /// The idempotency key: a submit that is repeated with the same key is charged once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Waits, and saves the files in this directory
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Waits, and sends the outcome as a signed webhook from this machine, so that a receiver on it needs no tunnel
    #[arg(long, value_name = "URL")]
    deliver: Option<String>,
    #[command(flatten)]
    secret: SecretOption,
    #[command(flatten)]
    open: Open,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    // What is wrong with the receiver's URL or the secret is said before anything costs credits.
    let receiver = match &options.deliver {
        Some(url) => Some((Receiver::at(url, options.connection.http.is_allowed())?, options.secret.read()?)),
        None => None,
    };
    let clipia = options.connection.client()?;
    // One listener for all calls: a Ctrl-C between two calls interrupts the second.
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    // A repeated submit must name the same uploads: the same file uploaded again would be another input.
    let mut uploads = String::new();
    let uploaded = |key: &str, path: &Path, upload: &Upload| {
        output::say(format_args!("uploaded {}", path.display()));
        // A `data:` URL of the same file is the same input.
        if !upload.url.starts_with("data:") {
            let again = format!("{key}={}", upload.url);
            uploads += &format!("`--set {}` in place of the file, and ", word(&again));
        }
    };
    let nothing = || "nothing was submitted".to_owned();
    let input = options.what.input(&clipia, uploaded);
    let input = unless_interrupted(interrupt.as_mut(), input, nothing).await??;
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
    let submitted = unless_interrupted(interrupt.as_mut(), submit, || {
        format!(
            "the submit may have been accepted; run the same command with {uploads}`--idempotency-key {}` within 24 hours: \
             the generation is charged once",
            word(&key)
        )
    })
    .await?;
    let submitted = match submitted {
        Err(error) if matches!(error, Error::SubmitUnanswered { .. }) => {
            return Err(after_uploads(error, &uploads));
        }
        submitted => with_suggestion(&clipia, &options.what.model, submitted).await?,
    };
    for warning in submitted.warnings() {
        output::say(format_args!("warning: {}", warning.message));
    }
    let waits = options.wait || options.timeout.is_some() || options.open.open;
    if !waits && options.output.is_none() && receiver.is_none() {
        return options.format.print(submitted.response(), accepted);
    }
    match submitted.cost() {
        Some(cost) => output::say(format_args!("submitted {} for {cost} credits", submitted.id())),
        None => output::say(format_args!("submitted {}", submitted.id())),
    }
    let interrupted = || {
        let directory = options.output.as_ref().and_then(|directory| directory.to_str());
        let output = directory.map(|directory| format!(" -o {}", word(directory))).unwrap_or_default();
        format!("the generation goes on; `clipia wait {}{output}` waits again", word(submitted.id().as_str()))
    };
    let mut line = Board::new().line(&options.what.model);
    let outcome = unless_interrupted(
        interrupt.as_mut(),
        line.follow(submitted.generation(), options.timeout),
        interrupted,
    )
    .await??;
    line.end(outcome.response().status.as_str());
    // The files are saved before the result is printed: they are paid for, and stdout may have no reader.
    let saving = ending::save(&outcome, options.output.as_deref());
    let saved = unless_interrupted(interrupt.as_mut(), saving, interrupted).await?;
    let printed = ending::print(outcome.response(), saved, options.format, options.open);
    if let Some((receiver, secret)) = receiver {
        let again = || send_again(outcome.response(), &receiver);
        unless_interrupted(interrupt.as_mut(), send(&receiver, &secret, outcome.response()), again).await??;
    }
    printed?;
    outcome.completed()?;
    Ok(())
}

/// The accepted generation for people.
fn accepted(response: &SubmitResponse) -> String {
    let mut rows =
        vec![("request", response.request_id.to_string()), ("status", response.status.to_string())];
    rows.extend(response.queue_position.map(|ahead| ("queue", format!("{ahead} ahead"))));
    rows.extend(response.cost.map(|cost| ("credits", cost.to_string())));
    rows.push(("next", format!("clipia wait {} -o out", word(response.request_id.as_str()))));
    output::facts(rows)
}

/// Delivers the outcome.
async fn send(receiver: &Receiver, secret: &Secret, result: &ResultResponse) -> anyhow::Result<()> {
    // An outcome has ended, so that it has a body.
    let Some(body) = body_of(result) else { return Ok(()) };
    let response = deliver(receiver, secret, &body)
        .await
        .map_err(|error| error.context(Hint::new(send_again(result, receiver))))?;
    output::say(format_args!(
        "delivered to {}: it {} in {} ms",
        receiver.shown(),
        response.answer,
        response.took.as_millis()
    ));
    Ok(())
}

/// How to deliver the outcome after all.
fn send_again(result: &ResultResponse, receiver: &Receiver) -> String {
    format!(
        "the generation has ended; `clipia webhooks send {} --to {}` sends its outcome again",
        word(result.request_id.as_str()),
        word(&receiver.shown())
    )
}

/// The error of a submit without a response, with what repeats it if its input names uploads.
fn after_uploads(error: Error, uploads: &str) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    if uploads.is_empty() {
        return error;
    }
    error.context(Hint::new(format!(
        "run the same command with {uploads}that key in `--idempotency-key`: the generation is charged once"
    )))
}

/// The output of `call`, or after Ctrl-C an error that says how to continue.
async fn unless_interrupted<F: IntoFuture>(
    interrupt: Pin<&mut impl Future<Output = io::Result<()>>>,
    call: F,
    next: impl Fn() -> String,
) -> Result<F::Output, Interrupted> {
    tokio::select! {
        output = call.into_future() => Ok(output),
        // The branch is disabled if the system has no such signal.
        Ok(()) = interrupt => Err(Interrupted::new(next())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn ctrl_c_between_two_calls_interrupts_the_second() {
        use rustix::process::{Signal, getpid, kill_process};

        let mut interrupt = pin!(tokio::signal::ctrl_c());
        let next = || "next".to_owned();
        unless_interrupted(interrupt.as_mut(), tokio::task::yield_now(), next).await.unwrap();
        kill_process(getpid(), Signal::INT).unwrap();
        unless_interrupted(interrupt.as_mut(), std::future::pending::<()>(), next).await.unwrap_err();
    }
}
