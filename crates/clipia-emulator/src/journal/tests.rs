use super::*;
use clipia_queue::RequestId;
use serde_json::json;

fn key(text: &str) -> CallerKey {
    text.parse().unwrap()
}

fn call(operation: Operation, of: &str) -> JournalCall {
    let of = key(of);
    JournalCall {
        at: Moment::from_micros(1_000_000),
        began: Duration::ZERO,
        took: Duration::from_millis(7),
        operation: Some(operation),
        method: "GET".to_owned(),
        route: "/v1/account",
        key: Some(JournalKey { hash: of.hash(), hint: of.hint() }),
        model: None,
        request: None,
        idempotency_key: None,
        input: None,
        response: Some(SeenResponse { status: 200, ..SeenResponse::default() }),
        fault: None,
        script: None,
        secret_in: None,
    }
}

#[test]
fn calls_are_found_by_operation_key_and_number() {
    let mut journal = Journal::default();
    for (operation, key) in [
        (Operation::Submit, "clipia_live_a"),
        (Operation::Status, "clipia_live_a"),
        (Operation::Submit, "clipia_live_b"),
    ] {
        journal.note(call(operation, key));
    }
    let found = |filter| journal.calls(&filter).map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!(found(Filter::default()), [1, 2, 3]);
    assert_eq!(found(Filter { operation: Some(Operation::Submit), ..Filter::default() }), [1, 3]);
    assert_eq!(found(Filter { key: Some(key("clipia_live_a")), ..Filter::default() }), [1, 2]);
    assert_eq!(found(Filter { since: 2, ..Filter::default() }), [3]);
    journal.clear();
    assert_eq!(journal.note(call(Operation::Media, "clipia_live_a")), 1);
}

#[test]
fn the_latest_calls_are_kept_without_long_texts_and_keys() {
    let mut journal = Journal::with_capacity(3);
    for _ in 0..10 {
        journal.note(call(Operation::Status, "clipia_live_a_secret_of_somebody"));
    }
    let numbers: Vec<u64> = journal.calls(&Filter::default()).map(|(number, _)| number).collect();
    assert_eq!(numbers, [8, 9, 10]);
    assert!(!format!("{journal:?}").contains("of_somebody"));

    let input = json!({"prompt": "a fox", "image_url": format!("data:{}", "x".repeat(1_000_000))});
    journal
        .note(JournalCall { input: input.as_object().cloned(), ..call(Operation::Submit, "clipia_live_a") });
    let many: Vec<u64> = (0..20_000).collect();
    let input = json!({ "many": many });
    journal
        .note(JournalCall { input: input.as_object().cloned(), ..call(Operation::Submit, "clipia_live_a") });
    let listed = journal.list(&Filter { since: 10, ..Filter::default() }, Form::Whole);
    let json = serde_json::to_string(&listed).unwrap();
    assert!(json.len() < 2_000 && json.contains("a fox") && json.contains("(1000005 bytes)"), "{json}");
}

#[test]
fn a_steady_listing_is_the_same_for_other_ids_and_times() {
    let run = |at, took| {
        let mut journal = Journal::default();
        let (one, other) = (RequestId::generate(), RequestId::generate());
        for (number, request) in [one, other, one].into_iter().enumerate() {
            let idempotency_key = Some(format!("{request}-{}", number % 2));
            journal.note(JournalCall {
                at: Moment::from_micros(at),
                took,
                request: Some(request),
                idempotency_key,
                ..call(Operation::Submit, "clipia_live_a")
            });
        }
        journal
    };
    let steady = |journal: &Journal, since| {
        let filter = Filter { since, ..Filter::default() };
        serde_json::to_string(&journal.list(&filter, Form::Steady)).unwrap()
    };
    let (one, other) = (run(0, Duration::ZERO), run(5, Duration::from_secs(1)));
    assert_eq!(steady(&one, 0), steady(&other, 0));
    assert_eq!(
        steady(&one, 2),
        r#"[{"number":3,"operation":"submit","method":"GET","route":"/v1/account","key":"clipia_live_…","request_id":"request-1","idempotency_key":"idempotency-key-1","response":200}]"#
    );
    let whole =
        serde_json::to_value(run(1_000_000, Duration::from_millis(7)).list(&Filter::default(), Form::Whole))
            .unwrap();
    assert_eq!((&whole[0]["at"], &whole[0]["ms"]), (&json!("1970-01-01T00:00:01Z"), &json!(7)));
}
