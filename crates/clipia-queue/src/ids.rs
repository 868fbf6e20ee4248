//! Ids that rise with time, so that what is listed by id is listed by age.

use crate::{Moment, RequestId};
use std::sync::Mutex;
use std::time::Duration;
use uuid::{ContextV7, Timestamp, Uuid};

/// Keeps the order of ids that are made in one millisecond.
static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new id: a UUID of version 7 at `now` by the steady clock, so that none sorts before an older one because the
/// system's clock was set.
pub fn new(now: Moment) -> Uuid {
    new_of(&CONTEXT, now)
}

fn new_of(context: &Mutex<ContextV7>, now: Moment) -> Uuid {
    let micros = u64::try_from(now.as_micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(context, micros / 1_000_000, nanos))
}

/// When `id` was made by the steady clock, less a part of a millisecond; none where it is not of version 7.
pub fn made(id: Uuid) -> Option<Moment> {
    RequestId(id).made_at()
}

/// The last id that can have been made by the steady clock before this moment, in milliseconds.
pub fn last_before(at: Moment) -> Uuid {
    let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or(0).saturating_sub(1);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0xff; 10]).into_uuid()
}

/// The first moment that is later than that at which `id` was made; none where it is not of version 7.
pub fn after(id: Uuid) -> Option<Moment> {
    made(id).map(|made| made + Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_with_the_clock_and_where_it_stands() {
        let (context, start) = (Mutex::new(ContextV7::new()), Moment::from_micros(1_700_000_000_000_000));
        let ids = [0, 0, 5, 5_000].map(|millis| new_of(&context, start + Duration::from_millis(millis)));
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(after(ids[3]), Some(start + Duration::from_millis(5_001)));
        assert_eq!(after(Uuid::from_u128(7)), None);
    }
}
