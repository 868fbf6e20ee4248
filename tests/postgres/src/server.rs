//! A PostgreSQL server, and its databases.

use crate::Running;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use tokio_postgres::{Client, NoTls};

/// The port of a server's socket, where no other is asked for.
const PORT: u16 = 5432;

/// A PostgreSQL server. It ends when the last value that refers to it is dropped, or this process ends.
#[derive(Clone)]
pub struct Server {
    directory: String,
    port: u16,
    running: Arc<Mutex<Running>>,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// Sessions are ended, and what is committed is written down.
    Fast,
    /// As by a crash: the next start recovers.
    Immediate,
}

/// A database of a test. It is removed when this value is dropped.
pub struct Database {
    name: String,
    server: Server,
}

impl Server {
    /// A server with these settings beside those of every test, in the form of `postgresql.conf`: `fsync = on`. Nothing where no
    /// PostgreSQL is installed.
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::start_at(PORT, settings)
    }

    fn start_at(port: u16, settings: &[&str]) -> Option<Self> {
        let running = Running::start(include_str!("server.sh"), settings, "postgresql")?;
        Some(Self { directory: running.directory.clone(), port, running: Arc::new(Mutex::new(running)) })
    }

    /// A server that is reached by TLS only, beside its socket, and the certificate of its authority as PEM. Nothing where no PostgreSQL is
    /// installed.
    pub fn with_tls() -> Option<(Self, String)> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Self::start_at(port, &["listen_addresses = '127.0.0.1'", &format!("port = {port}")])?;
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        for (name, file) in [("crt", cert.pem()), ("key", signing_key.serialize_pem())] {
            // Written by the server itself: it takes only a key that is its own.
            server.run(&format!(
                "COPY (SELECT unnest(string_to_array('{}', E'\n')))
                 TO PROGRAM 'umask 077; cat >{}/server.{name}'",
                file.trim_end(),
                server.directory,
            ));
            let setting = if name == "crt" { "ssl_cert_file" } else { "ssl_key_file" };
            server.run(&format!("ALTER SYSTEM SET {setting} = '{}/server.{name}'", server.directory));
        }
        server.run(&format!(
            "COPY (SELECT unnest(ARRAY['local all all trust', 'hostssl all all 127.0.0.1/32 trust']))
             TO '{}/data/pg_hba.conf'",
            server.directory
        ));
        server.run("ALTER SYSTEM SET ssl = on");
        server.run("SELECT pg_reload_conf()");
        Some((server, cert.pem()))
    }

    /// The URL of a database by which it is reached with TLS.
    pub fn tls_url(&self, database: &Database) -> String {
        format!("postgres://clipia@localhost:{}/{}?sslmode=require", self.port, database.name)
    }

    /// The server that the tests of this process share. Nothing where no PostgreSQL is installed.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: LazyLock<Option<Server>> = LazyLock::new(|| Server::start(&[]));
        SHARED.as_ref()
    }

    /// The directory of the socket.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&port={}&user=clipia", self.directory, self.port)
    }

    /// Runs statements in the database that every server has.
    pub fn run(&self, statements: &str) {
        run(self.url("postgres"), statements);
    }

    /// A database that equals `template`; `template1` is empty.
    pub fn database(&self, template: &str) -> Database {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.run(&format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Database { name, server: self.clone() }
    }

    /// Stops the server and starts it again. Returns once it takes sessions.
    pub fn restart(&self, how: Stop) {
        let mut running = self.running.lock().unwrap();
        let way: &[u8] = match how {
            Stop::Fast => b"fast\n",
            Stop::Immediate => b"immediate\n",
        };
        running.child.stdin.as_mut().unwrap().write_all(way).unwrap();
        assert_eq!(running.line(), "ready");
    }
}

impl Database {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Runs statements.
    pub fn run(&self, statements: &str) {
        run(self.url(), statements);
    }

    /// The number that a query returns.
    pub fn number(&self, query: &str) -> i64 {
        let query = query.to_owned();
        with_client(self.url(), async move |client| client.query_one(&query, &[]).await.unwrap().get(0))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A test that failed may have ended the server.
        if !std::thread::panicking() {
            self.server.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

fn run(url: String, statements: &str) {
    let statements = statements.to_owned();
    with_client(url, async move |client| client.batch_execute(&statements).await.unwrap());
}

/// Uses a session on a thread and a runtime of its own: a test may be in the middle of its own.
fn with_client<T, Work>(url: String, work: Work) -> T
where
    T: Send + 'static,
    Work: AsyncFnOnce(Client) -> T + Send + 'static,
{
    let working = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            work(client).await
        })
    });
    working.join().unwrap()
}
