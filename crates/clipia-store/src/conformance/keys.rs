use super::{Fixture, NOW, account, fox, key, new_key};
use crate::{AccountId, Key, KeyHash, Submission, SubmitRefused};
use clipia_queue::Credits;
use clipia_queue::limits::{CreditBudget, IN_FLIGHT_MAX, KeyLimits, Per};
use std::sync::Arc;
use std::time::Duration;

pub async fn keys_are_found_by_their_hash_until_they_are_revoked(fixture: &Fixture) {
    let store = &fixture.store;
    assert_eq!(store.key(KeyHash([7; 32])).await.unwrap().unwrap().id, "key_1");
    assert!(store.key(KeyHash([8; 32])).await.unwrap().is_none());
    assert!(store.revoke_key("key_1").await.unwrap());
    assert!(store.key(KeyHash([7; 32])).await.unwrap().is_none());
    assert!(!store.revoke_key("key_1").await.unwrap());
    let stray = Key { id: "key_2".to_owned(), account: AccountId("acct_nobody".to_owned()), ..key() };
    assert!(!store.create_key(new_key(stray, 2)).await.unwrap());
    let listed = store.keys(None, 9).await.unwrap().keys;
    assert_eq!(listed.len(), 1);
    assert!(listed[0].revoked_at.is_some());
}

pub async fn keys_are_listed_in_the_order_of_their_making(fixture: &Fixture) {
    // The clock was set back.
    let earlier = NOW - Duration::from_micros(1);
    for (id, hash, at) in [("key_4", 4, NOW), ("key_2", 2, NOW), ("key_3", 3, earlier)] {
        let key = Key { id: id.to_owned(), ..key() };
        assert!(fixture.at(at).create_key(new_key(key, hash)).await.unwrap());
    }
    let page = async |after: Option<&str>, limit| {
        let page = fixture.store.keys(after.map(str::to_owned), limit).await.unwrap();
        (page.keys.into_iter().map(|key| key.id).collect::<Vec<_>>().join(" "), page.next)
    };
    let next = |id: &str| Some(id.to_owned());
    assert_eq!(page(None, 9).await, ("key_1 key_4 key_2 key_3".to_owned(), None));
    assert_eq!(page(None, 3).await, ("key_1 key_4 key_2".to_owned(), next("key_2")));
    assert_eq!(page(Some("key_2"), 3).await, ("key_3".to_owned(), None));
    assert_eq!(page(Some("key_1"), 1).await, ("key_4".to_owned(), next("key_4")));
    assert_eq!(page(Some("key_9"), 1).await, (String::new(), None), "there is no such key");
}

pub async fn a_key_has_its_own_limits(fixture: &Fixture) {
    let credits = Some(CreditBudget { credits: Credits::new(5_000), per: Per::Month });
    let own = KeyLimits { requests_per_minute: Some(600), in_flight_max: Some(2), credits };
    for (id, hash, limits) in [("key_2", 2, own), ("key_3", 3, KeyLimits::default())] {
        let key = Key { id: id.to_owned(), limits, ..key() };
        assert!(fixture.store.create_key(new_key(key, hash)).await.unwrap());
        assert_eq!(fixture.store.key(KeyHash([hash; 32])).await.unwrap().unwrap().limits, limits);
    }
    let listed = fixture.store.keys(None, 9).await.unwrap().keys;
    let limits = |id: &str| listed.iter().find(|key| key.id == id).unwrap().limits;
    assert_eq!((limits("key_2"), limits("key_3")), (own, KeyLimits::default()));
    assert_eq!(limits("key_3").in_flight_max(), Some(IN_FLIGHT_MAX));
    assert!(listed.iter().all(|key| key.account == account()));
}

pub async fn a_key_has_no_more_in_flight_than_it_may(fixture: &Fixture) {
    let narrow = Key { limits: KeyLimits { in_flight_max: Some(2), ..KeyLimits::default() }, ..key() };
    let fox = || Submission { key: Arc::new(narrow.clone()), ..fox() };
    let (first, second) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    let refused = fixture.store.submit(fox()).await.unwrap_err();
    assert!(matches!(refused, SubmitRefused::InFlight(2)), "{refused}");
    // What runs is in flight, too; what has ended is not.
    let claim = fixture.claim().await;
    assert!(fixture.store.submit(fox()).await.is_err());
    fixture.store.cancel(second).await.unwrap();
    fixture.submit(fox()).await;
    assert!(fixture.store.submit(fox()).await.is_err());
    fixture.store.complete(first, claim.epoch, Default::default()).await.unwrap();
    assert_eq!(fixture.store.submit(fox()).await.unwrap().position, 1);
}
