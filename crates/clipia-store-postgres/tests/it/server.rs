//! The databases of the tests, on one server, and a pooler before it.

use clipia_store_postgres::{Address, migrate};
use clipia_tests_postgres::{Pooler, Server};
use std::ops::Deref;
use std::sync::LazyLock;

/// The database with an empty store that those of the tests are copies of.
const TEMPLATE: &str = "template_of_tests";

static POOLER: LazyLock<Option<Pooler>> = LazyLock::new(|| Pooler::start(Server::shared()?));

/// A database of a test.
pub(crate) struct Database(clipia_tests_postgres::Database);

impl Database {
    /// A database with an empty store; nothing where no PostgreSQL is installed.
    pub(crate) fn new() -> Option<Self> {
        static SERVER: LazyLock<Option<&Server>> = LazyLock::new(|| {
            let server = Server::shared()?;
            server.run(&format!("CREATE DATABASE {TEMPLATE}"));
            let address = Address::new(&server.url(TEMPLATE)).unwrap();
            // A test may be in the middle of its own runtime.
            let migrating = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { migrate(&address).await.unwrap() })
            });
            migrating.join().unwrap();
            Some(server)
        });
        SERVER.map(|server| Self(server.database(TEMPLATE)))
    }

    /// A database without a store.
    pub(crate) fn empty() -> Option<Self> {
        Server::shared().map(|server| Self(server.database("template1")))
    }

    pub(crate) fn address(&self) -> Address {
        Address::new(&self.url()).unwrap()
    }

    /// Starts the servers, where they are installed. A process that is being started has the locks of this one for a moment.
    pub(crate) fn start_servers() {
        LazyLock::force(&POOLER);
    }

    /// The address of the database behind PgBouncer; nothing where it is not installed.
    pub(crate) fn address_behind_pooler(&self) -> Option<Address> {
        POOLER.as_ref().map(|pooler| Address::new(&pooler.url(self)).unwrap())
    }
}

impl Deref for Database {
    type Target = clipia_tests_postgres::Database;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
