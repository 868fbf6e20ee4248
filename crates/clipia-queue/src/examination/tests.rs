use super::*;
use crate::Moment;
use crate::leases::AttemptEnd;
use crate::ledger::Entries;
use crate::lifecycle::{Epoch, Phase};
use crate::logs;
use crate::position::{Lane, Ticket};

const ID: RequestId = RequestId(uuid::Uuid::from_u128(7));
const NOW: Moment = Moment::from_micros(1_000);

const fn entries(available: i64, held: i64, issuance: i64, revenue: i64) -> Entries {
    Entries { available, held, issuance, revenue }
}

const fn movement(kind: &'static str, held: i64, revenue: i64) -> Option<RequestMovement<'static>> {
    Some(RequestMovement { account: "a", kind, held, revenue })
}

const QUEUED: Request<'static> = Request {
    id: ID,
    account: "a",
    sandbox: false,
    phase: Phase::Queued,
    epoch: Epoch(0),
    rescues: 0,
    queue: "q",
    ticket: Ticket(3),
    cost: 12,
    charged: None,
    reserve: movement("reserve", 12, 0),
    settlement: None,
    places: [false, true],
    lease: false,
    attempts: Some(Attempts { ended: 0, lost: 0, latest: None }),
    completed_at: false,
    output: false,
    error: false,
    webhook: true,
    delivery: false,
};

const RUNNING: Request<'static> =
    Request { phase: Phase::Running, epoch: Epoch(1), places: [false; 2], lease: true, ..QUEUED };

const ENDED: Request<'static> = Request {
    phase: Phase::Completed,
    lease: false,
    charged: Some(12),
    settlement: movement("capture", -12, 12),
    attempts: Some(Attempts { ended: 1, lost: 0, latest: Some(AttemptEnd::Completed) }),
    completed_at: true,
    output: true,
    delivery: true,
    ..RUNNING
};

const FAILED: Request<'static> = Request {
    phase: Phase::Failed,
    charged: Some(0),
    settlement: movement("release", -12, 0),
    attempts: Some(Attempts { ended: 1, lost: 0, latest: Some(AttemptEnd::Failed) }),
    output: false,
    error: true,
    ..ENDED
};

const SAMPLE: Request<'static> = Request {
    sandbox: true,
    epoch: Epoch(0),
    reserve: None,
    settlement: None,
    attempts: Some(Attempts { ended: 0, lost: 0, latest: None }),
    ..ENDED
};

fn breach(look: impl FnOnce(&mut Examination)) -> Option<Rule> {
    let mut examination = Examination::default();
    look(&mut examination);
    examination.breach().map(|breach| breach.rule)
}

#[test]
fn what_a_request_must_be() {
    let attempts = |ended, lost, latest| Some(Attempts { ended, lost, latest });
    let lost = Some(AttemptEnd::Lost);
    let given_up = Request { epoch: Epoch(5), rescues: 4, attempts: attempts(5, 5, lost), ..FAILED };
    for sound in [QUEUED, RUNNING, ENDED, FAILED, SAMPLE, given_up, Request { attempts: None, ..ENDED }] {
        assert_eq!(breach(|examination| examination.request(&sound)), None, "{sound:?}");
    }
    let of_another = Some(RequestMovement { account: "b", kind: "capture", held: -12, revenue: 12 });
    for (broken, rule) in [
        (Request { reserve: None, ..QUEUED }, Rule::SettledOnce),
        (Request { settlement: None, ..ENDED }, Rule::SettledOnce),
        (Request { settlement: ENDED.settlement, ..RUNNING }, Rule::SettledOnce),
        (Request { settlement: of_another, ..ENDED }, Rule::MovementsOfOwnAccount),
        (Request { cost: 13, ..QUEUED }, Rule::ReserveIsPrice),
        (Request { charged: Some(11), ..ENDED }, Rule::ChargeIsEarned),
        (Request { charged: None, ..ENDED }, Rule::ChargeIsEarned),
        (Request { settlement: movement("capture", -11, 12), ..ENDED }, Rule::ChargeIsEarned),
        (Request { settlement: ENDED.settlement, charged: Some(12), ..FAILED }, Rule::ChargeIsEarned),
        (Request { reserve: QUEUED.reserve, ..SAMPLE }, Rule::SandboxMovesNothing),
        (Request { places: [true, false], ..QUEUED }, Rule::QueuedHasPlace),
        (Request { epoch: Epoch(1), attempts: attempts(1, 0, None), ..QUEUED }, Rule::QueuedHasPlace),
        (Request { lease: false, ..RUNNING }, Rule::RunningHasLease),
        (Request { lease: true, ..ENDED }, Rule::RunningHasLease),
        (Request { attempts: attempts(0, 0, None), ..ENDED }, Rule::ClaimsEnded),
        (Request { attempts: attempts(1, 0, None), ..RUNNING }, Rule::ClaimsEnded),
        (Request { rescues: 1, ..RUNNING }, Rule::LostIsRescued),
        (Request { rescues: 5, ..given_up }, Rule::LostIsRescued),
        (Request { completed_at: true, ..RUNNING }, Rule::EndIsWhole),
        (Request { output: false, ..ENDED }, Rule::EndIsWhole),
        (Request { error: false, ..FAILED }, Rule::EndIsWhole),
        (Request { delivery: false, ..ENDED }, Rule::EndIsDelivered),
        (Request { delivery: true, ..RUNNING }, Rule::EndIsDelivered),
        (Request { webhook: false, ..ENDED }, Rule::EndIsDelivered),
    ] {
        assert_eq!(breach(|examination| examination.request(&broken)), Some(rule), "{broken:?}");
    }
}

#[test]
fn what_accounts_and_keys_must_be() {
    let group = Group { account: "a", key: "k", sandbox: false, phase: Phase::Queued, requests: 2, cost: 24 };
    let sandbox = Group { sandbox: true, phase: Phase::Completed, requests: 3, ..group };
    let ended = Group { phase: Phase::Completed, ..group };
    let account = Account {
        id: "a",
        available: 64,
        held: 24,
        entered: entries(64, 24, -100, 12),
        used: 12,
        sandbox_kept: 3,
    };
    let key = Key { id: "k", account: "a", in_flight: 2, budget: None };
    let look = |account: Account<'_>, key: Key<'_>| {
        breach(|examination| {
            [group, sandbox, ended].iter().for_each(|group| examination.requests(group));
            examination.account(&account);
            examination.key(&key);
        })
    };
    assert_eq!(look(account, key), None);
    for (broken, rule) in [
        (Account { available: 65, ..account }, Rule::BalanceIsSumOfEntries),
        (Account { held: 25, ..account }, Rule::BalanceIsSumOfEntries),
        (Account { held: 25, entered: entries(64, 25, -101, 12), ..account }, Rule::HeldIsReserved),
        (Account { used: 13, ..account }, Rule::UsageIsEarned),
        (Account { sandbox_kept: 2, ..account }, Rule::SandboxIsCounted),
    ] {
        assert_eq!(look(broken, key), Some(rule), "{broken:?}");
    }
    assert_eq!(look(account, Key { in_flight: 3, ..key }), Some(Rule::InFlightIsCounted));
    let budget = |spent| Key { budget: Some(Budget { credits: 40, spent, stored: 24 }), ..key };
    for (spent, rule) in
        [(23, Some(Rule::BudgetIsKept)), (24, None), (36, None), (40, None), (41, Some(Rule::BudgetIsKept))]
    {
        assert_eq!(look(account, budget(spent)), rule, "{spent}");
    }
}

#[test]
fn what_movements_places_and_records_must_be() {
    let sums = |entries| {
        let of = Movement { account: "a", request: None, kind: "grant", entries };
        breach(|examination| examination.movement(&of))
    };
    assert_eq!(sums(entries(100, 0, -100, 0)), None);
    assert_eq!(sums(entries(100, 1, -100, 0)), Some(Rule::MovementSumsToZero));
    assert_eq!(sums(entries(i64::MAX, 1, 0, 0)), Some(Rule::MovementSumsToZero));

    let placed =
        Placed { account: "a", phase: Phase::Queued, epoch: Epoch(0), queue: "q", ticket: Ticket(3) };
    let place = Place {
        queue: "q",
        tail: Some(Ticket(3)),
        lane: Lane::New,
        ticket: Ticket(3),
        id: ID,
        request: Some(placed),
    };
    let look = |place: Place<'_>| breach(|examination| examination.place(&place));
    assert_eq!(look(place), None);
    let of = |placed| Place { request: Some(placed), ..place };
    for broken in [
        Place { tail: Some(Ticket(2)), ..place },
        Place { tail: None, ..place },
        Place { lane: Lane::Requeued, ..place },
        Place { request: None, ..place },
        of(Placed { phase: Phase::Canceled, ..placed }),
        of(Placed { epoch: Epoch(1), ..placed }),
        of(Placed { queue: "other", ..placed }),
        of(Placed { ticket: Ticket(2), ..placed }),
    ] {
        assert_eq!(look(broken), Some(Rule::PlaceHasQueued), "{broken:?}");
    }

    let waits = AccountInQueue { queue: "q", account: "a", turn: Some(Turn(7)), waits: true };
    let turns = |accounts: &[AccountInQueue<'_>]| {
        breach(|examination| accounts.iter().for_each(|of| examination.account_in_queue(of)))
    };
    let others = [
        AccountInQueue { queue: "other", ..waits },
        AccountInQueue { account: "b", turn: Some(Turn(8)), ..waits },
    ];
    assert_eq!(turns(&[waits, others[0], others[1]]), None);
    for broken in [
        AccountInQueue { turn: None, ..waits },
        AccountInQueue { waits: false, ..waits },
        AccountInQueue { turn: Some(Turn(8)), ..waits },
    ] {
        assert_eq!(turns(&[others[0], others[1], broken]), Some(Rule::WaitingHasTurn), "{broken:?}");
    }

    let record = IdempotencyRecord {
        account: "a",
        sandbox: false,
        expires_at: Moment::from_micros(1_001),
        id: ID,
        request: Some(("a", false)),
    };
    let missing = IdempotencyRecord { request: None, ..record };
    for (record, broken) in [
        (record, false),
        (missing, true),
        (IdempotencyRecord { request: Some(("b", false)), ..record }, true),
        (IdempotencyRecord { request: Some(("a", true)), ..record }, true),
        (IdempotencyRecord { sandbox: true, ..missing }, false),
        (IdempotencyRecord { expires_at: NOW, ..missing }, false),
    ] {
        let rule = breach(|examination| examination.idempotency_record(&record, NOW));
        assert_eq!(rule, broken.then_some(Rule::KeyFindsRequest), "{record:?}");
    }
}

#[test]
fn what_a_log_must_be() {
    let log = Log {
        id: ID,
        account: "a",
        epoch: Epoch(2),
        latest: Epoch(3),
        logged: Epoch(2),
        attempts_gone: false,
        lines: logs::LINES_MAX as u64,
        bytes: logs::BYTES_MAX as u64,
    };
    let look = |log: Log<'_>| breach(|examination| examination.log(&log));
    assert_eq!(look(log), None);
    for broken in [
        Log { epoch: Epoch(0), ..log },
        Log { logged: Epoch(1), ..log },
        Log { logged: Epoch(4), ..log },
        Log { logged: Epoch(12), latest: Epoch(12), ..log },
        Log { attempts_gone: true, ..log },
        Log { lines: log.lines + 1, ..log },
        Log { bytes: log.bytes + 1, ..log },
    ] {
        assert_eq!(look(broken), Some(Rule::LogIsOfAttempt), "{broken:?}");
    }
}

#[test]
fn what_a_worker_must_be() {
    let of = WorkerAttempts { worker: "box", in_force: Some(true), leases: 2, attempts: 3, id: ID };
    let look = |of: WorkerAttempts<'_>| breach(|examination| examination.worker_attempts(&of));
    for sound in [of, WorkerAttempts { in_force: Some(false), leases: 0, ..of }] {
        assert_eq!(look(sound), None, "{sound:?}");
    }
    for broken in [
        WorkerAttempts { in_force: Some(false), ..of },
        WorkerAttempts { in_force: None, ..of },
        WorkerAttempts { in_force: None, leases: 0, ..of },
    ] {
        assert_eq!(look(broken), Some(Rule::WorkerIsKnown), "{broken:?}");
    }
}

#[test]
fn what_the_uploads_of_an_input_must_be() {
    let of = InputUploads { id: ID, account: "a", phase: Phase::Running, named: 2, kept: 2 };
    let look = |of: InputUploads<'_>| breach(|examination| examination.input_uploads(&of));
    for sound in [of, InputUploads { phase: Phase::Completed, kept: 0, ..of }] {
        assert_eq!(look(sound), None, "{sound:?}");
    }
    for phase in [Phase::Queued, Phase::Running] {
        assert_eq!(look(InputUploads { phase, kept: 1, ..of }), Some(Rule::InputHasUploads), "{phase:?}");
    }
}

#[test]
fn the_first_rule_that_is_broken_is_found_in_any_order_of_facts() {
    assert!(Rule::ALL.is_sorted());
    let mut examination = Examination::default();
    examination.request(&Request { delivery: false, ..ENDED });
    examination.request(&Request { lease: false, ..RUNNING });
    examination.request(&Request { lease: false, id: RequestId(uuid::Uuid::nil()), ..RUNNING });
    let breach = examination.breach().unwrap();
    assert_eq!((breach.rule, breach.request), (Rule::RunningHasLease, Some(ID)));
    assert_eq!(breach.found, "running, no lease");
}
