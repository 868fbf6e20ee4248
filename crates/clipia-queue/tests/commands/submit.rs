use super::{at, life, now};
use clipia_api::types::Output;
use clipia_queue::commands::sandbox::Room;
use clipia_queue::commands::submit::{Account, Asked, Checked, New, Refused, Submit, check, keeps_input};
use clipia_queue::commands::{Contradiction, Now};
use clipia_queue::idempotency::{Fingerprint, KEPT, Record};
use clipia_queue::ledger::{Balance, Movement};
use clipia_queue::lifecycle::Phase;
use clipia_queue::limits::{CreditBudget, KeyLimits, KeyUse, Per, SANDBOX_KEPT, SpentCredits};
use clipia_queue::position::{Lane, Place, Ticket};
use clipia_queue::usage::Usage;
use clipia_queue::{Credits, RequestId, ids};

const FOX: Fingerprint = Fingerprint([1; 32]);
const CAT: Fingerprint = Fingerprint([2; 32]);

const ASKED: Asked = Asked { key_in_force: true, sandbox: false, fingerprint: None, recorded: None };

fn id() -> RequestId {
    RequestId(ids::new(at(0)))
}

fn submit(id: RequestId) -> Submit<'static> {
    Submit {
        id,
        model: "model",
        cost: Credits::new(12),
        limits: KeyLimits { in_flight_max: Some(3), ..KeyLimits::default() },
        webhook_url: None,
        base_url: "https://queue.example",
    }
}

fn new(fingerprint: Option<Fingerprint>) -> New {
    match check(Asked { fingerprint, ..ASKED }) {
        Ok(Checked::New(new)) => new,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeated_submit_is_found_and_another_under_its_key_refused() {
    let record = Some(Record { fingerprint: FOX, request_id: id() });
    let name = |checked: Result<Checked, Refused>| match checked {
        Ok(Checked::New(_)) => "new",
        Ok(Checked::Repeated(repeats)) => {
            assert_eq!(Some(repeats.id), record.map(|record| record.request_id));
            "repeated"
        }
        Err(Refused::IdempotencyKeyReuse) => "reuse",
        Err(Refused::KeyRevoked) => "revoked",
        Err(other) => panic!("{other}"),
    };
    for (key_in_force, fingerprint, recorded, expected) in [
        (true, None, None, "new"),
        (true, Some(FOX), None, "new"),
        (true, Some(FOX), record, "repeated"),
        (true, Some(CAT), record, "reuse"),
        (false, None, None, "revoked"),
        (false, Some(FOX), record, "revoked"),
    ] {
        let asked = Asked { key_in_force, fingerprint, recorded, ..ASKED };
        assert_eq!(name(check(asked)), expected, "{asked:?}");
    }
}

#[test]
fn the_sandbox_may_have_forgotten_what_is_repeated_and_a_live_queue_may_not() {
    let recorded = Some(Record { fingerprint: FOX, request_id: id() });
    let forgotten = |sandbox| match check(Asked { sandbox, fingerprint: Some(FOX), recorded, ..ASKED }) {
        Ok(Checked::Repeated(repeats)) => repeats.forgotten(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(forgotten(false), Err(Contradiction::NoRequest(_))));
    let sampled = forgotten(true).unwrap().sample(submit(id()), &Output::default(), 0, now(9));
    // The record stays as it is, and does not find the new request.
    assert_eq!((sampled.record, sampled.request.named), (None, false));
}

#[test]
fn a_live_submit_reserves_its_price_and_takes_the_next_place() {
    let balance = Balance { available: Credits::new(20), held: Credits::new(5) };
    let account = Account { balance, used: KeyUse { in_flight: 2, ..KeyUse::default() }, tail: Ticket(41) };
    for fingerprint in [None, Some(FOX)] {
        let id = id();
        let accepted = new(fingerprint).accept(submit(id), account, now(9)).unwrap();
        let request = accepted.request;
        assert_eq!((request.life, request.ticket), (life(Phase::Queued, 0, 0), Ticket(42)));
        assert_eq!(Some(accepted.place), Place::of(request.life, request.ticket));
        assert_eq!(accepted.place.lane, Lane::New);
        assert_eq!((request.created_at, request.completed_at, request.charged), (now(9).wall, None, None));
        assert_eq!(accepted.entry.movement, Movement::Reserve(Credits::new(12)));
        assert_eq!(accepted.entry.balance, Balance { available: Credits::new(8), held: Credits::new(17) });
        assert_eq!((accepted.used.in_flight, accepted.usage), (3, Usage::request(now(9).wall)));
        assert_eq!(request.named, fingerprint.is_some());
        let record = accepted.record.map(|new| (new.record, new.expires_at));
        let expected = |fingerprint| (Record { fingerprint, request_id: id }, at(9) + KEPT);
        assert_eq!(record, fingerprint.map(expected));
    }
    let refused = |account| new(None).accept(submit(id()), account, now(9)).unwrap_err();
    let busy = refused(Account { used: KeyUse { in_flight: 3, ..account.used }, ..account });
    assert!(matches!(busy, Refused::InFlight(3)), "{busy}");
    let poor = refused(Account { balance: Balance { available: Credits::new(11), ..balance }, ..account });
    assert!(matches!(poor, Refused::Credits(_)), "{poor}");
}

#[test]
fn a_submit_spends_of_its_keys_budget_and_is_refused_above_it() {
    let balance = Balance { available: Credits::new(1_000), held: Credits::ZERO };
    let limits = KeyLimits {
        credits: Some(CreditBudget { credits: Credits::new(30), per: Per::Day }),
        ..KeyLimits::default()
    };
    let accept = |used, at| {
        let account = Account { balance, used, tail: Ticket(0) };
        new(None).accept(Submit { limits, ..submit(id()) }, account, at)
    };
    let once = accept(KeyUse::default(), now(9)).unwrap().used;
    let spent = SpentCredits { period: Per::Day.period(now(9).wall), credits: Credits::new(12) };
    assert_eq!(once, KeyUse { in_flight: 1, spent });
    let twice = accept(once, now(9)).unwrap().used;
    match accept(twice, now(9)).unwrap_err() {
        Refused::Budget(over) => assert_eq!((over.spent, over.cost), (twice.spent, Credits::new(12))),
        other => panic!("{other}"),
    }
    let tomorrow = Now { wall: twice.spent.period.end(), ..now(9) };
    assert_eq!(accept(twice, tomorrow).unwrap().used.spent.credits, Credits::new(12));
}

#[test]
fn a_submit_of_the_sandbox_ends_at_once() {
    let wanting = Submit { webhook_url: Some("https://receiver.example/"), ..submit(id()) };
    for (kept, room) in [(0, Room::Free(1)), (SANDBOX_KEPT, Room::ForgetOldest)] {
        let sampled = new(Some(FOX)).sample(wanting, &Output::default(), kept, now(9));
        let request = sampled.request;
        assert_eq!((request.life.phase, request.charged), (Phase::Completed, Some(Credits::new(12))));
        assert_eq!((request.created_at, request.completed_at), (now(9).wall, Some(now(9).wall)));
        assert_eq!((sampled.room, request.named), (room, true));
        assert_eq!(sampled.delivery.unwrap().stored.next_at(), Some(at(9)));
    }
    assert_eq!([false, true].map(keeps_input), [true, false]);
}
