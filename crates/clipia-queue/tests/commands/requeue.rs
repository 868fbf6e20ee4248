use super::{ATTEMPT_MAX, at, life, now, request};
use clipia_api::Progress;
use clipia_queue::commands::end::Books;
use clipia_queue::commands::requeue::{Lost, Worker, is_lost, lose, release, report_lost};
use clipia_queue::leases::{AttemptEnd, Lease, RESCUES_MAX, SILENCE_MAX};
use clipia_queue::ledger::{Balance, Movement};
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::limits::KeyUse;
use clipia_queue::position::{Lane, Place, Ticket};
use clipia_queue::{Credits, Failure};

#[test]
fn a_request_is_taken_from_a_worker_that_is_gone() {
    let lease = Lease::claimed(at(0), ATTEMPT_MAX);
    let (expires, deadline) = (SILENCE_MAX.as_secs(), ATTEMPT_MAX.as_secs());
    for (worker, seconds, lost) in [
        (Worker::Gone, 0, true),
        (Worker::Unknown, expires - 1, false),
        (Worker::Unknown, expires, true),
        (Worker::Living, expires, false),
        (Worker::Living, deadline - 1, false),
        (Worker::Living, deadline, true),
    ] {
        assert_eq!(is_lost(&lease, worker, now(seconds)), lost, "{worker:?} {seconds}");
    }
}

#[test]
fn a_request_waits_again_ahead_of_those_that_never_ran() {
    let running = request(life(Phase::Running, 2, 1));
    let place = Place { lane: Lane::Requeued, ticket: Ticket(7) };
    let released = release(&running, Epoch(2), now(9)).unwrap();
    assert_eq!((released.life, released.place), (life(Phase::Queued, 2, 1), place));
    assert_eq!((released.lease.how, released.progress), (AttemptEnd::Released, Progress::new(0)));
    let Lost::Requeued(lost) = lose(&running, now(9)).unwrap() else { panic!("it fails") };
    assert_eq!((lost.life, lost.place), (life(Phase::Queued, 2, 2), place));
    assert_eq!((lost.lease.how, lost.lease.at), (AttemptEnd::Lost, now(9).wall));
    assert!(release(&running, Epoch(1), now(9)).is_err());
    assert!(lose(&request(life(Phase::Queued, 2, 1)), now(9)).is_err());
}

#[test]
fn a_request_that_was_lost_too_often_fails_and_is_refunded() {
    let running = request(life(Phase::Running, 5, RESCUES_MAX));
    let Lost::Ends(ending) = lose(&running, now(9)).unwrap() else { panic!("it waits again") };
    let balance = Balance { available: Credits::ZERO, held: Credits::new(12) };
    let ended =
        ending.settle(Books { balance, used: KeyUse { in_flight: 1, ..KeyUse::default() } }, now(9)).unwrap();
    assert_eq!((ended.life, ended.lease.how), (life(Phase::Failed, 5, RESCUES_MAX), AttemptEnd::Lost));
    assert_eq!(ended.entry.movement, Movement::Release(Credits::new(12)));
    assert_eq!(ended.failure.as_deref(), Some(&Failure::interrupted()));
}

#[test]
fn an_attempt_that_its_worker_lost_counts_as_a_lost_lease() {
    let why = Failure::generation("the program crashed");
    let running = request(life(Phase::Running, 2, 1));
    let Lost::Requeued(lost) = report_lost(&running, Epoch(2), &why, now(9)).unwrap() else {
        panic!("it fails")
    };
    let Lost::Requeued(expired) = lose(&running, now(9)).unwrap() else { panic!("it fails") };
    assert_eq!(lost, expired);
    // Of a claim that is not in force nothing is lost.
    assert!(report_lost(&running, Epoch(1), &why, now(9)).is_err());
    let last = request(life(Phase::Running, 5, RESCUES_MAX));
    let Lost::Ends(ending) = report_lost(&last, Epoch(5), &why, now(9)).unwrap() else {
        panic!("it waits again")
    };
    let balance = Balance { available: Credits::ZERO, held: Credits::new(12) };
    let ended =
        ending.settle(Books { balance, used: KeyUse { in_flight: 1, ..KeyUse::default() } }, now(9)).unwrap();
    assert_eq!((ended.life, ended.lease.how), (life(Phase::Failed, 5, RESCUES_MAX), AttemptEnd::Lost));
    assert_eq!(ended.entry.movement, Movement::Release(Credits::new(12)));
    assert_eq!(ended.failure.as_deref(), Some(&why));
}
