use super::{Fixture, account, first, fox, key, new_key};
use crate::{AccountId, KeepRefused, Key, NewAccount, NewUpload, Submission, SubmitRefused, UploadsGone};
use clipia_queue::uploads::{ACCOUNT_BYTES_MAX, BYTES_MAX, KEPT, Named, Refused, UploadId, Usage};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

fn id(number: u128) -> UploadId {
    UploadId(Uuid::from_u128(number))
}

fn upload(number: u128, bytes: u64) -> NewUpload {
    NewUpload { id: id(number), account: account(), bytes }
}

/// A submit whose input names this upload.
fn naming(number: u128) -> Submission {
    Submission { uploads: vec![Named { parameter: "image_url".to_owned(), id: id(number) }], ..fox() }
}

async fn let_go(fixture: &Fixture) -> Vec<UploadId> {
    let UploadsGone { gone, next } = fixture.store.let_go_uploads(None, 100).await.unwrap();
    assert_eq!(next, None);
    gone
}

pub async fn an_upload_is_kept_for_its_time_and_for_the_requests_that_name_it(fixture: &Fixture) {
    fixture.rich().await;
    let store = &fixture.store;
    for number in [1, 2, 3] {
        assert_eq!(store.keep_upload(upload(number, 10)).await.unwrap(), store.now() + KEPT);
    }
    let usage = store.upload_usage(&account()).await.unwrap();
    assert_eq!(usage, Usage { count: 3, bytes: 30 });
    let (ends, runs) = (fixture.submit(naming(1)).await, fixture.submit(naming(2)).await);
    fixture.clock.advance(KEPT - Duration::from_micros(1));
    assert_eq!(let_go(fixture).await, []);
    fixture.submit(naming(3)).await;
    store.cancel(ends).await.unwrap();
    fixture.clock.advance(Duration::from_micros(1));
    // One that has expired cannot be named any more, although it is still there.
    let refused = store.submit(naming(2)).await.unwrap_err();
    assert!(matches!(&refused, SubmitRefused::Upload(gone) if gone.parameter == "image_url"), "{refused}");
    assert_eq!(let_go(fixture).await, [id(1)]);
    assert_eq!(store.stored_uploads(vec![id(1), id(2), id(9)]).await.unwrap(), [id(2)]);
    let claim = fixture.claim().await;
    assert_eq!(claim.id, runs);
    assert_eq!(let_go(fixture).await, []);
    store.complete(runs, claim.epoch, Default::default()).await.unwrap();
    assert_eq!(let_go(fixture).await, [id(2)]);
    assert_eq!(store.upload_usage(&account()).await.unwrap(), Usage { count: 1, bytes: 10 });
}

pub async fn a_submit_that_names_no_upload_is_refused_and_a_repeated_one_is_not(fixture: &Fixture) {
    use clipia_api::types::SubmitRequest;
    use clipia_queue::idempotency::Fingerprint;
    let request = SubmitRequest { input: Default::default(), webhook_url: None };
    let named = |number| Submission {
        idempotency: Some(("key".to_owned(), Fingerprint::of("m", &request))),
        ..naming(number)
    };
    let store = &fixture.store;
    assert!(matches!(store.submit(named(1)).await, Err(SubmitRefused::Upload(_))));
    assert_eq!(fixture.available().await, 100);
    store.keep_upload(upload(1, 10)).await.unwrap();
    let made = fixture.submit(named(1)).await;
    store.cancel(made).await.unwrap();
    fixture.clock.advance(KEPT - Duration::from_secs(1));
    assert_eq!(fixture.submit(named(1)).await, made);
    // A request of another account may name it: whoever knows the URL may.
    let other = AccountId("acct_other".to_owned());
    assert!(store.create_account(NewAccount { id: other.clone(), ..first().account }).await.unwrap());
    let key = Key { id: "key_other".to_owned(), account: other, ..key() };
    assert!(store.create_key(new_key(key.clone(), 9)).await.unwrap());
    fixture.submit(Submission { key: Arc::new(key), ..naming(1) }).await;
}

pub async fn an_account_keeps_no_more_uploads_than_it_may(fixture: &Fixture) {
    let store = &fixture.store;
    let refused = |result: Result<_, KeepRefused>| match result {
        Err(KeepRefused::Bound(refused)) => refused,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(store.keep_upload(upload(1, BYTES_MAX + 1)).await), Refused::TooLong);
    let fitting = u128::from(ACCOUNT_BYTES_MAX / BYTES_MAX);
    for number in 1..=fitting {
        store.keep_upload(upload(number, BYTES_MAX)).await.unwrap();
    }
    assert_eq!(refused(store.keep_upload(upload(fitting + 1, BYTES_MAX)).await), Refused::NoRoom);
    let (mut gone, mut after) = (0, None);
    fixture.clock.advance(KEPT);
    loop {
        let step = store.let_go_uploads(after, 8).await.unwrap();
        (gone, after) = (gone + step.gone.len() as u128, step.next);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(gone, fitting);
    store.keep_upload(upload(1, BYTES_MAX)).await.unwrap();
}
