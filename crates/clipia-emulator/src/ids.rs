//! The ids of requests in a run that is to be repeated.

use clipia_queue::{Moment, RequestId};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::{Mutex, PoisonError};

/// Ids that are the same in every run with the same seed. Each is later than the one before, as ids of requests are.
#[derive(Debug)]
pub(crate) struct SeededIds(Mutex<(StdRng, u64)>);

impl SeededIds {
    /// The ids of a seed, from `start` on.
    pub(crate) fn new(seed: u64, start: Moment) -> Self {
        let millis = u64::try_from(start.as_micros() / 1_000).unwrap_or(0);
        Self(Mutex::new((StdRng::seed_from_u64(seed), millis)))
    }

    /// The next id.
    pub(crate) fn next(&self) -> RequestId {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (random, millis) = &mut *state;
        let mut bytes = [0; 10];
        random.fill_bytes(&mut bytes);
        *millis += 1;
        RequestId(uuid::Builder::from_unix_timestamp_millis(*millis, &bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_its_ids_and_they_rise() {
        let start = Moment::from_micros(1_767_225_600_000_000);
        let ids = |seed| {
            let ids = SeededIds::new(seed, start);
            [(); 3].map(|()| ids.next().to_string())
        };
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
        assert!(ids(7).is_sorted());
    }
}
