use super::{Fixture, NOW, fox, id_at};
use crate::{AccountId, AttemptEnd, Key, RequestFilter, Submission};
use clipia_api::Progress;
use clipia_queue::lifecycle::{Epoch, Phase};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

pub async fn requests_are_listed_newest_first_and_page_by_page(fixture: &Fixture) {
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(fixture.submit(fox()).await);
    }
    ids.reverse();
    let (mut listed, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = fixture.store.list_requests(RequestFilter::default(), after, 3).await.unwrap();
        listed.extend(page.requests.iter().map(|request| request.id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((listed, pages), (ids, 3));
}

pub async fn a_list_is_filtered(fixture: &Fixture) {
    let (running, waiting) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    let other = Submission { model: "seedance-2-fast-t2v".to_owned(), ..fox() };
    let other = fixture.submit(other).await;
    let claim = fixture.claim().await;
    fixture.store.beat(running, claim.epoch, Progress::new(30)).await.unwrap();
    let list = async |filter: RequestFilter| {
        let page = fixture.store.list_requests(filter, None, 10).await.unwrap();
        page.requests.into_iter().map(|request| request.id).collect::<Vec<_>>()
    };
    let all = RequestFilter::default();
    assert_eq!(list(RequestFilter { phase: Some(Phase::Queued), ..all.clone() }).await, [other, waiting]);
    assert_eq!(list(RequestFilter { phase: Some(Phase::Failed), ..all.clone() }).await, []);
    let model = Some("nano-banana-2".to_owned());
    assert_eq!(list(RequestFilter { model, ..all.clone() }).await, [waiting, running]);
    let account = |id: &str| Some(AccountId(id.to_owned()));
    assert_eq!(list(RequestFilter { account: account("acct_test"), ..all.clone() }).await.len(), 3);
    assert_eq!(list(RequestFilter { account: account("acct_nobody"), ..all.clone() }).await, []);
    let page = fixture.store.list_requests(all, None, 10).await.unwrap();
    let listed: Vec<_> = page.requests.iter().map(|request| (request.position, request.progress)).collect();
    assert_eq!(listed, [(Some(1), None), (Some(0), None), (None, Some(Progress::new(30)))]);
}

pub async fn a_list_is_of_one_key_and_since_a_time(fixture: &Fixture) {
    let store = &fixture.store;
    let other_key = Key { id: "key_2".to_owned(), ..super::key() };
    assert!(store.create_key(super::new_key(other_key.clone(), 8)).await.unwrap());
    let mut ids = Vec::new();
    for minute in 0..6_u32 {
        let at = NOW + minute * MINUTE;
        fixture.clock.set(at);
        let key = if minute % 3 == 0 { other_key.clone() } else { super::key() };
        ids.push(fixture.submit(Submission { id: id_at(at), key: Arc::new(key), ..fox() }).await);
    }
    let list = async |filter: RequestFilter| {
        let page = store.list_requests(filter, None, 10).await.unwrap();
        assert_eq!(page.next, None);
        page.requests.into_iter().map(|request| request.id).collect::<Vec<_>>()
    };
    let all = RequestFilter::default();
    let key = |id: &str| Some(id.to_owned());
    assert_eq!(list(RequestFilter { key: key("key_2"), ..all.clone() }).await, [ids[3], ids[0]]);
    assert_eq!(
        list(RequestFilter { key: key("key_1"), ..all.clone() }).await,
        [ids[5], ids[4], ids[2], ids[1]]
    );
    assert_eq!(list(RequestFilter { key: key("key_none"), ..all.clone() }).await, []);
    let account = Some(AccountId("acct_nobody".to_owned()));
    assert_eq!(list(RequestFilter { key: key("key_1"), account, ..all.clone() }).await, []);
    let since = Some(store.list_requests(all.clone(), None, 10).await.unwrap().requests[2].created_at);
    assert_eq!(list(RequestFilter { since, ..all.clone() }).await, [ids[5], ids[4], ids[3]]);
    assert_eq!(list(RequestFilter { since, key: key("key_2"), ..all.clone() }).await, [ids[3]]);
    fixture.claim().await;
    assert_eq!(list(RequestFilter { phase: Some(Phase::Running), ..all.clone() }).await, [ids[0]]);
    assert_eq!(list(RequestFilter { phase: Some(Phase::Running), since, ..all.clone() }).await, []);
    // A page that ends where the older ones begin is the last.
    let page = store.list_requests(RequestFilter { since, ..all }, None, 3).await.unwrap();
    assert_eq!((page.requests.len(), page.next), (3, None));
}

pub async fn a_history_tells_every_attempt_and_movement(fixture: &Fixture) {
    let store = &fixture.store;
    let id = fixture.submit(fox()).await;
    assert!(store.request_history(clipia_queue::RequestId::generate()).await.unwrap().is_none());
    let first = fixture.claim().await;
    store.release(id, first.epoch).await.unwrap();
    fixture.claim().await;
    fixture.lose().await;
    let third = fixture.claim().await;
    let running = store.request_history(id).await.unwrap().unwrap();
    let ends = |history: &crate::RequestHistory| {
        let ends =
            history.attempts.iter().map(|attempt| (attempt.epoch.0, attempt.ended.map(|(_, how)| how)));
        ends.collect::<Vec<_>>()
    };
    let lost = [(1, Some(AttemptEnd::Released)), (2, Some(AttemptEnd::Lost))];
    assert_eq!(ends(&running), [lost[0], lost[1], (3, None)]);
    store.complete(id, third.epoch, Default::default()).await.unwrap();
    let ended = store.request_history(id).await.unwrap().unwrap();
    assert_eq!(ends(&ended), [lost[0], lost[1], (3, Some(AttemptEnd::Completed))]);
    let movements: Vec<_> =
        ended.movements.iter().map(|movement| (movement.kind.as_str(), movement.available)).collect();
    assert_eq!(movements, [("reserve", -12), ("capture", 0)]);
    assert_eq!((ended.request.phase, ended.request.epoch), (Phase::Completed, Epoch(3)));
}
