use super::{at, now};
use clipia_queue::commands::attempt::{AfterAttempt, Made, Reply, number_after, record};
use clipia_queue::deliveries::{DeliveryState, StoredDelivery};
use clipia_queue::schedules::DELIVERY_ATTEMPTS;
use std::time::Duration;

#[test]
fn what_comes_next_follows_from_the_reply_and_the_schedule() {
    let (gone, other) = (Reply::Gone, Reply::Other { retry_after: None });
    let asked = Reply::Other { retry_after: Some(Duration::from_secs(8)) };
    for (of_schedule, reply, next) in [
        (Some(1), Reply::Accepted, AfterAttempt::Delivered),
        (None, Reply::Accepted, AfterAttempt::Delivered),
        (Some(1), other, AfterAttempt::Retry(at(105))),
        (Some(1), asked, AfterAttempt::Retry(at(108))),
        (Some(2), other, AfterAttempt::Retry(at(130))),
        (Some(DELIVERY_ATTEMPTS), other, AfterAttempt::GiveUp),
        (Some(1), gone, AfterAttempt::GiveUp),
        // An operator's attempt leaves the schedule alone.
        (None, gone, AfterAttempt::AsScheduled),
        (None, other, AfterAttempt::AsScheduled),
    ] {
        assert_eq!(AfterAttempt::decide(of_schedule, reply, 0.5, at(100)), next, "{of_schedule:?} {reply:?}");
    }
    assert_eq!([0, 4].map(number_after), [1, 5]);
}

#[test]
fn an_attempt_is_recorded_once_and_settles_what_it_decides() {
    use AfterAttempt::{AsScheduled, Delivered, GiveUp, Retry};
    use DeliveryState::Abandoned;
    let claimed = StoredDelivery { claimed_until: Some(at(30)), attempts: 1, ..StoredDelivery::new(at(0)) };
    let free = StoredDelivery { claimed_until: None, ..claimed };
    let settled = |state| StoredDelivery { state, settled_at: Some(now(20).wall), attempts: 2, ..free };
    let asked = |replay| StoredDelivery { replay_at: Some(at(replay)), ..claimed };
    let given_up = StoredDelivery { state: Abandoned, settled_at: Some(now(3).wall), ..claimed };
    for (name, delivery, is_logged, of_schedule, next, expected) in [
        ("arrives", claimed, false, Some(2), Delivered, Some(settled(DeliveryState::Delivered))),
        ("is given up", claimed, false, Some(2), GiveUp, Some(settled(Abandoned))),
        (
            "is tried again",
            claimed,
            false,
            Some(2),
            Retry(at(50)),
            Some(StoredDelivery { due_at: at(50), attempts: 2, ..free }),
        ),
        ("an operator's attempt fails", asked(5), false, None, AsScheduled, Some(free)),
        (
            "an operator asks for another meanwhile",
            asked(11),
            false,
            None,
            AsScheduled,
            Some(StoredDelivery { replay_at: Some(at(11)), ..free }),
        ),
        (
            "one that was given up arrives after all",
            given_up,
            false,
            None,
            Delivered,
            Some(StoredDelivery {
                state: DeliveryState::Delivered,
                settled_at: Some(now(20).wall),
                claimed_until: None,
                ..given_up
            }),
        ),
        (
            "one that was given up is given up again",
            given_up,
            false,
            Some(2),
            GiveUp,
            Some(StoredDelivery { claimed_until: None, attempts: 2, ..given_up }),
        ),
        ("a sender was overtaken", claimed, true, Some(2), Retry(at(50)), None),
        (
            "an overtaken one arrived",
            claimed,
            true,
            Some(2),
            Delivered,
            Some(settled(DeliveryState::Delivered)),
        ),
    ] {
        let made = Made { of_schedule, started: at(10), next };
        let recorded = record(delivery, is_logged, made, now(20));
        assert_eq!(recorded.map(|recorded| recorded.delivery), expected, "{name}");
        assert!(recorded.is_none_or(|recorded| recorded.logs != is_logged), "{name}");
    }
}
