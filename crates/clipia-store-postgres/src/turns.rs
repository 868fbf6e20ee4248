//! The turns of accounts in a queue. They change with every batch, and are found as [`ledger`](super::ledger) says such rows are.

use super::values::values;
use super::writing::Writing;

/// All turns of queue `$1`, the columns `account` and `turn`, as the body of a recursive query `t`: from account to account, each by its
/// version that counts.
pub(crate) const ALL: &str = "
    (SELECT account, turn FROM queue_turn WHERE queue = $1 ORDER BY account DESC LIMIT 1)
    UNION ALL
    SELECT next.* FROM t, LATERAL (
        SELECT account, turn FROM queue_turn WHERE queue = $1 AND account < t.account ORDER BY account DESC LIMIT 1
    ) next";

/// The query of the turn of an account in queue `$1`, the columns `account` and `turn`.
pub(crate) fn newest(account: &str) -> String {
    format!(
        "SELECT account, turn FROM queue_turn WHERE queue = $1 AND account >= {account} AND account <= {account}
         ORDER BY account DESC LIMIT 1"
    )
}

/// Locks the turns of accounts, each in a queue.
pub(crate) fn lock(w: &Writing, mut of: Vec<(String, String)>) {
    of.sort_unstable();
    let (queues, accounts): (Vec<_>, Vec<_>) = of.into_iter().unzip();
    w.later(
        "SELECT 1 FROM unnest($1::text[], $2::text[]) AS asked (queue, account), LATERAL (
            SELECT 1 FROM queue_turn t
            WHERE t.queue = asked.queue AND t.account >= asked.account AND t.account <= asked.account
            ORDER BY t.account DESC LIMIT 1 FOR NO KEY UPDATE) locked",
        values![queues, accounts],
    );
}
