use super::{House, fox};
use crate::{Submission, WorkRefused};
use clipia_api::types::Output;
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::lifecycle::{Phase, Refused};
use futures_util::future::{join, join_all};
use std::collections::HashSet;

pub async fn concurrent_submits_spend_no_credit_twice(house: &House) {
    let submits = (0..20).map(|_| house.store.submit(fox()));
    let accepted = join_all(submits).await.into_iter().filter(Result::is_ok).count();
    assert_eq!((accepted, house.available().await), (8, 4));
}

pub async fn concurrent_submits_with_one_key_are_one(house: &House) {
    let submits = (0..20).map(|_| {
        let idempotency = Some(("fox-1".to_owned(), Fingerprint([1; 32])));
        house.submit(Submission { idempotency, ..fox() })
    });
    let ids: HashSet<_> = join_all(submits).await.into_iter().collect();
    assert_eq!((ids.len(), house.available().await), (1, 88));
}

pub async fn a_request_is_claimed_by_one_of_many(house: &House) {
    house.rich().await;
    join_all((0..50).map(|_| house.submit(fox()))).await;
    let claims = join_all((0..80).map(|_| house.next("render"))).await;
    let claimed: Vec<_> = claims.into_iter().filter_map(|claim| claim.map(|claim| claim.id)).collect();
    assert_eq!(claimed.len(), 50);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>().len(), 50);
}

pub async fn an_end_and_a_cancel_exclude_each_other(house: &House) {
    house.rich().await;
    let mut completed = 0;
    for _ in 0..40 {
        let id = house.submit(fox()).await;
        let claim = house.claim().await;
        let complete = house.store.complete(id, claim.epoch, Output::default());
        let (complete, cancel) = join(complete, house.store.cancel(id)).await;
        let phase = house.request(id).await.phase;
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
    assert_eq!(house.available().await, 1_000_100 - 12 * completed);
}

pub async fn positions_hold_in_a_crowd(house: &House) {
    house.rich().await;
    let ids = join_all((0..100).map(|_| house.submit(fox()))).await;
    let submits = join_all((0..60).map(|_| house.submit(fox())));
    let cancels = join_all(ids.iter().skip(30).step_by(3).map(|id| house.store.cancel(*id)));
    let turns = join_all((0..30).map(|n| async move {
        let claim = house.claim().await;
        if n % 2 == 0 {
            house.store.release(claim.id, claim.epoch).await.unwrap();
        }
    }));
    // Some of what is to be called off may have been given to a worker by then: that is called off as well.
    let (_, (canceled, ())) = join(submits, join(cancels, async { drop(turns.await) })).await;
    assert!(canceled.into_iter().all(|canceled| canceled.is_ok()));
    let page = house.store.list_requests(Default::default(), None, 1_000).await.unwrap();
    let mut positions: Vec<u64> = page.requests.iter().filter_map(|request| request.position).collect();
    positions.sort_unstable();
    assert_eq!(positions, (0..positions.len() as u64).collect::<Vec<_>>());
}
