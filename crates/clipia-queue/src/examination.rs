//! What must hold of everything that is stored: the books, the lifecycle, the queues.
//!
//! A store gathers the facts, one kind after the other, and hands them to an [`Examination`]. That keeps the first of the
//! [rules](Rule) that is broken. The rules before it hold, and a rule may rely on those before it.

use crate::idempotency::is_kept;
use crate::leases::AttemptEnd;
use crate::ledger::Entries;
use crate::lifecycle::{Epoch, Phase};
use crate::logs::{self, LogFigures};
use crate::position::{Lane, Ticket, Turn};
use crate::{AccountId, Moment, RequestId};
use std::collections::{HashMap, HashSet};

/// What must hold, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A movement neither makes nor loses credits.
    MovementSumsToZero,
    /// An account's books are the sum of its movements.
    BalanceIsSumOfEntries,
    /// Credits are held for requests that have not ended, and for nothing else.
    HeldIsReserved,
    /// A live request is reserved for once and settled once.
    SettledOnce,
    /// The movements of a request are of its account.
    MovementsOfOwnAccount,
    /// The reserve is the price.
    ReserveIsPrice,
    /// The charge is what was earned.
    ChargeIsEarned,
    /// The sandbox moves no credits.
    SandboxMovesNothing,
    /// Usage is what was earned.
    UsageIsEarned,
    /// The count of a key's requests in flight is right.
    InFlightIsCounted,
    /// A queued request has a place.
    QueuedHasPlace,
    /// A place has a queued request.
    PlaceHasQueued,
    /// A running request has a lease.
    RunningHasLease,
    /// Each claim ended once.
    ClaimsEnded,
    /// Each lost lease was a rescue.
    LostIsRescued,
    /// Log lines are of an attempt that is kept.
    LogIsOfAttempt,
    /// What belongs to an end is there at the end.
    EndIsWhole,
    /// A request that has ended has the delivery that it wants.
    EndIsDelivered,
    /// An idempotency key finds its request.
    KeyFindsRequest,
    /// The count of the sandbox's requests is right.
    SandboxIsCounted,
    /// The accounts that wait in a queue have their turns.
    WaitingHasTurn,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Self; 21] = [
        Self::MovementSumsToZero,
        Self::BalanceIsSumOfEntries,
        Self::HeldIsReserved,
        Self::SettledOnce,
        Self::MovementsOfOwnAccount,
        Self::ReserveIsPrice,
        Self::ChargeIsEarned,
        Self::SandboxMovesNothing,
        Self::UsageIsEarned,
        Self::InFlightIsCounted,
        Self::QueuedHasPlace,
        Self::PlaceHasQueued,
        Self::RunningHasLease,
        Self::ClaimsEnded,
        Self::LostIsRescued,
        Self::LogIsOfAttempt,
        Self::EndIsWhole,
        Self::EndIsDelivered,
        Self::KeyFindsRequest,
        Self::SandboxIsCounted,
        Self::WaitingHasTurn,
    ];

    /// The rule as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::MovementSumsToZero => "the entries of every movement sum to zero",
            Self::BalanceIsSumOfEntries => "an account has what its entries sum to",
            Self::HeldIsReserved => {
                "an account's held credits are the reserves of its live requests that have not ended"
            }
            Self::SettledOnce => "a live request is reserved for once, and settled once if it has ended",
            Self::MovementsOfOwnAccount => "a live request's movements are of its own account",
            Self::ReserveIsPrice => "what is reserved for a live request is its price",
            Self::ChargeIsEarned => {
                "what is charged for a live request is what was earned by it, nothing unless it completed, and the rest \
                 of its reserve was returned"
            }
            Self::SandboxMovesNothing => "a request of the sandbox moves no credits",
            Self::UsageIsEarned => "an account's usage is what was earned by it",
            Self::InFlightIsCounted => "a key has in flight what is counted for it",
            Self::QueuedHasPlace => {
                "a queued request has its place in the queue, by its ticket and in its lane"
            }
            Self::PlaceHasQueued => {
                "a place in a queue is that of a queued request, one place for each, with a ticket that was drawn"
            }
            Self::RunningHasLease => "a request has a lease while it runs, and only then",
            Self::ClaimsEnded => "each claim of a request ended once, but for the one that runs",
            Self::LostIsRescued => "a request was rescued as often as its lease was lost",
            Self::LogIsOfAttempt => {
                "log lines are of an attempt that is kept, no more than may be, and their request names the latest"
            }
            Self::EndIsWhole => {
                "a request has an end, and what belongs to it, if it has ended, and only then"
            }
            Self::EndIsDelivered => "a request that wants a delivery has one if it has ended, and only then",
            Self::KeyFindsRequest => "an idempotency key names a request of its account",
            Self::SandboxIsCounted => "an account's requests of the sandbox are counted",
            Self::WaitingHasTurn => {
                "an account has a turn in a queue while a new request of it waits there, and only then, and no two have \
                 the same"
            }
        }
    }
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// The account concerned.
    pub account: Option<AccountId>,
    /// The request concerned.
    pub request: Option<RequestId>,
    /// What there is, with figures.
    pub found: String,
}

/// A movement of credits.
#[derive(Clone, Copy, Debug)]
pub struct Movement<'a> {
    /// Whose.
    pub account: &'a str,
    /// For which request, if it is for one.
    pub request: Option<RequestId>,
    /// Its kind.
    pub kind: &'a str,
    /// What it enters.
    pub entries: Entries,
}

/// The requests of one key in one phase.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// Whose.
    pub account: &'a str,
    /// The public name of the key.
    pub key: &'a str,
    /// Whether they are of the sandbox.
    pub sandbox: bool,
    /// Their phase.
    pub phase: Phase,
    /// How many.
    pub requests: i64,
    /// The sum of their prices.
    pub cost: i64,
}

/// An account.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// Its name.
    pub id: &'a str,
    /// What it can spend.
    pub available: i64,
    /// What is set aside.
    pub held: i64,
    /// What its movements sum to.
    pub entered: Entries,
    /// The credits that are counted as used.
    pub used: i64,
    /// The requests of its sandbox that are counted.
    pub sandbox_kept: i64,
}

/// An API key.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Its public name.
    pub id: &'a str,
    /// Whose.
    pub account: &'a str,
    /// The live requests in flight that are counted.
    pub in_flight: i64,
}

/// A movement for a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestMovement<'a> {
    /// Whose.
    pub account: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// What it enters in the account's held credits.
    pub held: i64,
    /// What it enters in the house's revenue.
    pub revenue: i64,
}

/// The attempts at a request that are stored, up to its latest claim.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempts {
    /// How many have ended.
    pub ended: i64,
    /// How many of these were lost.
    pub lost: i64,
    /// How the latest claim ended, if it has.
    pub latest: Option<AttemptEnd>,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its id.
    pub id: RequestId,
    /// Whose.
    pub account: &'a str,
    /// Whether it is of the sandbox.
    pub sandbox: bool,
    /// Its phase.
    pub phase: Phase,
    /// Its latest claim.
    pub epoch: Epoch,
    /// How often its lease was lost and it was queued again.
    pub rescues: i64,
    /// The queue that it waits in.
    pub queue: &'a str,
    /// Its ticket there.
    pub ticket: Ticket,
    /// Its price.
    pub cost: i64,
    /// What was charged.
    pub charged: Option<i64>,
    /// Its reserve.
    pub reserve: Option<RequestMovement<'a>>,
    /// Its settlement.
    pub settlement: Option<RequestMovement<'a>>,
    /// Whether it has the place with its ticket in its queue: in the lane of requeued requests, in the lane of new ones.
    pub places: [bool; 2],
    /// Whether it has a lease.
    pub lease: bool,
    /// The attempts at it; nothing once they were let go.
    pub attempts: Option<Attempts>,
    /// Whether it has an end.
    pub completed_at: bool,
    /// Whether it has an output.
    pub output: bool,
    /// Whether it has an error.
    pub error: bool,
    /// Whether a delivery is wanted.
    pub webhook: bool,
    /// Whether it has a delivery.
    pub delivery: bool,
}

/// The log lines that are kept of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// The request.
    pub id: RequestId,
    /// Whose.
    pub account: &'a str,
    /// The attempt.
    pub epoch: Epoch,
    /// The request's latest claim.
    pub latest: Epoch,
    /// The latest attempt that logged lines, by the request.
    pub logged: Epoch,
    /// Whether the attempts at the request were let go.
    pub attempts_gone: bool,
    /// How many lines.
    pub lines: u64,
    /// How many bytes, with one for the end of each line.
    pub bytes: u64,
}

/// A place in a queue that is taken.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The latest ticket of that queue, if there is such a queue.
    pub tail: Option<Ticket>,
    /// The lane.
    pub lane: Lane,
    /// The ticket.
    pub ticket: Ticket,
    /// Whose place it is.
    pub id: RequestId,
    /// That request, if there is such a request.
    pub request: Option<Placed<'a>>,
}

/// A request that has a place in a queue.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Whose.
    pub account: &'a str,
    /// Its phase.
    pub phase: Phase,
    /// Its latest claim.
    pub epoch: Epoch,
    /// The queue that it waits in.
    pub queue: &'a str,
    /// Its ticket there.
    pub ticket: Ticket,
}

/// An account in a queue.
#[derive(Clone, Copy, Debug)]
pub struct AccountInQueue<'a> {
    /// The queue.
    pub queue: &'a str,
    /// The account.
    pub account: &'a str,
    /// Its turn, if it has one.
    pub turn: Option<Turn>,
    /// Whether a request of it waits there that no worker had.
    pub waits: bool,
}

/// The record of an idempotency key.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyRecord<'a> {
    /// Whose.
    pub account: &'a str,
    /// Whether it is of the sandbox, where a record may outlive its request.
    pub sandbox: bool,
    /// Until when it is in force, by the steady clock.
    pub expires_at: Moment,
    /// The request that it names.
    pub id: RequestId,
    /// The account of that request and whether it is of the sandbox, if there is such a request.
    pub request: Option<(&'a str, bool)>,
}

/// Looks at facts, and keeps the first rule that is broken. The groups of requests come before the accounts and the keys;
/// otherwise any order will do.
#[derive(Debug, Default)]
pub struct Examination {
    breach: Option<Breach>,
    /// The reserves of an account's live requests that have not ended.
    reserved: HashMap<String, i64>,
    /// The requests of an account's sandbox.
    sandbox: HashMap<String, i64>,
    /// A key's live requests that have not ended.
    in_flight: HashMap<String, i64>,
    /// The turns of queues.
    turns: HashSet<(String, Turn)>,
}

impl Examination {
    /// Keeps a breach of `rule` unless it holds, or a rule before it is broken.
    fn hold(
        &mut self,
        rule: Rule,
        holds: bool,
        account: Option<&str>,
        request: Option<RequestId>,
        found: impl FnOnce() -> String,
    ) {
        if holds || self.breach.as_ref().is_some_and(|breach| breach.rule <= rule) {
            return;
        }
        let account = account.map(|account| AccountId(account.to_owned()));
        self.breach = Some(Breach { rule, account, request, found: found() });
    }

    /// Looks at a movement.
    pub fn movement(&mut self, of: &Movement<'_>) {
        let sum = of.entries.checked_sum();
        self.hold(Rule::MovementSumsToZero, sum == Some(0), Some(of.account), of.request, || {
            let sum = sum.map_or_else(|| "more than fits".to_owned(), |sum| sum.to_string());
            format!("a {} sums to {sum}", of.kind)
        });
    }

    /// Counts requests.
    pub fn requests(&mut self, of: &Group<'_>) {
        let add = |counts: &mut HashMap<String, i64>, of: &str, count: i64| {
            let counted = counts.entry(of.to_owned()).or_default();
            *counted = counted.saturating_add(count);
        };
        match (of.sandbox, of.phase.is_terminal()) {
            (true, _) => add(&mut self.sandbox, of.account, of.requests),
            (false, false) => {
                add(&mut self.reserved, of.account, of.cost);
                add(&mut self.in_flight, of.key, of.requests);
            }
            (false, true) => {}
        }
    }

    /// Looks at an account.
    pub fn account(&mut self, of: &Account<'_>) {
        let count = |counts: &HashMap<String, i64>| counts.get(of.id).copied().unwrap_or(0);
        let (reserved, sandbox) = (count(&self.reserved), count(&self.sandbox));
        let Account { id, available, held, entered, used, sandbox_kept } = *of;
        self.hold(
            Rule::BalanceIsSumOfEntries,
            (available, held) == (entered.available, entered.held),
            Some(id),
            None,
            || {
                let Entries { available: entered, held: reserved, .. } = entered;
                format!("available {available} and held {held}, by the entries {entered} and {reserved}")
            },
        );
        self.hold(Rule::HeldIsReserved, held == reserved, Some(id), None, || {
            format!("held {held}, reserved {reserved}")
        });
        self.hold(Rule::UsageIsEarned, used == entered.revenue, Some(id), None, || {
            format!("usage {used}, earned {}", entered.revenue)
        });
        self.hold(Rule::SandboxIsCounted, sandbox_kept == sandbox, Some(id), None, || {
            format!("{sandbox_kept} are counted, {sandbox} are kept")
        });
    }

    /// Looks at a key.
    pub fn key(&mut self, of: &Key<'_>) {
        let in_flight = self.in_flight.get(of.id).copied().unwrap_or(0);
        self.hold(Rule::InFlightIsCounted, of.in_flight == in_flight, Some(of.account), None, || {
            format!("key {}: counted {}, in flight {in_flight}", of.id, of.in_flight)
        });
    }

    /// Looks at a request.
    pub fn request(&mut self, of: &Request<'_>) {
        match of.sandbox {
            true => self.moves_nothing(of),
            false => self.settled(of),
        }
        self.waits_or_runs(of);
        self.has_ended(of);
    }

    fn moves_nothing(&mut self, of: &Request<'_>) {
        let movement = of.reserve.or(of.settlement);
        self.hold(Rule::SandboxMovesNothing, movement.is_none(), Some(of.account), Some(of.id), || {
            format!("a {}", movement.map_or("movement", |movement| movement.kind))
        });
    }

    fn settled(&mut self, of: &Request<'_>) {
        let (account, id) = (Some(of.account), Some(of.id));
        let (phase, has_ended, cost) = (of.phase.name(), of.phase.is_terminal(), of.cost);
        let (reserve, settlement) = (of.reserve, of.settlement);
        let settled_once = reserve.is_some() && settlement.is_some() == has_ended;
        self.hold(Rule::SettledOnce, settled_once, account, id, || {
            let (reserves, settlements) = (u8::from(reserve.is_some()), u8::from(settlement.is_some()));
            format!("{phase}, {reserves} reserves, {settlements} settlements")
        });
        for movement in [reserve, settlement].into_iter().flatten() {
            self.hold(Rule::MovementsOfOwnAccount, movement.account == of.account, account, id, || {
                format!("a {} is of account `{}`", movement.kind, movement.account)
            });
        }
        let reserved = reserve.map_or(0, |reserve| reserve.held);
        self.hold(Rule::ReserveIsPrice, reserved == cost, account, id, || {
            format!("reserved {reserved}, price {cost}")
        });
        if !has_ended {
            return;
        }
        let earned = settlement.map_or(0, |settlement| settlement.revenue);
        let taken = settlement.map_or(0, |settlement| settlement.held.saturating_neg());
        let is_earned = of.charged == Some(earned)
            && taken == cost
            && (0..=cost).contains(&earned)
            && (of.phase == Phase::Completed || earned == 0);
        self.hold(Rule::ChargeIsEarned, is_earned, account, id, || {
            let charged = of.charged.unwrap_or(0);
            format!(
                "{phase}, price {cost}, charged {charged}, earned {earned}, taken from the reserve {taken}"
            )
        });
    }

    fn waits_or_runs(&mut self, of: &Request<'_>) {
        let (account, id, phase) = (Some(of.account), Some(of.id), of.phase.name());
        let has_place = match Lane::after(of.epoch) {
            Lane::Requeued => of.places[0],
            Lane::New => of.places[1],
        };
        let is_queued = of.phase == Phase::Queued;
        self.hold(Rule::QueuedHasPlace, !is_queued || has_place, account, id, || {
            format!("queued with ticket {} of queue `{}`, not found there", of.ticket.0, of.queue)
        });
        let runs = of.phase == Phase::Running;
        self.hold(Rule::RunningHasLease, of.lease == runs, account, id, || {
            format!("{phase}, {}", if of.lease { "a lease" } else { "no lease" })
        });
        let Some(Attempts { ended, lost, latest }) = of.attempts else { return };
        let claims = of.epoch.0;
        self.hold(Rule::ClaimsEnded, ended == claims - i64::from(runs), account, id, || {
            format!("{phase}, {claims} claims, {ended} ended")
        });
        // The last loss ends the request, and is no rescue.
        let given_up = of.phase == Phase::Failed && latest == Some(AttemptEnd::Lost);
        self.hold(Rule::LostIsRescued, of.rescues == lost - i64::from(given_up), account, id, || {
            format!("{phase}, rescued {} times, lost {lost} times", of.rescues)
        });
    }

    /// Looks at the log of an attempt.
    pub fn log(&mut self, of: &Log<'_>) {
        let is_of_attempt =
            of.epoch.0 > 0 && of.epoch <= of.logged && of.logged <= of.latest && !of.attempts_gone;
        let is_over = LogFigures { logged: 0, lines: of.lines, bytes: of.bytes }.is_over();
        let oldest = of.logged.0 - logs::ATTEMPTS_MAX;
        let holds = is_of_attempt && !is_over && of.epoch.0 > oldest;
        self.hold(Rule::LogIsOfAttempt, holds, Some(of.account), Some(of.id), || {
            format!(
                "{} lines of {} bytes of attempt {}, latest logged {}, latest claim {}, attempts {}",
                of.lines,
                of.bytes,
                of.epoch.0,
                of.logged.0,
                of.latest.0,
                if of.attempts_gone { "let go" } else { "kept" },
            )
        });
    }

    fn has_ended(&mut self, of: &Request<'_>) {
        let (account, id, phase) = (Some(of.account), Some(of.id), of.phase.name());
        let has_ended = of.phase.is_terminal();
        let is_whole = of.completed_at == has_ended
            && of.charged.is_some() == has_ended
            && of.output == of.phase.has_output()
            && of.error == (of.phase == Phase::Failed);
        self.hold(Rule::EndIsWhole, is_whole, account, id, || {
            let set = |is_set| if is_set { "set" } else { "missing" };
            format!(
                "{phase}, completed_at {}, charged {}, {}, {}",
                set(of.completed_at),
                set(of.charged.is_some()),
                if of.output { "an output" } else { "no output" },
                if of.error { "an error" } else { "no error" },
            )
        });
        self.hold(Rule::EndIsDelivered, of.delivery == (of.webhook && has_ended), account, id, || {
            format!("{phase}, {}", if of.delivery { "a delivery" } else { "no delivery" })
        });
    }

    /// Looks at a place in a queue.
    pub fn place(&mut self, of: &Place<'_>) {
        let is_its_own = of.request.is_some_and(|request| {
            request.phase == Phase::Queued
                && request.queue == of.queue
                && request.ticket == of.ticket
                && Lane::after(request.epoch) == of.lane
        });
        let was_drawn = of.tail.is_some_and(|tail| of.ticket <= tail);
        let account = of.request.map(|request| request.account);
        self.hold(Rule::PlaceHasQueued, is_its_own && was_drawn, account, Some(of.id), || {
            format!(
                "{}, {:?}, ticket {} of queue `{}`, whose latest is {}",
                of.request.map_or("no such request", |request| request.phase.name()),
                of.lane,
                of.ticket.0,
                of.queue,
                of.tail.map_or_else(|| "none".to_owned(), |tail| tail.0.to_string()),
            )
        });
    }

    /// Looks at an account that waits in a queue, or has a turn there.
    pub fn account_in_queue(&mut self, of: &AccountInQueue<'_>) {
        let is_its_own = of.turn.is_none_or(|turn| self.turns.insert((of.queue.to_owned(), turn)));
        let holds = is_its_own && of.turn.is_some() == of.waits;
        self.hold(Rule::WaitingHasTurn, holds, Some(of.account), None, || {
            let turn = of.turn.map_or_else(|| "no turn".to_owned(), |turn| format!("turn {}", turn.0));
            let shared = if is_its_own { "" } else { ", as another account has" };
            let waits = if of.waits { "a new request waits" } else { "no new request waits" };
            format!("queue `{}`: {turn}{shared}, {waits}", of.queue)
        });
    }

    /// Looks at the record of an idempotency key at `now`, by the steady clock.
    pub fn idempotency_record(&mut self, of: &IdempotencyRecord<'_>, now: Moment) {
        let may_miss = of.sandbox || !is_kept(of.expires_at, now);
        let finds = of.request == Some((of.account, of.sandbox));
        self.hold(Rule::KeyFindsRequest, may_miss || finds, Some(of.account), Some(of.id), || {
            "no such request of that account".to_owned()
        });
    }

    /// The first rule that is broken, if one is.
    pub fn breach(self) -> Option<Breach> {
        self.breach
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let group =
            Group { account: "a", key: "k", sandbox: false, phase: Phase::Queued, requests: 2, cost: 24 };
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
        let key = Key { id: "k", account: "a", in_flight: 2 };
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
}
