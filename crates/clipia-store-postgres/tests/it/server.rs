//! A PostgreSQL server of the tests' own. There is one for all of them, and a database for each.

use clipia_store_postgres::{Address, migrate};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio_postgres::NoTls;

/// The database that those of the tests are copies of.
const TEMPLATE: &str = "template_of_tests";

static SERVER: LazyLock<Option<Server>> = LazyLock::new(Server::start);

/// A server. It ends when this process does, since its input ends then.
struct Server {
    directory: String,
    _running: Child,
}

/// A database of a test.
pub(crate) struct Database {
    name: String,
    server: &'static Server,
}

impl Server {
    /// Nothing where no PostgreSQL is installed.
    fn start() -> Option<Self> {
        let (directory, running) = start(include_str!("server.sh"), &[], "postgresql")?;
        let server = Self { directory, _running: running };
        server.run(&format!("CREATE DATABASE {TEMPLATE}"));
        let address = server.address(TEMPLATE);
        elsewhere(async move {
            migrate(&address).await.unwrap();
        });
        Some(server)
    }

    fn url(&self, database: &str) -> String {
        format!("host={} user=clipia dbname={database}", self.directory)
    }

    fn address(&self, database: &str) -> Address {
        Address::new(&self.url(database)).unwrap()
    }

    /// Runs a statement on the server.
    fn run(&self, statement: &str) {
        run_on(self.url("postgres"), statement);
    }
}

/// Starts a program by a script that ends it when its input ends. Returns the first line that it prints; nothing where the program is
/// not installed.
fn start(script: &str, arguments: &[&str], package: &str) -> Option<(String, Child)> {
    // Not in the process group of the tests: an interrupt from the terminal would come to it before they end.
    let mut command = Command::new("setsid");
    if is_root() {
        command.args(["runuser", "-u", "nobody", "--"]);
    }
    command.args(["sh", "-c", script, "sh"]).args(arguments);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let said = said.trim().to_owned();
    assert!(!said.is_empty(), "it did not start: see above");
    if said == "none" {
        running.wait().unwrap();
        assert!(std::env::var_os("CI").is_none(), "{package} is not installed: `apt-get install {package}`");
        eprintln!("left out: {package} is not installed (`apt-get install {package}`)");
        return None;
    }
    Some((said, running))
}

/// PgBouncer in transaction mode before the server.
pub(crate) struct Pooler {
    directory: String,
    _running: Child,
}

impl Pooler {
    /// Nothing where it is not installed, or no PostgreSQL is.
    pub(crate) fn get() -> Option<&'static Self> {
        static POOLER: LazyLock<Option<Pooler>> = LazyLock::new(|| {
            let server = SERVER.as_ref()?;
            let (directory, running) = start(include_str!("pooler.sh"), &[&server.directory], "pgbouncer")?;
            Some(Pooler { directory, _running: running })
        });
        POOLER.as_ref()
    }

    /// A database behind the pooler.
    pub(crate) fn address(&self, database: &Database) -> Address {
        let url = format!("host={} port=6432 user=clipia dbname={}", self.directory, database.name);
        Address::new(&url).unwrap()
    }
}

fn run_on(url: String, statement: &str) {
    let statement = statement.to_owned();
    elsewhere(async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(&statement).await.unwrap();
    });
}

/// Runs on a thread and a runtime of its own: a test may be in the middle of its own.
fn elsewhere(work: impl Future<Output = ()> + Send + 'static) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(move || runtime().block_on(work)).join().unwrap();
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

impl Database {
    /// A database with an empty store; nothing where no PostgreSQL is installed.
    pub(crate) fn new() -> Option<Self> {
        Self::of(TEMPLATE)
    }

    /// A database without a store.
    pub(crate) fn empty() -> Option<Self> {
        Self::of("template1")
    }

    fn of(template: &str) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = SERVER.as_ref()?;
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        server.run(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Some(Self { name, server })
    }

    pub(crate) fn address(&self) -> Address {
        self.server.address(&self.name)
    }

    /// Where a session can listen.
    pub(crate) fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Runs a statement in the database.
    pub(crate) fn run(&self, statement: &str) {
        run_on(self.url(), statement);
    }
}

impl Database {
    /// The number that a query returns.
    pub(crate) fn number(&self, query: &str) -> i64 {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (url, query) = (self.url(), query.to_owned());
        elsewhere(async move {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            sender.send(client.query_one(&query, &[]).await.unwrap().get(0)).unwrap();
        });
        receiver.recv().unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.server.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}
