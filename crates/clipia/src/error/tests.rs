//! The messages that people read: for every cause, with the message of our server or of a terser one.

use super::*;
use crate::outcome::Outcome;
use clipia_api::input::InputFault;
use clipia_api::types::{ErrorBody, ErrorEnvelope, ResultResponse};

const ID: &str = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";

fn id() -> RequestId {
    ID.parse().unwrap()
}

/// An error response of the API to a call about `ID`.
fn api_error(code: ErrorCode, message: &str) -> ApiError {
    let error = ErrorBody {
        type_: Some(code.family().to_owned()),
        code: code.code().to_owned(),
        message: Some(message.to_owned()),
        extra: Default::default(),
    };
    let envelope = ErrorEnvelope { error, extra: Default::default() };
    ApiError { envelope, request_id: Some(id()), ..ApiError::bare(code.http_status(), "") }
}

#[test]
fn an_api_error_shows_the_servers_message_and_advice() {
    use ErrorCode::*;
    let limited = "rate limit reached: 120 requests a minute on key clipia_live_…k3Qz; next request in 2 s";
    for (code, retry_after, message, said) in [
        (InvalidRequest, None, "the body is not JSON", "the body is not JSON (400 invalid_request)"),
        (
            WebhookUrlInvalid,
            None,
            "`webhook_url` must be https",
            "`webhook_url` must be https (400 webhook_url_invalid)",
        ),
        (
            InvalidApiKey,
            None,
            "this API key is not in force: it is wrong or was revoked",
            "this API key is not in force: it is wrong or was revoked; the key sent is clipia_live_…k3Qz: set one \
             of this server in `CLIPIA_KEY` (401 invalid_api_key)",
        ),
        (
            InsufficientCredits,
            None,
            "not enough credits: this costs 120, the account has 35",
            "not enough credits: this costs 120, the account has 35; nothing was charged: the account needs \
             more credits, or the key a larger budget (402 insufficient_credits)",
        ),
        (
            SubscriptionRequired,
            None,
            "`nano-banana-pro` needs a subscription",
            "`nano-banana-pro` needs a subscription; nothing was charged: subscribe, or use another model \
             (402 subscription_required)",
        ),
        (
            InsufficientScope,
            None,
            "the key lacks the scope `generate`",
            "the key lacks the scope `generate`; use a key that has it: the key sent is clipia_live_…k3Qz \
             (403 insufficient_scope)",
        ),
        (
            NotFound,
            None,
            "there is no such request on this account",
            "there is no such request on this account; 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de was asked for with \
             clipia_live_…k3Qz: only a key of the account that submitted it finds it (404 not_found)",
        ),
        (
            ModelNotFound,
            None,
            "there is no model `nano-banana-3`; did you mean `nano-banana-2`?",
            "there is no model `nano-banana-3`; did you mean `nano-banana-2`? (404 model_not_found)",
        ),
        (
            IdempotencyKeyReuse,
            None,
            "this `Idempotency-Key` was used with other parameters",
            "this `Idempotency-Key` was used with other parameters (409 idempotency_key_reuse)",
        ),
        (
            RequestInProgress,
            None,
            "the first submit with this Idempotency-Key is still being processed",
            "the first submit with this Idempotency-Key is still being processed; submit the same with the same \
             key in a moment (409 request_in_progress)",
        ),
        (
            ModelInputInvalid,
            None,
            "`aspect_ratio` must be one of 1:1, 16:9, 9:16; got \"17:9\"",
            "`aspect_ratio` must be one of 1:1, 16:9, 9:16; got \"17:9\" (422 model_input_invalid)",
        ),
        (RateLimitExceeded, Some(1_500), limited, &format!("{limited} (429 rate_limit_exceeded)")),
        (
            RateLimitExceeded,
            Some(1_500),
            "too many requests",
            "too many requests; 120 requests a minute on key clipia_live_…k3Qz; next request in 2 s \
             (429 rate_limit_exceeded)",
        ),
        (
            ConcurrencyLimitExceeded,
            None,
            "the key has 10 generations in flight already",
            "the key has 10 generations in flight already; submit again when one of them has ended \
             (429 concurrency_limit_exceeded)",
        ),
        (
            ConcurrencyLimitExceeded,
            Some(5_000),
            "the key has 10 generations in flight already",
            "the key has 10 generations in flight already; try again in 5 s (429 concurrency_limit_exceeded)",
        ),
        (
            InternalError,
            None,
            "the server failed; the call can be repeated",
            "the server failed; the call can be repeated (500 internal_error)",
        ),
        (
            ServiceUnavailable,
            Some(5_000),
            "the server is shutting down",
            "the server is shutting down; try again in 5 s (503 service_unavailable)",
        ),
        (ServiceUnavailable, None, "", "the server gave no reason (503 service_unavailable)"),
    ] {
        let retry_after = retry_after.map(Duration::from_millis);
        let error = Error::from_api(ApiError { retry_after, limit: Some(120), ..api_error(code, message) });
        assert_eq!(error.to_string(), said);
        // The variant is named after the cause. What the caller has to correct is one variant.
        let of_caller = matches!(code, InvalidRequest | WebhookUrlInvalid | ModelInputInvalid);
        let variant = if of_caller { "Input".to_owned() } else { format!("{code:?}") };
        assert_eq!(format!("{error:?}").split('(').next(), Some(&*variant));
        assert_eq!((error.code(), error.http_status()), (Some(code.code()), Some(code.http_status())));
        assert_eq!((error.request_id(), error.retry_after()), (Some(&id()), retry_after));
    }
    let newer = Error::from_api(ApiError::bare(418, "short_and_stout"));
    assert_eq!(newer.to_string(), "the server gave no reason (418 short_and_stout)");
    let tried = Error::from_api(api_error(ServiceUnavailable, "closed")).after(6, Duration::from_secs(12));
    assert_eq!(tried.to_string(), "closed (503 service_unavailable, tried 6 times over 12 s)");
}

fn outcome(status: &str) -> Outcome {
    let error = serde_json::json!({ "code": "GENERATION_FAILED", "message": "the model was overloaded" });
    let response = serde_json::json!({ "request_id": ID, "status": status, "error": error });
    let response: ResultResponse = serde_json::from_value(response).unwrap();
    let clipia = crate::Clipia::builder().key("clipia_live_0123456789abk3Qz").build().unwrap();
    Outcome::of(&clipia, response).unwrap()
}

#[test]
fn every_other_error_says_what_went_wrong() {
    let (request_id, attempts, elapsed) = (|| Some(id()), 1, Duration::ZERO);
    let (source, server) = (|| "connection refused".into(), || "https://api.clipia.ai".to_owned());
    let unreachable = || Error::Unreachable {
        request_id: request_id(),
        server: server(),
        attempts,
        elapsed,
        cause: source(),
    };
    let deadline = |status, progress| Error::Deadline {
        request_id: id(),
        waited: Duration::from_secs(600),
        status,
        progress,
        source: None,
    };
    let progress = || Some(serde_json::from_str::<Progress>("72").unwrap());
    for (error, said) in [
        (
            Error::KeyMissing,
            "no API key: set `CLIPIA_KEY` or `CLIPIA_API_KEY`, or pass one with `Clipia::builder().key(…)`",
        ),
        (Error::KeyMalformed { reason: "it is too long" }, "malformed API key: it is too long"),
        (
            Error::BaseUrl { url: "http://x.y/".to_owned(), reason: "it must begin with https://" },
            "cannot use the base URL `http://x.y/`: it must begin with https://",
        ),
        (
            Error::argument("model", "`` is not a model's slug", "the catalogue has the slugs"),
            "`` is not a model's slug; the catalogue has the slugs",
        ),
        (
            Error::Setup { cause: "no root certificates".into() },
            "cannot set up the client: no root certificates",
        ),
        (unreachable(), "no connection to the server at https://api.clipia.ai: connection refused"),
        (
            unreachable().after(3, Duration::from_millis(1_240)),
            "no connection to the server at https://api.clipia.ai, tried 3 times over 1.2 s: connection refused",
        ),
        (
            Error::Connection { request_id: request_id(), attempts, elapsed, cause: "reset by peer".into() },
            "the connection to the server broke: reset by peer",
        ),
        (
            Error::Timeout { request_id: request_id(), attempts, elapsed }.after(2, Duration::from_secs(61)),
            "the server did not answer in time, tried 2 times over 61 s",
        ),
        (
            Error::SubmitUnanswered {
                idempotency_key: "mine".to_owned(),
                cause: Box::new(Error::Timeout {
                    request_id: request_id(),
                    attempts: 6,
                    elapsed: Duration::from_secs(190),
                }),
            },
            "the server did not answer in time, tried 6 times over 190 s; nobody knows whether this submit was \
             accepted: the same again with `.idempotency_key(\"mine\")` within 24 hours charges once",
        ),
        (
            Error::DeliveryInconclusive { request_id: id(), status: "PARTLY".to_owned() },
            "the webhook delivery for 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de says `PARTLY` and not how it ended: ask \
             for the result",
        ),
        (
            deadline(Some(Status::InProgress), progress()),
            "gave up waiting for 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de after 600 s; it is still IN_PROGRESS (72 %): \
             resume with client.generation(\"0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de\").wait()",
        ),
        (
            deadline(None, None),
            "gave up waiting for 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de after 600 s; nothing is known of it yet: \
             resume with client.generation(\"0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de\").wait()",
        ),
        (
            outcome("FAILED").completed().unwrap_err(),
            "generation 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de failed: the model was overloaded (GENERATION_FAILED)",
        ),
        (
            outcome("CANCELED").completed().unwrap_err(),
            "generation 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de was canceled",
        ),
        (
            Error::StillRunning { request_id: id(), status: Status::InQueue, progress: None },
            "generation 0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de has not ended: it is still IN_QUEUE",
        ),
    ] {
        assert_eq!(error.to_string(), said);
    }
}

/// A window title, a colour and a direction override, as a server may put them into its texts.
const HOSTILE: &str = "too\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}dark";
const SHOWN: &str = "too\\u001b]0;owned\\u0007\\u009b31m\\u202edark";

#[test]
fn no_error_shows_characters_that_a_terminal_obeys() {
    let (url, reason) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    let fault = InputFault::new("prompt", HOSTILE.to_owned());
    let status = || Status::Unknown(HOSTILE.to_owned());
    let response = ResultResponse {
        status: Status::Failed,
        error: Some(
            serde_json::from_value(serde_json::json!({ "code": HOSTILE, "message": HOSTILE })).unwrap(),
        ),
        ..outcome("FAILED").response().clone()
    };
    let clipia = crate::Clipia::builder().key("clipia_live_0123456789abk3Qz").build().unwrap();
    let mut unknown = api_error(ErrorCode::InternalError, HOSTILE);
    unknown.envelope.error.code = HOSTILE.to_owned();
    for (error, times) in [
        (Error::from_api(api_error(ErrorCode::InvalidRequest, HOSTILE)), 1),
        (Error::from_api(unknown), 2),
        (Outcome::of(&clipia, response).unwrap().completed().unwrap_err(), 2),
        (Error::StillRunning { request_id: HOSTILE.into(), status: status(), progress: None }, 2),
        (Error::DeliveryInconclusive { request_id: HOSTILE.into(), status: HOSTILE.to_owned() }, 2),
        (Error::Download { request_id: id(), url, reason, transient: false, retry_after: None }, 2),
        (Error::Setup { cause: HOSTILE.into() }, 1),
        (Error::Input(Box::new(InputError::of_model("m".to_owned(), vec![fault], Vec::new()))), 1),
        (Error::argument("model", HOSTILE, "the catalogue has the slugs"), 1),
    ] {
        let said = error.to_string();
        assert!(!said.contains(|c: char| c.is_control() || c == '\u{202e}'), "{said:?}");
        assert_eq!(said.matches(SHOWN).count(), times, "{said}");
    }
}

#[test]
fn what_a_caller_passed_wrongly_is_one_error_whoever_finds_it() {
    let fault = || InputFault::new("prompt", "`prompt` is required".to_owned());
    let server = |code| Error::from_api(api_error(code, "`prompt` is required"));
    for (error, found_by, argument, code) in [
        (Error::argument("model", "`` is not a slug", "pass one"), FoundBy::Client, Some("model"), None),
        (
            Error::Input(Box::new(InputError::of_model("m".to_owned(), vec![fault()], Vec::new()))),
            FoundBy::Client,
            Some("input"),
            Some("model_input_invalid"),
        ),
        (server(ErrorCode::ModelInputInvalid), FoundBy::Server, Some("input"), Some("model_input_invalid")),
        (
            server(ErrorCode::WebhookUrlInvalid),
            FoundBy::Server,
            Some("webhook_url"),
            Some("webhook_url_invalid"),
        ),
        (server(ErrorCode::InvalidRequest), FoundBy::Server, None, Some("invalid_request")),
    ] {
        assert_eq!((error.code(), error.error_code().map(ErrorCode::code)), (code, code));
        let by_server = found_by == FoundBy::Server;
        assert_eq!((error.request_id().is_some(), error.api().is_some()), (by_server, by_server));
        assert!(!error.is_retryable(), "{error}");
        let Error::Input(input) = error else { panic!("{error:?}") };
        assert_eq!((input.found_by(), input.argument()), (found_by, argument));
        assert!(!input.message().is_empty() && !input.remedy().is_empty(), "{input:?}");
        assert_eq!(input.faults().is_empty(), input.model().is_none());
    }
}
