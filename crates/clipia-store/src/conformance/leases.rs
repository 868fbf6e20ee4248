use super::{ATTEMPT_MAX, Fixture, NODE, NOW, fox};
use crate::living::LivingAttempts;
use crate::{Beat, Claim, Failure, NodeId, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::leases::{HEARTBEAT, RESCUES_MAX, SILENCE_MAX};
use clipia_queue::lifecycle::{Epoch, Phase, Refused};
use clipia_queue::logs::LogLines;
use uuid::Uuid;

/// Every report that a worker can make is refused, because its claim is no longer in force.
async fn says_nothing(fixture: &Fixture, id: RequestId, epoch: Epoch) {
    let store = &fixture.store;
    let before = fixture.store.request_history(id).await.unwrap().unwrap();
    let answers = [
        store.beat(id, epoch, Progress::DONE).await,
        store.complete(id, epoch, Output::default()).await,
        store.fail(id, epoch, Failure::generation("late")).await,
        store.release(id, epoch).await,
        store.lose(id, epoch, Failure::generation("late")).await,
        store.log(id, epoch, LogLines { offset: 0, lines: ["late".to_owned()].into() }).await,
    ];
    for answer in answers {
        assert!(matches!(answer, Err(WorkRefused::Lifecycle(Refused::Stale { .. }))), "{answer:?}");
    }
    assert_eq!(fixture.store.request_history(id).await.unwrap().unwrap(), before);
}

pub async fn a_worker_that_lost_its_lease_changes_nothing(fixture: &Fixture) {
    let store = &fixture.store;
    let id = fixture.submit(fox()).await;
    let first = fixture.claim().await;
    store.beat(id, first.epoch, Progress::new(40)).await.unwrap();
    assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap().requeued, 0);
    let late = NOW + SILENCE_MAX;
    assert_eq!(fixture.at(late).rescue(&LivingAttempts::default()).await.unwrap().requeued, 1);
    says_nothing(fixture, id, first.epoch).await;
    let second = fixture.next("render").await.unwrap();
    assert!(second.epoch > first.epoch);
    says_nothing(fixture, id, first.epoch).await;
    let running = fixture.request(id).await;
    assert_eq!((running.phase, running.progress), (Phase::Running, Progress::new(0)));
    store.complete(id, second.epoch, Output::default()).await.unwrap();
    says_nothing(fixture, id, first.epoch).await;
    says_nothing(fixture, id, second.epoch).await;
    assert_eq!(fixture.available().await, 88);
}

pub async fn a_worker_whose_request_was_canceled_changes_nothing(fixture: &Fixture) {
    let id = fixture.submit(fox()).await;
    let claim = fixture.claim().await;
    fixture.store.cancel(id).await.unwrap();
    says_nothing(fixture, id, claim.epoch).await;
    // Its lease is gone: nobody gets the request again.
    assert_eq!(fixture.lose().await, Default::default());
    assert!(fixture.next("render").await.is_none());
    assert_eq!(fixture.available().await, 100);
}

pub async fn heartbeats_keep_a_lease_up_to_its_deadline(fixture: &Fixture) {
    let store = &fixture.store;
    let id = fixture.submit(fox()).await;
    let claim = fixture.claim().await;
    let deadline = NOW + ATTEMPT_MAX;
    let mut now = NOW;
    while now + HEARTBEAT < deadline {
        now = now + HEARTBEAT;
        fixture.at(now).beat(id, claim.epoch, Progress::new(50)).await.unwrap();
        assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap().requeued, 0);
    }
    // Progress never falls within an attempt.
    store.beat(id, claim.epoch, Progress::new(20)).await.unwrap();
    assert_eq!(fixture.request(id).await.progress, Progress::new(50));
    let overdue = fixture.at(deadline).beat(id, claim.epoch, Progress::new(60)).await;
    assert!(matches!(overdue, Err(WorkRefused::Overdue)), "{overdue:?}");
    assert_eq!(fixture.request(id).await.progress, Progress::new(50));
    assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap().requeued, 1);
    assert_eq!(fixture.request(id).await.phase, Phase::Queued);
}

pub async fn a_living_worker_keeps_its_lease_whatever_the_clock_says(fixture: &Fixture) {
    let (store, living) = (&fixture.store, LivingAttempts::default());
    let [stood_still, gone] = [fixture.submit(fox()).await, fixture.submit(fox()).await];
    let (claim, lost) = (fixture.claim().await, fixture.claim().await);
    assert_eq!((claim.id, lost.id), (stood_still, gone));
    let alive = living.enter((stood_still, claim.epoch));
    // Of the other request an older claim is in hand, which protects nothing.
    let _old = living.enter((gone, Epoch(lost.epoch.0 - 1)));
    // The process was suspended, or its clock jumped.
    let late = NOW + 3 * SILENCE_MAX;
    assert_eq!(fixture.at(late).rescue(&living).await.unwrap().requeued, 1);
    assert_eq!(fixture.request(gone).await.phase, Phase::Queued);
    assert_eq!(fixture.request(stood_still).await.phase, Phase::Running);
    // Its next beat, long after the lease expired, is accepted and prolongs it.
    store.beat(stood_still, claim.epoch, Progress::new(50)).await.unwrap();
    drop(alive);
    assert_eq!(store.rescue(&living).await.unwrap(), Default::default());
    let _alive = living.enter((stood_still, claim.epoch));
    assert_eq!(fixture.at(late + SILENCE_MAX).rescue(&living).await.unwrap(), Default::default());
    // All the time of an attempt is all, however lively the worker is.
    assert_eq!(fixture.at(NOW + ATTEMPT_MAX).rescue(&living).await.unwrap().requeued, 1);
    says_nothing(fixture, stood_still, claim.epoch).await;
}

pub async fn one_that_is_lost_too_often_fails_and_is_refunded(fixture: &Fixture) {
    let id = fixture.submit(fox()).await;
    for _ in 0..RESCUES_MAX {
        fixture.claim().await;
        assert_eq!(fixture.lose().await.requeued, 1);
    }
    fixture.claim().await;
    assert_eq!(fixture.lose().await.failed, 1);
    assert_eq!(fixture.request(id).await.phase, Phase::Failed);
    assert_eq!(fixture.available().await, 100);
}

pub async fn one_whose_attempts_are_lost_fails_with_what_its_worker_said(fixture: &Fixture) {
    let id = fixture.submit(fox()).await;
    let mut epochs = Vec::new();
    for _ in 0..RESCUES_MAX {
        let claim = fixture.claim().await;
        fixture.store.lose(id, claim.epoch, Failure::generation("it crashed")).await.unwrap();
        let waiting = fixture.request(id).await;
        assert_eq!((waiting.phase, waiting.position, waiting.progress), (Phase::Queued, 0, Progress::new(0)));
        epochs.push(claim.epoch);
    }
    let last = fixture.claim().await;
    for epoch in epochs {
        says_nothing(fixture, id, epoch).await;
    }
    fixture.store.lose(id, last.epoch, Failure::generation("it crashed")).await.unwrap();
    let failed = fixture.request(id).await;
    assert_eq!((failed.phase, failed.failure), (Phase::Failed, Some(Failure::generation("it crashed"))));
    assert_eq!(fixture.available().await, 100);
    says_nothing(fixture, id, last.epoch).await;
    // The worker is there: no lease expired.
    assert_eq!(fixture.store.statistics().await.unwrap().leases_lost, 0);
    fixture.is_consistent().await;
}

pub async fn one_that_is_released_has_lost_nothing(fixture: &Fixture) {
    let id = fixture.submit(fox()).await;
    for _ in 0..=2 * RESCUES_MAX {
        let claim = fixture.claim().await;
        fixture.store.release(id, claim.epoch).await.unwrap();
    }
    let waiting = fixture.request(id).await;
    assert_eq!((waiting.phase, waiting.position), (Phase::Queued, 0));
}

pub async fn what_is_refused_is_counted(fixture: &Fixture) {
    let id = fixture.submit(fox()).await;
    fixture.submit(fox()).await;
    let first = fixture.claim().await;
    fixture.lose().await;
    says_nothing(fixture, id, first.epoch).await;
    let later = NOW + SILENCE_MAX;
    fixture.clock.set(later);
    fixture.next("render").await;
    fixture.next("render").await;
    fixture.store.cancel(id).await.unwrap();
    fixture.submit(fox()).await;
    let statistics = fixture.store.statistics().await.unwrap();
    assert_eq!((statistics.stale_refused, statistics.leases_lost, statistics.canceled), (6, 1, 1));
    // The first one waited for nothing, the second one until later. A second claim is no first wait.
    assert_eq!(statistics.wait_micros.count(), 2);
    assert_eq!(u128::from(statistics.wait_micros.sum), SILENCE_MAX.as_micros());
    assert!(statistics.commit_micros.count() > 0 && statistics.batches.sum >= statistics.batches.count());
    let queue = &statistics.queues[0];
    assert_eq!((queue.queue.as_str(), queue.waiting, queue.oldest), ("render", 1, Some(NOW)));
}

pub async fn several_are_claimed_and_kept_at_once(fixture: &Fixture) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(fixture.submit(fox()).await);
    }
    let claimed = |claims: &[Claim]| claims.iter().map(|claim| claim.id).collect::<Vec<_>>();
    let claims = fixture.store.claim("render", NODE, 3).await.unwrap();
    assert_eq!(claimed(&claims), ids[..3]);
    let other = NodeId(Uuid::from_u128(2));
    assert_eq!(claimed(&fixture.store.claim("render", other, 9).await.unwrap()), ids[3..]);
    assert!(fixture.store.claim("render", NODE, 9).await.unwrap().is_empty());

    // A beat that is refused changes nothing of the others.
    let progress = Progress::new(50);
    let beat = |n: usize, epoch| Beat { id: ids[n], epoch, progress, logs: LogLines::default() };
    let (epoch, stale) = (claims[0].epoch, Epoch(claims[0].epoch.0 + 1));
    let unknown = Beat { id: RequestId::generate(), ..beat(0, epoch) };
    let beats = vec![beat(0, epoch), beat(1, stale), unknown, beat(2, epoch)];
    let half = fixture.at(NOW + SILENCE_MAX / 2);
    let answers = half.beat_many(beats).await.unwrap();
    assert!(answers[0].is_ok() && answers[3].is_ok(), "{answers:?}");
    assert!(matches!(answers[1], Err(WorkRefused::Lifecycle(Refused::Stale { .. }))), "{answers:?}");
    assert!(matches!(answers[2], Err(WorkRefused::Unknown)), "{answers:?}");
    assert_eq!(fixture.request(ids[0]).await.progress, Progress::new(50));

    // Whichever node has them, those without a beat come back.
    let rescued = fixture.at(NOW + SILENCE_MAX).rescue(&LivingAttempts::default()).await.unwrap();
    assert_eq!(rescued.requeued, 3);
    for (id, phase) in
        ids.iter().zip([Phase::Running, Phase::Queued, Phase::Running, Phase::Queued, Phase::Queued])
    {
        assert_eq!(fixture.request(*id).await.phase, phase);
    }
}
