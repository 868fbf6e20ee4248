use super::{House, account};
use crate::{AccountId, GrantRefused, NewAccount};
use clipia_queue::Credits;
use clipia_queue::ledger::Refused;

pub async fn accounts_are_made_once_and_granted_to(house: &House) {
    let again =
        NewAccount { id: account(), webhook_secret: "whsec_2".to_owned(), grant: Credits::new(1_000) };
    assert!(!house.store.create_account(again).await.unwrap());
    assert!(!house.store.is_empty().await.unwrap());
    let balance = house.store.grant(&account(), Credits::new(50)).await.unwrap();
    assert_eq!((balance.available, house.available().await), (Credits::new(150), 150));
    let nobody = AccountId("acct_nobody".to_owned());
    let refused = house.store.grant(&nobody, Credits::new(50)).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no account `acct_nobody`");
    assert!(house.store.account(&nobody).await.unwrap().is_none());
}

pub async fn a_grant_that_no_book_bears_changes_nothing(house: &House) {
    for credits in [u64::MAX, i64::MAX.unsigned_abs()] {
        let refused = house.store.grant(&account(), Credits::new(credits)).await;
        assert!(matches!(refused, Err(GrantRefused::Ledger(Refused::Books { .. }))), "{refused:?}");
    }
    assert_eq!(house.available().await, 100);
}
