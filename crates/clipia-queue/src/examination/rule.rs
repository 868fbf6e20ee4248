//! The rules, in the order in which they are looked at.

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
    /// What a key has spent of its budget is counted.
    BudgetIsKept,
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
    /// The worker of a lease or an attempt is known.
    WorkerIsKnown,
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
    /// A request that has not ended has its uploads.
    InputHasUploads,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Self; 24] = [
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
        Self::BudgetIsKept,
        Self::QueuedHasPlace,
        Self::PlaceHasQueued,
        Self::RunningHasLease,
        Self::ClaimsEnded,
        Self::LostIsRescued,
        Self::WorkerIsKnown,
        Self::LogIsOfAttempt,
        Self::EndIsWhole,
        Self::EndIsDelivered,
        Self::KeyFindsRequest,
        Self::SandboxIsCounted,
        Self::WaitingHasTurn,
        Self::InputHasUploads,
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
            Self::BudgetIsKept => {
                "a key has spent no more than its budget, and no less than what is reserved or charged for its live requests of \
                 the period"
            }
            Self::QueuedHasPlace => {
                "a queued request has its place in the queue, by its ticket and in its lane"
            }
            Self::PlaceHasQueued => {
                "a place in a queue is that of a queued request, one place for each, with a ticket that was drawn"
            }
            Self::RunningHasLease => "a request has a lease while it runs, and only then",
            Self::ClaimsEnded => "each claim of a request ended once, but for the one that runs",
            Self::LostIsRescued => "a request was rescued as often as its lease was lost",
            Self::WorkerIsKnown => {
                "the worker that has a lease is in force, and the worker of an attempt is known"
            }
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
            Self::InputHasUploads => "a request that has not ended has the uploads that its input names",
        }
    }
}
