//! Where the database is, and how it is connected to.

use super::{OpenError, session};
use deadpool_postgres::{Hook, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, NoTlsStream};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How many sessions a node has at the same time.
const CONNECTIONS_MAX: usize = 16;

/// How long a command waits for a free session.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a connection may take to come up.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Where the database is.
#[derive(Clone)]
pub struct Address {
    /// Where commands go: may be a pooler, in any mode.
    commands: Config,
    /// Where a session can listen: the database itself.
    listening: Option<Config>,
}

/// A URL that names no database.
#[derive(Debug, thiserror::Error)]
#[error(
    "not a URL of a PostgreSQL database, such as `postgres://clipia@db.example.com/clipia?sslmode=require`: {0}"
)]
pub struct AddressInvalid(Error);

impl Address {
    /// The database of a URL, such as `postgres://clipia@db.example.com/clipia?sslmode=require`. The URL may be that of a pooler.
    ///
    /// # Errors
    /// [`AddressInvalid`] where it is no such URL.
    pub fn new(url: &str) -> Result<Self, AddressInvalid> {
        Ok(Self { commands: config(url)?, listening: None })
    }

    /// Adds the URL of the database itself, beside that of a pooler: a session there hears at once what other nodes do. Without it
    /// this node looks every 200 ms.
    ///
    /// # Errors
    /// [`AddressInvalid`] where it is no such URL.
    pub fn listening_at(self, url: &str) -> Result<Self, AddressInvalid> {
        Ok(Self { listening: Some(config(url)?), ..self })
    }

    /// Whether a session can listen.
    pub(crate) const fn listens(&self) -> bool {
        self.listening.is_some()
    }

    /// The sessions of commands.
    pub(crate) fn pool(&self) -> Result<Pool, OpenError> {
        // Nothing is asked of a session before it is used again: a query that cannot be sent says the same.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match tls(&self.commands)? {
            Some(tls) => Manager::from_config(self.commands.clone(), tls, manager),
            None => Manager::from_config(self.commands.clone(), NoTls, manager),
        };
        let timeouts = Timeouts { wait: Some(WAIT_MAX), create: Some(CONNECT_MAX), recycle: Some(WAIT_MAX) };
        Pool::builder(manager)
            .max_size(CONNECTIONS_MAX)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(|client, _| Box::pin(session::begin(client))))
            .build()
            .map_err(|error| OpenError::Tls(error.to_string()))
    }

    /// A session that listens, and the connection that must be polled for it.
    pub(crate) async fn listen(&self) -> Result<Option<Listening>, OpenError> {
        let Some(config) = &self.listening else { return Ok(None) };
        Ok(Some(match tls(config)? {
            Some(tls) => {
                let (client, connection) = config.connect(tls).await?;
                Listening { client, messages: Messages::Tls(Box::new(connection)) }
            }
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                Listening { client, messages: Messages::Plain(Box::new(connection)) }
            }
        }))
    }
}

/// A session that listens.
pub(crate) struct Listening {
    pub(crate) client: Client,
    pub(crate) messages: Messages,
}

type Tls = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// What comes over a connection.
pub(crate) enum Messages {
    Plain(Box<Connection<Socket, NoTlsStream>>),
    Tls(Box<Connection<Socket, Tls>>),
}

impl Messages {
    /// The next message; nothing once the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Result<AsyncMessage, Error>> {
        std::future::poll_fn(|context| match self {
            Self::Plain(connection) => connection.poll_message(context),
            Self::Tls(connection) => connection.poll_message(context),
        })
        .await
    }
}

impl fmt::Debug for Address {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("hosts", &self.commands.get_hosts())
            .field("ports", &self.commands.get_ports())
            .field("database", &self.commands.get_dbname())
            .field("listens", &self.listens())
            .finish_non_exhaustive()
    }
}

fn config(url: &str) -> Result<Config, AddressInvalid> {
    let mut config = Config::from_str(url).map_err(AddressInvalid)?;
    config.connect_timeout(CONNECT_MAX);
    if config.get_application_name().is_none() {
        config.application_name("clipia");
    }
    // TLS is used where the URL asks for it. To try it unasked would fail at the certificates that no authority has signed, which
    // Debian makes for every new server.
    if config.get_ssl_mode() == SslMode::Prefer {
        config.ssl_mode(SslMode::Disable);
    }
    Ok(config)
}

/// The connector for TLS, where the URL asks for it. The certificate must be one of an authority that the system trusts.
fn tls(config: &Config) -> Result<Option<MakeRustlsConnect>, OpenError> {
    if config.get_ssl_mode() == SslMode::Disable {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(OpenError::Tls("the system has no certificates of authorities".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown_and_tls_is_used_where_it_is_asked_for() {
        let address = Address::new("postgres://clipia:hunter2@db.example.com:6432/clipia").unwrap();
        let shown = format!("{address:?}");
        assert!(shown.contains("db.example.com") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(address.commands.get_ssl_mode(), SslMode::Disable);
        let asked = Address::new("postgres://clipia@db.example.com/clipia?sslmode=require").unwrap();
        assert_eq!(asked.commands.get_ssl_mode(), SslMode::Require);
        let invalid = Address::new("mysql://clipia:hunter2@db").unwrap_err().to_string();
        assert!(!invalid.contains("hunter2"), "{invalid}");
    }
}
