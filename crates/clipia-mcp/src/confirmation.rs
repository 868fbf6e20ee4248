//! The consent of a person to a price, before it is paid.
//!
//! What is asked is sealed into a state that the client sends back with the answer: the price, the key, the arguments, and an end after
//! five minutes. So the server keeps nothing, and an answer is good for what was asked alone. The digest of the state is the
//! idempotency key of the submit: a call that is repeated with the same state is charged once.

use crate::call::Call;
use crate::parameters::Own;
use crate::refusal::Refusal;
use clipia::Credits;
use rmcp::model::{
    CallToolResponse, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest, InputRequests, InputRequiredResult, JsonObject, RequestStateCodec, SealOptions,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// How long an answer is good.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// A price is confirmed if it is more than the balance divided by this number.
const PART_OF_BALANCE: f64 = 10.0;

/// The name of the question, and that of its only field.
const QUESTION: &str = "cost";
const FIELD: &str = "confirm";

/// What is asked.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) price: Credits,
    /// The URLs of files that were uploaded, by their paths. A file that is uploaded again has another URL, and is another input.
    pub(crate) uploaded: BTreeMap<String, String>,
    /// Tells apart two calls with the same arguments at the same time.
    call: Uuid,
}

impl Asked {
    pub(crate) fn new(price: Credits, uploaded: BTreeMap<String, String>) -> Self {
        // A `data:` URL holds the file, is the same each time, and would not fit into a state.
        let uploaded = uploaded.into_iter().filter(|(_, url)| !url.starts_with("data:")).collect();
        Self { price, uploaded, call: Uuid::new_v4() }
    }
}

/// Seals what is asked, with a key that follows from the API key.
pub(crate) struct Seal {
    codec: RequestStateCodec,
    /// The digest of the key: an answer of one key is none of another.
    principal: [u8; 32],
}

impl Seal {
    pub(crate) fn of_key(key: &str) -> Self {
        let digest = |purpose: &str| -> [u8; 32] { Sha256::digest(format!("{purpose}\0{key}")).into() };
        // A digest has 32 bytes, which is as long as the codec asks for.
        let codec = RequestStateCodec::new_unchecked(digest("clipia-mcp: seal of a confirmation"));
        Self { codec, principal: digest("clipia-mcp: principal") }
    }

    /// What an answer is good for: this key, this tool, these arguments.
    fn bound_to(&self, tool: &str, arguments: &JsonObject) -> Vec<u8> {
        // The keys of an object are sorted, so that the same arguments have one digest. What was agreed to is none of them.
        let sorted: BTreeMap<&String, _> = arguments.iter().filter(|(name, _)| *name != "max_cost").collect();
        let arguments = Sha256::digest(serde_json::to_vec(&sorted).unwrap_or_default());
        [&self.principal[..], tool.as_bytes(), b"\0", &arguments[..]].concat()
    }

    fn seal(&self, asked: &Asked, tool: &str, arguments: &JsonObject) -> Result<String, Refusal> {
        let bound = self.bound_to(tool, arguments);
        let options = SealOptions::new().associated_data(&bound).ttl(GOOD_FOR);
        let sealed = self.codec.seal_json_with(asked, &options);
        sealed.map_err(|error| Refusal::new(format!("The price cannot be confirmed: {error}.")))
    }

    /// What was asked; `None` if the state is not of this server, of another call, or too old.
    fn open(&self, state: &str, tool: &str, arguments: &JsonObject) -> Option<Asked> {
        self.codec.open_json_with(state, &self.bound_to(tool, arguments)).ok()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// What a call brought of an earlier one: what was asked then, if its state is good.
pub(crate) struct Earlier {
    asked: Option<Asked>,
    /// The digest of the state.
    idempotency_key: Option<String>,
}

impl Earlier {
    /// What `call` brought.
    pub(crate) fn of(call: &Call<'_>) -> Self {
        let state = call.request.request_state.as_deref();
        let asked = state.and_then(|state| {
            call.caller.seal.open(
                state,
                &call.request.name,
                &call.request.arguments.clone().unwrap_or_default(),
            )
        });
        let idempotency_key = asked.as_ref().and(state).map(idempotency_key);
        Self { asked, idempotency_key }
    }

    /// The URLs of files that the earlier call uploaded.
    pub(crate) fn uploaded(&self) -> BTreeMap<String, String> {
        self.asked.as_ref().map(|asked| asked.uploaded.clone()).unwrap_or_default()
    }
}

fn idempotency_key(state: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(state).into();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("mcp-{hex}")
}

/// Whether a price is to be paid.
pub(crate) enum Consent {
    /// It is, by a submit with this idempotency key, or with one of its own.
    Given(Option<String>),
    /// It is not, or not yet: this is the response.
    Open(CallToolResponse),
}

/// What a generation costs, and what there is to pay it.
#[derive(Clone, Copy)]
pub(crate) struct Price {
    pub(crate) credits: Credits,
    pub(crate) balance: Credits,
}

impl Price {
    /// The question to a person.
    fn question(self, model: &str) -> String {
        let Self { credits, balance } = self;
        let left = balance.checked_sub(credits).unwrap_or_default();
        format!("This costs {credits} credits ({balance} → {left}), for {model}. Go on?")
    }

    /// Whether a person is asked.
    fn is_high(self, confirm_above: Credits) -> bool {
        self.credits > confirm_above || self.credits.as_f64() > self.balance.as_f64() / PART_OF_BALANCE
    }
}

/// Finds out whether `price` is to be paid for a generation with `model`. The first that applies decides: a sandbox key pays
/// nothing; the answer to an earlier question about the same price, which a call that is repeated brings again; the balance must be
/// enough; `max_cost` is consent, or its refusal; a low price needs no consent; and else the question.
pub(crate) async fn consent(
    call: &Call<'_>,
    own: &Own,
    model: &str,
    price: Price,
    earlier: Earlier,
    uploaded: BTreeMap<String, String>,
) -> Result<Consent, Refusal> {
    let Price { credits, balance } = price;
    if call.caller.is_sandbox {
        return Ok(Consent::Given(None));
    }
    if let (Some(asked), Some(responses)) = (&earlier.asked, call.request.input_responses.as_ref())
        && asked.price == credits
    {
        let answer = responses.get(QUESTION).cloned();
        let answer = answer.and_then(|answer| serde_json::from_value::<ElicitResult>(answer).ok());
        return match answer {
            Some(answer) if agrees(&answer) => Ok(Consent::Given(earlier.idempotency_key)),
            _ => Err(declined(credits)),
        };
    }
    if credits > balance {
        return Err(Refusal::new(format!(
            "This costs {credits} credits, and the account has {balance}. Nothing was submitted: add credits to the account, or ask for less."
        )));
    }
    if let Some(max_cost) = own.max_cost {
        if credits.as_f64() > max_cost {
            return Err(Refusal::new(format!(
                "This costs {credits} credits, more than the `max_cost` of {max_cost}. Nothing was submitted."
            )));
        }
        return Ok(Consent::Given(None));
    }
    if !price.is_high(call.settings.confirm_above) {
        return Ok(Consent::Given(None));
    }
    ask(call, model, price, uploaded).await
}

async fn ask(
    call: &Call<'_>,
    model: &str,
    price: Price,
    uploaded: BTreeMap<String, String>,
) -> Result<Consent, Refusal> {
    let Price { credits, .. } = price;
    if !call.has_forms() || !call.has_result_types() && call.files.is_none() {
        return Err(Refusal::new(format!(
            "This costs {credits} credits, and nothing was submitted: ask the person, then call again with `max_cost: {credits}`."
        )));
    }
    let schema = ElicitationSchema::builder().required_bool(FIELD).build();
    let form = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: price.question(model),
        requested_schema: schema.map_err(Refusal::new)?,
    };
    if !call.has_result_types() {
        // In earlier revisions of the protocol the server asks, and the call stays open.
        let asked = tokio::select! {
            answer = call.context.peer.create_elicitation(form) => answer,
            () = call.given_up() => return Err(declined(credits)),
        };
        let answer = asked.map_err(|error| {
            Refusal::new(format!(
                "This costs {credits} credits, and the person could not be asked ({error}). Nothing was submitted: ask them, then call again with `max_cost: {credits}`."
            ))
        })?;
        return if agrees(&answer) { Ok(Consent::Given(None)) } else { Err(declined(credits)) };
    }
    let arguments = call.request.arguments.clone().unwrap_or_default();
    let asked = Asked::new(credits, uploaded);
    let state = call.caller.seal.seal(&asked, &call.request.name, &arguments)?;
    let question = InputRequest::Elicitation(ElicitRequest::new(form));
    let questions = InputRequests::from([(QUESTION.to_owned(), question)]);
    Ok(Consent::Open(InputRequiredResult::new(Some(questions), Some(state)).into()))
}

/// Whether the answer of a form is yes.
fn agrees(answer: &ElicitResult) -> bool {
    let said = answer.content.as_ref().and_then(|content| content.get(FIELD)?.as_bool());
    answer.action == ElicitationAction::Accept && said == Some(true)
}

fn declined(credits: Credits) -> Refusal {
    Refusal::new(format!(
        "The person did not agree to {credits} credits. Nothing was submitted. Do not call this again unless they ask for it."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Instant;

    const KEY: &str = "clipia_live_0123456789abk3Qz";

    fn arguments(prompt: &str) -> JsonObject {
        json!({ "prompt": prompt, "duration": 5 }).as_object().unwrap().clone()
    }

    #[test]
    fn a_state_is_good_for_its_key_its_tool_and_its_arguments() {
        let seal = Seal::of_key(KEY);
        let asked = Asked::new(Credits::new(120), BTreeMap::from([("a".to_owned(), "https://b".to_owned())]));
        let state = seal.seal(&asked, "generate_video", &arguments("a fox")).unwrap();
        assert_eq!(seal.open(&state, "generate_video", &arguments("a fox")), Some(asked));
        // Another process with the same key opens it, in any order of the arguments, and whatever was agreed to.
        let mut other =
            json!({ "duration": 5, "max_cost": 120, "prompt": "a fox" }).as_object().unwrap().clone();
        assert!(Seal::of_key(KEY).open(&state, "generate_video", &other).is_some());
        other.insert("duration".to_owned(), json!(6));
        for (key, tool, arguments) in [
            ("clipia_live_another", "generate_video", arguments("a fox")),
            (KEY, "generate_image", arguments("a fox")),
            (KEY, "generate_video", arguments("a wolf")),
            (KEY, "generate_video", other),
        ] {
            assert_eq!(Seal::of_key(key).open(&state, tool, &arguments), None, "{key} {tool} {arguments:?}");
        }
        for forged in ["", "rs1.AAAA.AAAA", &state.replace("rs1.", "rs2."), &(state.clone() + "A")] {
            assert_eq!(seal.open(forged, "generate_video", &arguments("a fox")), None, "{forged}");
        }
    }

    #[test]
    fn a_state_expires() {
        let seal = Seal::of_key(KEY);
        let bound = seal.bound_to("generate_video", &arguments("a fox"));
        let asked = Asked::new(Credits::new(120), BTreeMap::new());
        let options = SealOptions::new().associated_data(&bound).ttl(Duration::ZERO);
        let state = seal.codec.seal_json_with(&asked, &options).unwrap();
        // It is good until the clock shows the next millisecond.
        let begun = Instant::now();
        while seal.open(&state, "generate_video", &arguments("a fox")).is_some() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it is good for ever");
        }
    }

    #[test]
    fn two_questions_are_two_submits_and_a_question_is_one() {
        let seal = Seal::of_key(KEY);
        let state = || {
            let asked = Asked::new(Credits::new(120), BTreeMap::new());
            seal.seal(&asked, "generate_video", &arguments("a fox")).unwrap()
        };
        let (first, second) = (state(), state());
        assert_ne!(idempotency_key(&first), idempotency_key(&second));
        assert_eq!(idempotency_key(&first), idempotency_key(&first));
        assert!(idempotency_key(&first).len() < 100 && !idempotency_key(&first).contains(KEY));
    }

    #[test]
    fn a_file_inside_its_url_is_not_sealed() {
        let uploaded = BTreeMap::from([
            ("a".to_owned(), "data:image/png;base64,AA".to_owned()),
            ("b".to_owned(), "https://c/b.png".to_owned()),
        ]);
        let asked = Asked::new(Credits::new(1), uploaded);
        assert_eq!(asked.uploaded.into_keys().collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_price_above_the_limit_or_a_tenth_of_the_balance_is_high() {
        let is_high = |credits, balance| {
            let price = Price { credits: Credits::new(credits), balance: Credits::new(balance) };
            price.is_high(Credits::new(50))
        };
        assert!(!is_high(50, 1_000) && is_high(51, 1_000));
        assert!(!is_high(12, 120) && is_high(12, 119));
        let price = Price { credits: Credits::new(120), balance: Credits::new(340) };
        assert_eq!(price.question("m"), "This costs 120 credits (340 → 220), for m. Go on?");
    }

    #[test]
    fn only_a_clear_yes_agrees() {
        let answer = |value| agrees(&serde_json::from_value(value).unwrap());
        assert!(answer(json!({ "action": "accept", "content": { "confirm": true } })));
        for no in [
            json!({ "action": "accept", "content": { "confirm": false } }),
            json!({ "action": "accept", "content": {} }),
            json!({ "action": "accept" }),
            json!({ "action": "decline" }),
            json!({ "action": "cancel", "content": { "confirm": true } }),
        ] {
            assert!(!answer(no.clone()), "{no}");
        }
    }
}
