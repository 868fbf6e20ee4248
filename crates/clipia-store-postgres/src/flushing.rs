//! Commits that are on the disk a little later.
//!
//! A transaction holds its locks until its commit is on the disk, and others wait that long. A submit commits without waiting for the
//! disk instead: its locks are free, and its caller is told once a flush has followed. The log of the database is written in its order, so
//! whatever another transaction makes of the submit is on the disk no earlier. The flush is the commit of a message that says nothing: it
//! waits as the session's `synchronous_commit` tells, for copies of the database too. Nobody knows of a request whose submit was not
//! answered. What somebody can see before it is told, such as an end, commits with its flush.

use super::connection::Connection;
use super::months::Tables;
use super::values::values;
use clipia_queue::RequestId;
use clipia_store::{Fault, StoreError};
use std::sync::Arc;

/// The database has lost a commit: it was restarted before the commit was on the disk.
#[derive(Debug, thiserror::Error)]
#[error("the database was restarted and has lost a submit that was not on its disk yet: submit again")]
struct CommitLost;

/// A commit that is to be flushed.
#[must_use = "nothing of it may be told before it is flushed"]
pub(crate) struct Flushing(Connection);

impl Flushing {
    pub(crate) fn of(connection: Connection) -> Self {
        Self(connection)
    }

    /// Waits for the flush. The request, of these tables, is one that the commit made or saw. If the database was restarted meanwhile, as a
    /// pooler may hide, it may be gone: then the commit is lost.
    pub(crate) async fn wait(self, of: Tables, request: RequestId) -> Result<(), StoreError> {
        let flush = format!(
            "SELECT EXISTS (SELECT FROM request{of} WHERE id = $1) AS there,
                    pg_logical_emit_message(TRUE, 'clipia', '') IS NOT NULL AS flushed"
        );
        match self.0.one(&flush, values![request]).await?.get("there")? {
            true => Ok(()),
            false => Err(StoreError::Backend { fault: Fault::Busy, source: Arc::new(CommitLost) }),
        }
    }
}
