//! The tools that generate: `generate_image`, `generate_video`, `generate_audio`, `generate_music`.

use crate::call::Call;
use crate::confirmation::{Consent, Earlier, Price, consent};
use crate::input::{Wanted, upload, wanted};
use crate::parameters::Own;
use crate::refusal::Refusal;
use crate::result::{Show, Shown};
use crate::settings::Kind;
use crate::tasks;
use crate::waiting::{Known, wait};
use clipia::{Credits, Submitted};
use rmcp::model::{CallToolResponse, CreateTaskResult};
use std::path::PathBuf;
use std::time::Duration;

/// The longest wait of a call: clients give a call up after 60 s, some after 30 s.
pub(crate) const WAIT_SECONDS_MAX: u64 = 25;

/// How long a tool waits if the call does not say it. A clip takes minutes.
fn usual_wait(kind: Kind) -> u64 {
    match kind {
        Kind::Video => 0,
        Kind::Image | Kind::Audio | Kind::Music => WAIT_SECONDS_MAX,
    }
}

pub(crate) async fn generate(call: &Call<'_>, kind: Kind) -> Result<CallToolResponse, Refusal> {
    let (mut wanted, own) = wanted(call, kind).await?;
    let save_to = directory(call, own.save_to.as_deref())?;
    let longest = own.wait_seconds.unwrap_or_else(|| usual_wait(kind)).min(WAIT_SECONDS_MAX);
    let (submitted, balance) = match submit(call, &own, &mut wanted).await? {
        Sent::Submitted { submitted, balance } => (submitted, balance),
        Sent::Open(response) => return Ok(response),
    };
    let show = Show { preview: own.include_preview.unwrap_or(true), save_to: save_to.as_deref() };
    let id = submitted.id();
    let mut longest = Duration::from_secs(longest);
    // A sandbox submit has ended at once, and only its result has the output.
    if submitted.response().status.is_terminal() {
        longest = Duration::ZERO;
    }
    let known = wait(call, std::slice::from_ref(id), longest).await.pop();
    let known = match known {
        Some(Ok(known)) => known,
        // The submit was accepted and is paid for: whatever went wrong since, the id is told.
        Some(Err(error)) => return Err(after_submit(&submitted, error)),
        None => return Err(Refusal::new(format!("Request {id} was accepted."))),
    };
    if !known.response.status.is_terminal() && call.takes_tasks() {
        return Ok(CreateTaskResult::new(tasks::task_of(&known.response)).into());
    }
    let mut shown = Shown::of(&known, show).await;
    // A sandbox key is told what a live key would have paid, and pays nothing.
    let left = |cost| if call.caller.is_sandbox { Some(balance) } else { balance.checked_sub(cost) };
    complete(&mut shown, &submitted, &wanted, left, &known);
    Ok(shown.result().into())
}

/// The directory in which a call saves its files.
pub(crate) fn directory(call: &Call<'_>, named: Option<&str>) -> Result<Option<PathBuf>, Refusal> {
    match (call.files, named) {
        (Some(files), named) => files.saved_in(named),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Refusal::new(
            "`save_to` is for a server on this machine. Over HTTP the result has the URLs of the files.",
        )),
    }
}

/// What became of a submit.
enum Sent {
    Submitted {
        submitted: Box<Submitted>,
        /// The credits that the account had before.
        balance: Credits,
    },
    /// Nothing was submitted yet.
    Open(CallToolResponse),
}

async fn submit(call: &Call<'_>, own: &Own, wanted: &mut Wanted) -> Result<Sent, Refusal> {
    let clipia = call.clipia();
    let earlier = Earlier::of(call);
    let uploaded = upload(call, wanted, &earlier.uploaded()).await?;
    let estimate = clipia.estimate(&wanted.model, &wanted.input).await?;
    let price = Price { credits: estimate.credits, balance: clipia.account().await?.balance.credits };
    let idempotency_key = match consent(call, own, &wanted.model, price, earlier, uploaded).await? {
        Consent::Given(idempotency_key) => idempotency_key,
        Consent::Open(response) => return Ok(Sent::Open(response)),
    };
    let mut submit = clipia.submit(&wanted.model, &wanted.input);
    if let Some(key) = idempotency_key {
        submit = submit.idempotency_key(key);
    }
    Ok(Sent::Submitted { submitted: Box::new(submit.await?), balance: price.balance })
}

/// Adds what the response to the submit says, and the result does not. `left` is what a cost leaves of the balance.
fn complete(
    shown: &mut Shown,
    submitted: &Submitted,
    wanted: &Wanted,
    left: impl Fn(Credits) -> Option<Credits>,
    known: &Known,
) {
    let generation = &mut shown.generation;
    generation.warnings = submitted.warnings().iter().map(|warning| warning.message.clone()).collect();
    generation.model.get_or_insert_with(|| wanted.model.clone());
    let cost = known.response.cost.or(submitted.cost());
    generation.cost_credits = cost.map(Credits::as_f64);
    generation.balance_after = cost.and_then(left).map(Credits::as_f64);
}

fn after_submit(submitted: &Submitted, error: clipia::Error) -> Refusal {
    let Refusal(why) = error.into();
    let id = submitted.id();
    Refusal(format!(
        "Request {id} was accepted and goes on, but its result is not known: {why} Call wait_generation with request_id \"{id}\"."
    ))
}
