//! `clipia webhooks send`: a result as a signed delivery.

use crate::arguments::{Server, not_of_this_command};
use crate::connection::Connection;
use crate::delivery::{NotTaken, Receiver, SecretOption, SignedDelivery, body_of, now};
use crate::exit::StillRunning;
use crate::output::facts;
use clap::Args;
use clipia::RequestId;
use serde::Serialize;
use uuid::Uuid;

/// Sends the outcome of a generation to a receiver, signed as a server signs it; any receiver, this machine's too
#[derive(Args)]
#[command(arg = not_of_this_command("data", "data", "the result is read from the server at `--base-url`"))]
pub(crate) struct Options {
    /// The request id that the submit returned
    id: RequestId,
    /// The receiver's URL
    #[arg(long, value_name = "URL")]
    to: String,
    #[command(flatten)]
    secret: SecretOption,
    #[command(flatten)]
    connection: Connection,
}

/// A delivery that was sent.
#[derive(Serialize)]
struct Sent {
    delivery_id: Uuid,
    request_id: RequestId,
    url: String,
    status: u16,
    ms: u128,
    /// The beginning of the response's body.
    reply: String,
}

pub(crate) async fn run(server: &Server, options: Options) -> anyhow::Result<()> {
    let receiver = Receiver::at(&options.to, options.connection.http.is_allowed())?;
    let secret = options.secret.read()?;
    let result = options.connection.client()?.result(options.id).await?;
    let Some(body) = body_of(&result) else {
        return Err(StillRunning::new(&result).into());
    };
    let id = Uuid::now_v7();
    let delivery = SignedDelivery::new(&[secret.reveal()], id, now(), serde_json::to_vec(&body)?);
    let response = receiver.send(delivery).await;
    if let Some(status) = response.answer.status() {
        let sent = Sent {
            delivery_id: id,
            request_id: result.request_id,
            url: receiver.shown(),
            status,
            ms: response.took.as_millis(),
            reply: response.reply,
        };
        server.print(&sent, text)?;
    }
    if !response.answer.is_taken() {
        return Err(NotTaken { url: receiver.shown(), answer: response.answer }.into());
    }
    Ok(())
}

fn text(sent: &Sent) -> String {
    facts([
        ("delivery", sent.delivery_id.to_string()),
        ("request", sent.request_id.to_string()),
        ("url", sent.url.clone()),
        ("status", sent.status.to_string()),
        ("took", format!("{} ms", sent.ms)),
        ("reply", sent.reply.clone()),
    ])
}
