//! What receivers answer. `cargo xtask fuzz` runs these with a million cases each.

use clipia_queue::schedules::{DELIVERY_ATTEMPTS, delivery_pause};
use proptest::prelude::*;
use std::time::Duration;

proptest! {
    /// Whatever a receiver asks for, a delivery waits a bounded time, and not for ever.
    #[test]
    fn any_retry_after_is_bounded(
        attempts in prop_oneof![0..8_u32, any::<u32>()],
        chance in 0.0..=1.0_f64,
        asked in proptest::option::of((any::<u64>(), 0..1_000_000_000_u32)),
    ) {
        let asked = asked.map(|(seconds, nanos)| Duration::new(seconds, nanos));
        let pause = delivery_pause(attempts, chance, asked);
        prop_assert_eq!(pause.is_some(), (1..DELIVERY_ATTEMPTS).contains(&attempts));
        if let Some(pause) = pause {
            prop_assert!((Duration::from_secs(4)..=Duration::from_secs(4 * 60 * 60)).contains(&pause));
        }
    }
}
