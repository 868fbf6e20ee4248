use super::{ATTEMPT_MAX, account, at, life, now, request};
use clipia_api::Progress;
use clipia_queue::AccountId;
use clipia_queue::commands::StoredRequest;
use clipia_queue::commands::claim::{First, first};
use clipia_queue::leases::SILENCE_MAX;
use clipia_queue::lifecycle::Phase;
use std::time::Duration;

#[test]
fn a_request_is_claimed_unless_its_account_fetches_enough() {
    let (full, other) = (vec![account()], vec![AccountId("other".to_owned())]);
    for (elsewhere, full, claimed) in [(false, &full, true), (true, &other, true), (true, &full, false)] {
        let request = StoredRequest { elsewhere, ..request(life(Phase::Queued, 0, 0)) };
        let decided = first(&request, full, now(5)).unwrap();
        assert_eq!(matches!(decided, First::Claimed(_)), claimed, "{elsewhere} {full:?}");
    }
}

#[test]
fn a_claim_counts_the_epoch_and_only_the_first_one_tells_the_wait() {
    for (before, after, waited) in [
        (life(Phase::Queued, 0, 0), life(Phase::Running, 1, 0), Some(Duration::from_secs(5))),
        (life(Phase::Queued, 3, 2), life(Phase::Running, 4, 2), None),
    ] {
        let First::Claimed(claimed) = first(&request(before), &[], now(5)).unwrap() else { panic!("aside") };
        assert_eq!((claimed.life, claimed.waited, claimed.progress), (after, waited, Progress::new(0)));
        let lease = claimed.lease;
        assert_eq!((lease.claimed_at, lease.until), (now(5).wall, at(5) + SILENCE_MAX));
        assert_eq!(lease.deadline_at, at(5) + ATTEMPT_MAX);
    }
    for phase in [Phase::Running, Phase::Completed, Phase::Failed, Phase::Canceled] {
        assert!(first(&request(life(phase, 1, 0)), &[], now(5)).is_err(), "{phase:?}");
    }
}
