//! Accounts: their making, their credits, and what they used.

use super::connection::Connection;
use super::rows::Row;
use super::values::values;
use super::writing::Writing;
use super::{audit, keys, ledger, webhook_secrets};
use clipia_queue::audit::Act;
use clipia_queue::commands::grant;
use clipia_queue::ledger::Balance;
use clipia_queue::{Credits, Moment, usage};
use clipia_store::{
    AccountId, AccountSummary, Bootstrapped, FirstAccount, GrantRefused, NewAccount, StoreError,
};

/// False where the id is taken.
pub(crate) async fn create(w: &Writing, account: &NewAccount) -> Result<bool, StoreError> {
    let now = w.now().await?;
    let created = w
        .execute(
            "INSERT INTO account (id, available, held, created_at) VALUES ($1, 0, 0, $2) ON CONFLICT DO NOTHING",
            values![&account.id, now.wall],
        )
        .await?;
    if created == 0 {
        return Ok(false);
    }
    webhook_secrets::first(w, &account.id, &account.webhook_secret, now);
    let entry = grant::open(account.grant).map_err(|refused| StoreError::Unreadable(refused.to_string()))?;
    ledger::enter(w, &account.id, entry, None, now);
    ledger::set_balance(w, &account.id, entry.balance)?;
    audit::record(w, &Act::account_created(&account.id, account.grant), now);
    Ok(true)
}

/// Gives credits. Returns the new balance.
pub(crate) async fn grant(
    w: &Writing,
    account: &AccountId,
    granted: Credits,
) -> Result<Balance, GrantRefused> {
    let now = w.now().await?;
    let entry = grant::grant(balance(w, account).await?, granted)?;
    ledger::enter(w, account, entry, None, now);
    ledger::set_balance(w, account, entry.balance)?;
    audit::record(w, &Act::credits_granted(account, granted), now);
    Ok(entry.balance)
}

/// Takes credits back. Returns the new balance.
pub(crate) async fn withdraw(
    w: &Writing,
    account: &AccountId,
    withdrawn: Credits,
) -> Result<Balance, GrantRefused> {
    let now = w.now().await?;
    let entry = grant::withdraw(balance(w, account).await?, withdrawn)?;
    ledger::enter(w, account, entry, None, now);
    ledger::set_balance(w, account, entry.balance)?;
    audit::record(w, &Act::credits_withdrawn(account, withdrawn), now);
    Ok(entry.balance)
}

/// The balance of an account, which is locked to the end of the transaction.
async fn balance(w: &Writing, account: &AccountId) -> Result<Balance, GrantRefused> {
    let locked = ledger::lock_one(w, account).await?;
    Ok(locked.ok_or_else(|| GrantRefused::NoAccount(account.clone()))?.balance)
}

/// Creates the first account, unless there is one.
pub(crate) async fn bootstrap(w: &Writing, first: &FirstAccount) -> Result<Bootstrapped, StoreError> {
    // No account is made meanwhile, by whichever node.
    w.plain("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE");
    if w.one("SELECT EXISTS (SELECT 1 FROM account) AS found", Vec::new()).await?.get("found")? {
        return Ok(Bootstrapped::Exists);
    }
    create(w, &first.account).await?;
    for key in &first.keys {
        if !keys::create(w, key).await? {
            return Err(StoreError::Unreadable(format!("the key {} is of another account", key.id)));
        }
    }
    Ok(Bootstrapped::Created)
}

/// The balance and the usage of an account.
pub(crate) async fn summary(
    c: &Connection,
    account: &AccountId,
    now: Moment,
) -> Result<Option<AccountSummary>, StoreError> {
    let found = c
        .optional(
            "SELECT available,
                (SELECT coalesce(sum(requests), 0)::bigint FROM usage_day WHERE account = $1 AND day >= $2) AS requests,
                (SELECT coalesce(sum(credits), 0)::bigint FROM usage_day WHERE account = $1 AND day >= $2) AS spent
             FROM account WHERE id = $1",
            values![account, usage::first_day(now)],
        )
        .await?;
    let summary = |row: Row| {
        Ok(AccountSummary {
            available: row.credits("available")?,
            requests_30d: row.count("requests")?,
            spent_30d: row.credits("spent")?,
        })
    };
    found.map(summary).transpose()
}
