use super::{ATTEMPT_MAX, at, life, now, request};
use clipia_api::Progress;
use clipia_queue::commands::lease::{beat, hold};
use clipia_queue::commands::{Contradiction, Refused};
use clipia_queue::leases::{Lease, SILENCE_MAX};
use clipia_queue::lifecycle::{self, Epoch, Phase};

#[test]
fn a_beat_prolongs_the_lease_of_the_claim_in_force() {
    let running = request(life(Phase::Running, 2, 0));
    let lease = Lease::claimed(at(0), ATTEMPT_MAX);
    for (progress, expected) in [(10, 40), (40, 40), (60, 60)] {
        let beat = beat(&running, Some(lease), Epoch(2), Progress::new(progress), now(20)).unwrap();
        assert_eq!((beat.progress, beat.lease.until), (Progress::new(expected), at(20) + SILENCE_MAX));
    }
    let refused = |phase, lease, epoch, seconds| {
        beat(&request(life(phase, 2, 0)), lease, Epoch(epoch), Progress::new(1), now(seconds)).unwrap_err()
    };
    let stale = |refused| matches!(refused, Refused::Lifecycle(lifecycle::Refused::Stale { .. }));
    assert!(stale(refused(Phase::Running, Some(lease), 1, 20)));
    assert!(stale(refused(Phase::Queued, Some(lease), 2, 20)));
    assert!(stale(refused(Phase::Canceled, None, 2, 20)));
    assert!(matches!(refused(Phase::Running, Some(lease), 2, 600), Refused::Overdue));
    let missing = refused(Phase::Running, None, 2, 20);
    assert!(matches!(missing, Refused::Contradiction(Contradiction::NoLease(_))), "{missing}");
}

#[test]
fn a_held_request_has_the_whole_time_of_its_attempt() {
    let running = request(life(Phase::Running, 2, 0));
    let lease = Lease::claimed(at(0), ATTEMPT_MAX);
    let held = hold(&running, Some(lease), Epoch(2), now(500)).unwrap();
    assert_eq!((held.claimed_at, held.deadline_at), (lease.claimed_at, at(500) + ATTEMPT_MAX));
    assert!(hold(&running, Some(lease), Epoch(1), now(500)).is_err());
}
