use super::*;
use crate::journal::JournalKey;
use clipia_queue::Moment;

const SECOND: Duration = Duration::from_secs(1);

/// A caller with a key, and the time that has passed.
struct Caller {
    observer: Observer,
    now: Duration,
}

impl Caller {
    fn new() -> Self {
        Self { observer: Observer::default(), now: Duration::ZERO }
    }

    /// Calls after `after`, and gets `response` a tenth of a second later.
    fn call(&mut self, after: Duration, call: JournalCall) {
        self.now += after;
        let took = Duration::from_millis(100);
        self.observer.called(&JournalCall { began: self.now, took, ..call });
        self.now += took;
    }

    fn kinds(&self) -> Vec<FindingKind> {
        let findings = self.observer.findings();
        assert!(findings.iter().all(|finding| finding.hint.ends_with('.') && !finding.what.is_empty()));
        findings.iter().map(|finding| finding.kind).collect()
    }
}

fn call(operation: Operation, request: Option<RequestId>, response: SeenResponse) -> JournalCall {
    let key: crate::CallerKey = "clipia_live_a".parse().unwrap();
    JournalCall {
        at: Moment::default(),
        began: Duration::ZERO,
        took: Duration::ZERO,
        operation: Some(operation),
        method: String::new(),
        route: "/v1/…",
        key: Some(JournalKey { hash: key.hash(), hint: key.hint() }),
        model: None,
        request,
        idempotency_key: Some(format!("key of {request:?}")),
        input: None,
        response: Some(response),
        fault: None,
        script: None,
        secret_in: None,
    }
}

fn says(status: &str) -> SeenResponse {
    SeenResponse {
        status: 200,
        request_status: Some(status.to_owned()),
        remaining: Some(50),
        ..SeenResponse::default()
    }
}

fn refused(code: ErrorCode, retry_after: Option<Duration>) -> SeenResponse {
    let code = (code.http_status(), Some(code.code().to_owned()));
    SeenResponse { status: code.0, code: code.1, retry_after, ..SeenResponse::default() }
}

#[test]
fn a_caller_that_does_as_responses_say_is_not_found() {
    let (mut caller, id) = (Caller::new(), Some(RequestId::generate()));
    let busy = || refused(ErrorCode::ServiceUnavailable, Some(2 * SECOND));
    let limited = || refused(ErrorCode::RateLimitExceeded, Some(3 * SECOND));
    caller.call(SECOND, call(Operation::Submit, None, busy()));
    caller.call(2 * SECOND, call(Operation::Submit, None, limited()));
    caller.call(3 * SECOND, call(Operation::Submit, None, says("IN_QUEUE")));
    caller.call(SECOND, call(Operation::Status, id, says("IN_PROGRESS")));
    caller.call(SECOND, call(Operation::Status, id, limited()));
    // Another call need not wait.
    caller.call(Duration::ZERO, call(Operation::Account, None, says("")));
    caller.call(
        3 * SECOND,
        call(Operation::Status, id, SeenResponse { remaining: Some(0), ..says("IN_PROGRESS") }),
    );
    // A call comes back each half a second: a key without one left may call again soon.
    caller
        .call(SECOND, call(Operation::Status, id, SeenResponse { remaining: Some(0), ..says("COMPLETED") }));
    caller.call(SECOND, call(Operation::Result, id, says("COMPLETED")));
    caller.observer.ended(id.unwrap(), &Status::Completed);
    assert_eq!(caller.kinds(), []);
}

#[test]
fn a_completed_request_must_be_fetched_or_delivered() {
    let mut caller = Caller::new();
    let ids: Vec<RequestId> = (0..4).map(|_| RequestId::generate()).collect();
    for id in &ids {
        caller.call(SECOND, call(Operation::Status, Some(*id), says("COMPLETED")));
    }
    caller.call(SECOND, call(Operation::Result, Some(ids[0]), says("COMPLETED")));
    let delivery = |request, signature, status| ObservedDelivery { request, signature, status, took: SECOND };
    caller.observer.delivered(&delivery(ids[1], ObservedSignature::Good, Some(204)));
    caller.observer.delivered(&delivery(ids[2], ObservedSignature::Good, Some(500)));
    let missing: Vec<_> =
        caller.observer.findings().iter().map(|finding| (finding.kind, finding.request)).collect();
    let not_fetched = |id| (FindingKind::ResultNotFetched, Some(id));
    assert_eq!(missing, [not_fetched(ids[2]), not_fetched(ids[3])]);
    caller.observer.ended(RequestId::generate(), &Status::Failed);
    assert_eq!(caller.kinds().len(), 2);
}

#[test]
fn idempotency_keys_are_sent_and_not_reused() {
    let mut caller = Caller::new();
    for _ in 0..3 {
        let submit = call(Operation::Submit, None, says("IN_QUEUE"));
        caller.call(SECOND, JournalCall { idempotency_key: None, ..submit });
    }
    assert_eq!(caller.kinds(), [FindingKind::IdempotencyKeyMissing]);
    assert_eq!(caller.observer.findings()[0].times, 3);
    let reuse = || call(Operation::Submit, None, refused(ErrorCode::IdempotencyKeyReuse, None));
    caller.call(SECOND, JournalCall { fault: Some("@reject".to_owned()), ..reuse() });
    assert_eq!(caller.kinds().len(), 1, "the emulator said it for no reason");
    caller.call(SECOND, reuse());
    assert_eq!(caller.kinds(), [FindingKind::IdempotencyKeyMissing, FindingKind::IdempotencyKeyReused]);
}

#[test]
fn a_repeat_waits_as_responses_say() {
    let id = Some(RequestId::generate());
    for (after, found) in [(1_900, 1), (1_985, 0), (2_000, 0)] {
        let mut caller = Caller::new();
        let busy = refused(ErrorCode::ServiceUnavailable, Some(2 * SECOND));
        // A fault is a good reason to wait.
        let bent = JournalCall { fault: Some("503".to_owned()), ..call(Operation::Status, id, busy) };
        caller.call(SECOND, bent);
        caller.call(Duration::from_millis(after), call(Operation::Status, id, says("IN_QUEUE")));
        caller.call(Duration::ZERO, call(Operation::Status, id, says("IN_QUEUE")));
        assert_eq!(caller.kinds(), vec![FindingKind::RetryAfterIgnored; found], "{after}");
    }
    // A call that was under way when the other one was refused did not know.
    let mut caller = Caller::new();
    let busy = refused(ErrorCode::ServiceUnavailable, Some(2 * SECOND));
    caller.call(SECOND, call(Operation::Status, id, busy));
    caller.now = SECOND;
    caller.call(Duration::from_millis(50), call(Operation::Status, id, says("IN_QUEUE")));
    assert_eq!(caller.kinds(), []);
}

#[test]
fn a_key_without_a_call_left_does_not_call() {
    let (mut caller, id) = (Caller::new(), Some(RequestId::generate()));
    let limited = || SeenResponse { remaining: Some(0), ..refused(ErrorCode::RateLimitExceeded, None) };
    caller.call(SECOND, call(Operation::Status, id, limited()));
    assert_eq!(caller.kinds(), [], "it could not know");
    caller.call(Duration::ZERO, call(Operation::Account, None, limited()));
    assert_eq!(caller.kinds(), [FindingKind::BudgetIgnored]);
}

#[test]
fn a_receiver_refuses_what_is_wrong_and_is_quick() {
    let (mut observer, id) = (Observer::default(), RequestId::generate());
    let mut deliver = |signature, status, seconds: u64| {
        let took = Duration::from_secs(seconds);
        observer.delivered(&ObservedDelivery { request: id, signature, status, took });
        observer.findings().iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    assert_eq!(deliver(ObservedSignature::Forged, Some(401), 1), []);
    assert_eq!(deliver(ObservedSignature::Stale, Some(400), 1), []);
    assert_eq!(deliver(ObservedSignature::Forged, None, 1), []);
    assert_eq!(deliver(ObservedSignature::Good, Some(200), 10), []);
    assert_eq!(deliver(ObservedSignature::Forged, Some(200), 1), [FindingKind::ForgedAccepted]);
    deliver(ObservedSignature::Stale, Some(202), 1);
    assert_eq!(
        deliver(ObservedSignature::Good, None, 11),
        [FindingKind::ForgedAccepted, FindingKind::StaleAccepted, FindingKind::ReceiverSlow]
    );
}

#[test]
fn a_secret_in_an_address_is_found_on_any_path() {
    let mut caller = Caller::new();
    let nowhere = JournalCall {
        operation: None,
        secret_in: Some("its query"),
        ..call(Operation::Status, None, says(""))
    };
    caller.call(SECOND, nowhere);
    assert_eq!(caller.kinds(), [FindingKind::SecretInUrl]);
}
