use super::{Fixture, NOW, account, fox, key, new_key};
use crate::{Key, Store, Submission, SubmitRefused};
use clipia_api::types::Output;
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::limits::{CreditBudget, KeyLimits, OverBudget, Per, SpentCredits};
use clipia_queue::{Credits, Failure, Moment};
use futures_util::future::{join, join_all};
use std::sync::Arc;
use std::time::Duration;

/// Two submits, and most of a third.
const BUDGET: CreditBudget = CreditBudget { credits: Credits::new(30), per: Per::Day };

/// A submit of a key with a budget.
fn thrifty() -> Submission {
    Submission { key: Arc::new(thrifty_key(false)), ..fox() }
}

fn thrifty_key(sandbox: bool) -> Key {
    let id = if sandbox { "key_thrifty_sandbox" } else { "key_thrifty" };
    let limits = KeyLimits { credits: Some(BUDGET), ..key().limits };
    Key { id: id.to_owned(), sandbox, limits, ..key() }
}

impl Fixture {
    async fn create_thrifty_keys(&self) {
        self.rich().await;
        for (sandbox, hash) in [(false, 31), (true, 32)] {
            assert!(self.store.create_key(new_key(thrifty_key(sandbox), hash)).await.unwrap());
        }
    }
}

/// What a key has spent, as it is listed.
async fn spent(store: &dyn Store, id: &str) -> SpentCredits {
    store.keys(None, 9).await.unwrap().keys.into_iter().find(|key| key.id == id).unwrap().spent
}

fn credits(of: SpentCredits) -> u64 {
    of.credits.get()
}

fn over<T: std::fmt::Debug>(refused: Result<T, SubmitRefused>) -> OverBudget {
    match refused {
        Err(SubmitRefused::Budget(over)) => over,
        other => panic!("{other:?}"),
    }
}

pub async fn a_key_spends_no_more_than_its_budget(fixture: &Fixture) {
    fixture.create_thrifty_keys().await;
    let store = &fixture.store;
    assert_eq!(spent(store.as_ref(), "key_thrifty").await, SpentCredits::default());
    let named = |cost| Submission {
        idempotency: Some(("fox-1".to_owned(), Fingerprint([1; 32]))),
        cost: Credits::new(cost),
        ..thrifty()
    };
    // What was refused did not use the idempotency key up, and what is repeated spends nothing.
    let refused = over(store.submit(named(31)).await);
    assert_eq!((refused.budget, credits(refused.spent), refused.cost), (BUDGET, 0, Credits::new(31)));
    let id = fixture.submit(named(12)).await;
    assert_eq!(fixture.submit(named(12)).await, id);
    fixture.submit(thrifty()).await;
    let refused = over(store.submit(thrifty()).await);
    let expected = SpentCredits { period: Per::Day.period(NOW), credits: Credits::new(24) };
    assert_eq!(refused.spent, expected);
    assert_eq!(spent(store.as_ref(), "key_thrifty").await, expected);
    assert_eq!(fixture.submit(named(12)).await, id, "a full budget repeats");
    fixture.submit(Submission { cost: Credits::new(6), ..thrifty() }).await;
    fixture.submit(Submission { cost: Credits::ZERO, ..thrifty() }).await;
    assert_eq!(fixture.available().await, 1_000_070);

    // Another key of the account has its own, and the sandbox spends nothing.
    fixture.submit(fox()).await;
    for _ in 0..3 {
        let key = Arc::new(thrifty_key(true));
        fixture.submit(Submission { key, sample: Some(Output::default()), ..fox() }).await;
    }
    for (id, expected) in [("key_thrifty", 30), ("key_thrifty_sandbox", 0), ("key_1", 0)] {
        assert_eq!(credits(spent(store.as_ref(), id).await), expected, "{id}");
    }

    // The next day is whole.
    let tomorrow = fixture.at(expected.period.end());
    tomorrow.submit(thrifty()).await.unwrap();
    let of_tomorrow = spent(tomorrow, "key_thrifty").await;
    assert_eq!((of_tomorrow.period.start(), credits(of_tomorrow)), (expected.period.end(), 12));
}

pub async fn what_is_not_charged_goes_back_to_the_budget_of_its_day(fixture: &Fixture) {
    fixture.create_thrifty_keys().await;
    let store = &fixture.store;
    let now = async || credits(spent(store.as_ref(), "key_thrifty").await);
    let (first, second) = (fixture.submit(thrifty()).await, fixture.submit(thrifty()).await);
    let claim = fixture.claim().await;
    store.fail(first, claim.epoch, Failure::generation("no")).await.unwrap();
    assert_eq!(now().await, 12);
    let third = fixture.submit(thrifty()).await;
    over(store.submit(thrifty()).await);
    store.cancel(third).await.unwrap();
    assert_eq!(now().await, 12);
    let claim = fixture.claim().await;
    store.complete(second, claim.epoch, Output::default()).await.unwrap();
    assert_eq!(now().await, 12, "what is charged stays spent");

    // What was submitted the day before gives nothing back to this one, and neither has it spent anything of it.
    let yesterday = fixture.submit(thrifty()).await;
    let tomorrow = fixture.at(Per::Day.period(NOW).end());
    tomorrow.submit(thrifty()).await.unwrap();
    tomorrow.submit(thrifty()).await.unwrap();
    tomorrow.cancel(yesterday).await.unwrap();
    assert_eq!(now().await, 24);
    over(tomorrow.submit(thrifty()).await);
}

pub async fn a_clock_that_is_set_back_gives_no_second_budget(fixture: &Fixture) {
    fixture.create_thrifty_keys().await;
    let (first, second) = (fixture.submit(thrifty()).await, fixture.submit(thrifty()).await);
    let day = Per::Day.period(NOW);
    let before = |time: Moment, seconds| time - Duration::from_secs(seconds);
    let yesterday = fixture.at(before(day.start(), 60));
    assert_eq!(over(yesterday.submit(thrifty()).await).spent.period, day);
    yesterday.cancel(first).await.unwrap();
    let refunded = yesterday.submit(thrifty()).await.unwrap().id;
    over(yesterday.submit(thrifty()).await);
    let today = fixture.at(before(day.end(), 60));
    over(today.submit(thrifty()).await);
    today.cancel(second).await.unwrap();
    assert_eq!(credits(spent(today, "key_thrifty").await), 12);
    // It was submitted the day before, by the clock of that time.
    today.cancel(refunded).await.unwrap();
    assert_eq!(credits(spent(today, "key_thrifty").await), 12);
}

pub async fn concurrent_submits_of_a_key_stay_within_its_budget(fixture: &Fixture) {
    fixture.create_thrifty_keys().await;
    let price = |cost| Submission { cost: Credits::new(cost), ..thrifty() };
    for _ in 0..4 {
        let submits = (0..24).map(|_| fixture.store.submit(price(4)));
        let submits = join_all(submits).await;
        let ids: Vec<_> = submits.iter().filter_map(|submit| Some(submit.as_ref().ok()?.id)).collect();
        assert_eq!(ids.len(), 7, "{submits:?}");
        let refused = submits.into_iter().filter(Result::is_err);
        refused.for_each(|refused| assert_eq!(credits(over(refused).spent), 28));
        // What is given back meanwhile is spent again, and no more.
        let cancels = join_all(ids.iter().map(|id| fixture.store.cancel(*id)));
        let submits = join_all((0..24).map(|_| fixture.store.submit(price(4))));
        let (cancels, submits) = join(cancels, submits).await;
        assert!(cancels.iter().all(Result::is_ok), "{cancels:?}");
        let again: Vec<_> = submits.iter().filter_map(|submit| Some(submit.as_ref().ok()?.id)).collect();
        assert!(again.len() <= 7, "{submits:?}");
        assert_eq!(credits(spent(fixture.store.as_ref(), "key_thrifty").await), 4 * again.len() as u64);
        fixture.is_consistent().await;
        join_all(again.iter().map(|id| fixture.store.cancel(*id))).await;
    }
    assert_eq!(fixture.available().await, 1_000_100);
    assert_eq!(fixture.store.account(&account()).await.unwrap().unwrap().spent_30d, Credits::ZERO);
}
