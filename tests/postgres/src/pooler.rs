//! PgBouncer before a server.

use crate::Running;
use crate::server::{Database, Server};

/// PgBouncer in transaction mode before a server.
pub struct Pooler(Running);

impl Pooler {
    /// A pooler before `server`. Nothing where PgBouncer is not installed.
    pub fn start(server: &Server) -> Option<Self> {
        Running::start(include_str!("pooler.sh"), &[server.directory()], "pgbouncer").map(Self)
    }

    /// The URL of a database behind the pooler.
    pub fn url(&self, database: &Database) -> String {
        let Self(running) = self;
        format!("postgres:///{}?host={}&port=6432&user=clipia", database.name(), running.directory)
    }
}
