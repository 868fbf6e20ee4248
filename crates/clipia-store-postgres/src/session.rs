//! Sessions, and which of them keep prepared statements.
//!
//! To plan a short statement costs the database more than to run it: the statements of a submit are planned in some milliseconds and run
//! in one. So the commands that come most often are prepared once a session. A pooler may give each transaction another session, and
//! a prepared statement would be missing there, or be another node's. So a statement is prepared only where the session is surely the
//! database's own: the database and whoever took the connection say the same process number. A pooler makes a number up.

use deadpool_postgres::{ClientWrapper, HookError};
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{CancelToken, Error};

/// The statement that is prepared first: a session that keeps it keeps others.
const FIRST: &str = "SELECT 1";

/// How many statements a session keeps. Those of months that are gone would be kept for ever.
const KEPT_MAX: usize = 400;

/// A plan that is kept was made when a table had few rows, or many. So rows are always found by their keys, whatever the planner knew
/// then, and no plan depends on the values of one call. A small table without an index counts as a dear one then: nothing is compiled for it.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Looks at a new session, and prepares its first statement if it is the database's own.
pub(crate) async fn begin(client: &ClientWrapper) -> Result<(), HookError> {
    let here: i32 =
        client.query_typed_one("SELECT pg_backend_pid()", &[]).await.map_err(HookError::Backend)?.get(0);
    if said(&client.cancel_token()).await == Some(here) {
        client.batch_execute(PLANS).await.map_err(HookError::Backend)?;
        client.prepare_typed_cached(FIRST, &[]).await.map_err(HookError::Backend)?;
    }
    Ok(())
}

/// Whether statements may be prepared in a session.
pub(crate) fn prepares(client: &ClientWrapper) -> bool {
    if client.statement_cache.size() > KEPT_MAX {
        client.statement_cache.clear();
        return true;
    }
    client.statement_cache.size() > 0
}

/// The process number that whoever took the connection has said. The driver tells it only to whom it asks to cancel a query: it asks
/// nobody here.
async fn said(token: &CancelToken) -> Option<i32> {
    let (asked, mut asks) = duplex(64);
    let reads = async move {
        loop {
            let mut start = [0; 8];
            asks.read_exact(&mut start).await.ok()?;
            if start == TLS_ASKED {
                asks.write_all(b"S").await.ok()?;
                continue;
            }
            return asks.read_i32().await.ok();
        }
    };
    // What it says of the rest, such as that nobody reads on, does not matter.
    let (_, said) = tokio::join!(token.cancel_query_raw(asked, Plain), reads);
    said
}

/// The message by which the driver asks for TLS: its length and its code.
const TLS_ASKED: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Where the driver would begin TLS with whom it asks to cancel, nothing is begun.
struct Plain;

impl TlsConnect<DuplexStream> for Plain {
    type Stream = Same;
    type Error = Error;
    type Future = Ready<Result<Same, Error>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(Same(stream)))
    }
}

/// The same stream.
struct Same(DuplexStream);

impl TlsStream for Same {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Same {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Same {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;
    use clipia_tests_postgres::{Pooler, Server};
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::{ClientConfig, RootCertStore};
    use std::sync::Arc;
    use tokio_postgres::Config;
    use tokio_postgres_rustls::MakeRustlsConnect;

    async fn keeps(url: &str) -> bool {
        prepares(&Address::new(url).unwrap().pool().unwrap().get().await.unwrap())
    }

    #[tokio::test]
    async fn a_session_of_the_database_itself_keeps_statements_and_one_of_a_pooler_does_not() {
        let Some(server) = Server::shared() else { return };
        let database = server.database("template1");
        assert!(keeps(&database.url()).await);
        let Some(pooler) = Pooler::start(server) else { return };
        assert!(!keeps(&pooler.url(&database)).await);
    }

    #[tokio::test]
    async fn a_session_by_tls_keeps_statements() {
        let Some((server, authority)) = Server::with_tls() else { return };
        let database = server.database("template1");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config: Config = server.tls_url(&database).parse().unwrap();
        let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await.unwrap();
        let client = ClientWrapper::new(client, tokio::spawn(async { drop(connection.await) }));
        begin(&client).await.unwrap();
        assert!(prepares(&client));
    }

    #[tokio::test]
    async fn a_session_keeps_a_bounded_number_of_statements() {
        let Some(server) = Server::shared() else { return };
        let database = server.database("template1");
        let client = Address::new(&database.url()).unwrap().pool().unwrap().get().await.unwrap();
        for number in 0..KEPT_MAX {
            assert!(prepares(&client));
            client.prepare_typed_cached(&format!("SELECT {number}::bigint"), &[]).await.unwrap();
        }
        assert!(prepares(&client));
        assert_eq!(client.statement_cache.size(), 0);
        let kept: i64 =
            client.query_typed_one("SELECT count(*) FROM pg_prepared_statements", &[]).await.unwrap().get(0);
        assert_eq!(kept, 0);
    }
}
