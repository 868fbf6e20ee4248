//! The clock of a store that one machine uses: this machine's; and its moments as the wire spells them.

use clipia_queue::Moment;
use std::time::{SystemTime, UNIX_EPOCH};

/// The present.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A moment as the wire spells it.
pub fn timestamp(at: Moment) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default()
}
