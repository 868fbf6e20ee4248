//! The refusals of commands as errors of a store.

use super::{StoreError, SubmitRefused, WorkRefused};
use clipia_queue::commands::{self, Contradiction, submit};

impl From<Contradiction> for StoreError {
    fn from(contradiction: Contradiction) -> Self {
        Self::Unreadable(contradiction.to_string())
    }
}

impl From<commands::Refused> for WorkRefused {
    fn from(refused: commands::Refused) -> Self {
        match refused {
            commands::Refused::Lifecycle(refused) => Self::Lifecycle(refused),
            commands::Refused::Overdue => Self::Overdue,
            commands::Refused::Ledger(refused) => Self::Ledger(refused),
            commands::Refused::Contradiction(contradiction) => Self::Store(contradiction.into()),
        }
    }
}

impl From<submit::Refused> for SubmitRefused {
    fn from(refused: submit::Refused) -> Self {
        match refused {
            submit::Refused::IdempotencyKeyReuse => Self::IdempotencyKeyReuse,
            submit::Refused::KeyRevoked => Self::KeyRevoked,
            submit::Refused::InFlight(most) => Self::InFlight(most),
            submit::Refused::Budget(over) => Self::Budget(over),
            submit::Refused::Credits(refused) => Self::Credits(refused),
            submit::Refused::Contradiction(contradiction) => Self::Store(contradiction.into()),
        }
    }
}
