use super::{Fixture, fox};
use crate::{Submission, WorkRefused};
use clipia_api::types::Output;
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::lifecycle::{Phase, Refused};
use futures_util::future::{join, join_all};
use std::collections::HashSet;

pub async fn concurrent_submits_spend_no_credit_twice(fixture: &Fixture) {
    let submits = (0..20).map(|_| fixture.store.submit(fox()));
    let accepted = join_all(submits).await.into_iter().filter(Result::is_ok).count();
    assert_eq!((accepted, fixture.available().await), (8, 4));
}

pub async fn concurrent_submits_with_one_key_are_one(fixture: &Fixture) {
    let submits = (0..20).map(|_| {
        let idempotency = Some(("fox-1".to_owned(), Fingerprint([1; 32])));
        fixture.submit(Submission { idempotency, ..fox() })
    });
    let ids: HashSet<_> = join_all(submits).await.into_iter().collect();
    assert_eq!((ids.len(), fixture.available().await), (1, 88));
}

pub async fn a_request_is_claimed_by_one_of_many(fixture: &Fixture) {
    fixture.rich().await;
    join_all((0..50).map(|_| fixture.submit(fox()))).await;
    let claims = join_all((0..80).map(|_| fixture.next("render"))).await;
    let claimed: Vec<_> = claims.into_iter().filter_map(|claim| claim.map(|claim| claim.id)).collect();
    assert_eq!(claimed.len(), 50);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 50);
}

pub async fn an_end_and_a_cancel_exclude_each_other(fixture: &Fixture) {
    fixture.rich().await;
    let mut completed = 0;
    for _ in 0..40 {
        let id = fixture.submit(fox()).await;
        let claim = fixture.claim().await;
        let complete = fixture.store.complete(id, claim.epoch, Output::default());
        let (complete, cancel) = join(complete, fixture.store.cancel(id)).await;
        let phase = fixture.request(id).await.phase;
        match (complete, cancel) {
            (Ok(()), Err(WorkRefused::Lifecycle(Refused::Phase { .. }))) => {
                assert_eq!(phase, Phase::Completed);
                completed += 1;
            }
            (Err(WorkRefused::Lifecycle(Refused::Stale { .. })), Ok(())) => {
                assert_eq!(phase, Phase::Canceled);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fixture.available().await, 1_000_100 - 12 * completed);
}

pub async fn positions_hold_in_a_crowd(fixture: &Fixture) {
    fixture.rich().await;
    let ids = join_all((0..100).map(|_| fixture.submit(fox()))).await;
    let submits = join_all((0..60).map(|_| fixture.submit(fox())));
    let cancels = join_all(ids.iter().skip(30).step_by(3).map(|id| fixture.store.cancel(*id)));
    let turns = join_all((0..30).map(|n| async move {
        let claim = fixture.claim().await;
        if n % 2 == 0 {
            // Submits that are made at the same time come in any order: it may be one of those that are canceled.
            let released = fixture.store.release(claim.id, claim.epoch).await;
            assert!(released.is_ok() || released.as_ref().is_err_and(WorkRefused::is_stale), "{released:?}");
        }
    }));
    // Some of what is to be canceled may have been claimed by then: it is canceled as well.
    let (_, (canceled, ())) = join(submits, join(cancels, async { drop(turns.await) })).await;
    assert!(canceled.into_iter().all(|canceled| canceled.is_ok()));
    let page = fixture.store.list_requests(Default::default(), None, 1_000).await.unwrap();
    let mut positions: Vec<u64> = page.requests.iter().filter_map(|request| request.position).collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..positions.len() as u64).collect::<Vec<_>>());
}
