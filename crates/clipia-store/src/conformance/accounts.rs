use super::{Fixture, account, first, key, new_key};
use crate::{AccountId, Bootstrapped, FirstAccount, GrantRefused, Key, NewAccount};
use clipia_queue::Credits;
use clipia_queue::ledger::Refused;
use futures_util::future::join_all;

pub async fn accounts_are_made_once_and_granted_to(fixture: &Fixture) {
    let again =
        NewAccount { id: account(), webhook_secret: "whsec_2".to_owned(), grant: Credits::new(1_000) };
    assert!(!fixture.store.create_account(again).await.unwrap());
    let balance = fixture.store.grant(&account(), Credits::new(50)).await.unwrap();
    assert_eq!((balance.available, fixture.available().await), (Credits::new(150), 150));
    let nobody = AccountId("acct_nobody".to_owned());
    let refused = fixture.store.grant(&nobody, Credits::new(50)).await.unwrap_err();
    assert_eq!(refused.to_string(), "there is no account `acct_nobody`");
    assert!(fixture.store.account(&nobody).await.unwrap().is_none());
}

pub async fn a_store_has_one_first_account(fixture: &Fixture) {
    let other = |n: u8| {
        let id = AccountId(format!("acct_{n}"));
        let key = Key { id: format!("key_of_{n}"), account: id.clone(), ..key() };
        let account = NewAccount { id, ..first().account };
        FirstAccount { account, keys: vec![new_key(key, 100 + n)] }
    };
    let again = join_all((0..5).map(|n| fixture.store.bootstrap(other(n)))).await;
    assert!(again.into_iter().all(|done| done.unwrap() == Bootstrapped::Exists));
    assert_eq!(fixture.store.accounts(None, 9).await.unwrap().accounts.len(), 1);
    assert_eq!(fixture.store.keys(None, 9).await.unwrap().keys.len(), 1);
    assert_eq!(fixture.available().await, 100);
}

pub async fn accounts_are_listed_page_by_page(fixture: &Fixture) {
    let mut made = vec![account().0];
    for n in 1..=6 {
        let id = format!("{}_{n}", account());
        let account = NewAccount { id: AccountId(id.clone()), ..first().account };
        assert!(fixture.store.create_account(account).await.unwrap());
        made.push(id);
    }
    let (mut listed, mut after, mut sizes) = (Vec::new(), None, Vec::new());
    loop {
        let page = fixture.store.accounts(after, 3).await.unwrap();
        sizes.push(page.accounts.len());
        listed.extend(page.accounts.into_iter().map(|account| account.id.0));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((listed, sizes), (made, vec![3, 3, 1]));
    let whole = fixture.store.accounts(None, 7).await.unwrap();
    assert_eq!((whole.accounts.len(), whole.next), (7, None), "the last page says so");
}

pub async fn a_grant_that_no_book_bears_changes_nothing(fixture: &Fixture) {
    for credits in [u64::MAX, i64::MAX.unsigned_abs()] {
        let refused = fixture.store.grant(&account(), Credits::new(credits)).await;
        assert!(matches!(refused, Err(GrantRefused::Ledger(Refused::Books { .. }))), "{refused:?}");
    }
    assert_eq!(fixture.available().await, 100);
}

pub async fn credits_are_taken_back_where_they_can_be_spent(fixture: &Fixture) {
    let balance = fixture.store.withdraw(&account(), Credits::new(40)).await.unwrap();
    assert_eq!((balance.available, fixture.available().await), (Credits::new(60), 60));
    let refused = fixture.store.withdraw(&account(), Credits::new(61)).await;
    assert!(matches!(refused, Err(GrantRefused::Ledger(Refused::Withdrawal { .. }))), "{refused:?}");
    assert_eq!(fixture.available().await, 60);
    fixture.store.withdraw(&account(), Credits::new(60)).await.unwrap();
    assert_eq!(fixture.available().await, 0);
    let nobody = AccountId("acct_nobody".to_owned());
    assert!(matches!(
        fixture.store.withdraw(&nobody, Credits::new(1)).await,
        Err(GrantRefused::NoAccount(_))
    ));
}
