//! A connection as commands use it.
//!
//! Every statement says the types of its parameters. It is prepared once a session where the [session](super::session) can keep it.
//! Statements whose results nobody waits for are [sent later](Connection::later), together with the next one that is waited for: one
//! round trip for all of them, in their order.

use super::faults;
use super::rows::Row;
use super::session;
use super::values::Value;
use clipia_queue::Moment;
use clipia_store::StoreError;
use deadpool_postgres::Object;
use futures_util::future::BoxFuture;
use std::borrow::Cow;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use tokio::sync::MutexGuard;
use tokio_postgres::Statement;
use tokio_postgres::types::{ToSql, Type};

/// The text of a statement.
pub(crate) type Text = Cow<'static, str>;

/// A statement that is to be sent.
enum Step {
    /// Without parameters or results, such as the beginning of a transaction.
    Plain(Text),
    /// The database's clock is read.
    Clock,
    /// Rows are changed.
    Execute(Text, Vec<Value>),
}

/// The database's clock, in microseconds since the Unix epoch.
pub(crate) const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now";

/// A connection, with the statements that are to be sent.
pub(crate) struct Connection {
    /// Taken out only where the connection is given up.
    client: Option<Object>,
    later: Mutex<Vec<Step>>,
    clock: Mutex<Option<Moment>>,
    prepares: AtomicBool,
    /// Held while statements are sent. A statement that is prepared first does not let the ones behind it pass.
    sending: tokio::sync::Mutex<()>,
}

/// What a statement in the pipeline returned.
enum Done {
    Nothing,
    Rows(Vec<tokio_postgres::Row>),
    Changed(u64),
}

impl Connection {
    pub(crate) fn new(client: Object) -> Self {
        let prepares = session::prepares(&client);
        Self::of(Some(client), prepares)
    }

    fn of(client: Option<Object>, prepares: bool) -> Self {
        Self {
            client,
            prepares: AtomicBool::new(prepares),
            later: Mutex::default(),
            clock: Mutex::default(),
            sending: Default::default(),
        }
    }

    fn prepares(&self) -> bool {
        self.prepares.load(Ordering::Relaxed)
    }

    /// Prepares nothing for the rest of the transaction, and leaves its plans to the planner: the statements are rare, and their best plans
    /// depend on what there is.
    pub(crate) fn plan_anew(&self) {
        self.prepares.store(false, Ordering::Relaxed);
        self.plain(
            "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on",
        );
    }

    fn client(&self) -> Result<&Object, StoreError> {
        self.client.as_ref().ok_or(StoreError::Closed)
    }

    fn push(&self, step: Step) {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Sends a statement without parameters with the next one.
    pub(crate) fn plain(&self, text: impl Into<Text>) {
        self.push(Step::Plain(text.into()));
    }

    /// Changes rows. The statement is sent with the next one that is waited for, at the latest with the end of the transaction.
    pub(crate) fn later(&self, text: impl Into<Text>, values: Vec<Value>) {
        self.push(Step::Execute(text.into(), values));
    }

    /// The rows of a query.
    pub(crate) async fn query(&self, text: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        match self.send(Some((text, values, true))).await? {
            Done::Rows(rows) => Ok(rows.into_iter().map(Row).collect()),
            Done::Nothing | Done::Changed(_) => Ok(Vec::new()),
        }
    }

    /// The first row of a query, if there is one.
    pub(crate) async fn optional(&self, text: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        Ok(self.query(text, values).await?.into_iter().next())
    }

    /// The row of a query that always has one.
    pub(crate) async fn one(&self, text: &str, values: Vec<Value>) -> Result<Row, StoreError> {
        self.optional(text, values)
            .await?
            .ok_or_else(|| StoreError::Unreadable("a query without a row".to_owned()))
    }

    /// Changes rows. Returns how many.
    pub(crate) async fn execute(&self, text: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        match self.send(Some((text, values, false))).await? {
            Done::Changed(rows) => Ok(rows),
            Done::Nothing | Done::Rows(_) => Ok(0),
        }
    }

    /// Sends what is to be sent, and waits for it.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.send(None).await.map(drop)
    }

    /// The database's clock, as [`clock_later`](Self::clock_later) had it read.
    pub(crate) async fn clock(&self) -> Result<Moment, StoreError> {
        let read = || *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if read().is_none() {
            self.flush().await?;
        }
        read().ok_or_else(|| StoreError::Unreadable("the database's clock was not read".to_owned()))
    }

    /// Reads the database's clock with the next statement.
    pub(crate) fn clock_later(&self) {
        self.push(Step::Clock);
    }

    /// Forgets what was to be sent.
    pub(crate) fn forget_later(&self) {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The connection for what follows the transaction.
    pub(crate) fn hand_over(&mut self) -> Self {
        Self::of(self.client.take(), self.prepares())
    }

    /// Closes the connection: nobody knows in what state it is.
    pub(crate) fn give_up(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }

    /// Sends all statements at once, in their order, and waits for their results. The first error is the one that counts: those
    /// behind it in a transaction only say that the transaction has failed.
    async fn send(&self, last: Option<(&str, Vec<Value>, bool)>) -> Result<Done, StoreError> {
        let client = self.client()?;
        let steps = std::mem::take(&mut *self.later.lock().unwrap_or_else(PoisonError::into_inner));
        let sending = self.sending.lock().await;
        let mut sent = Vec::with_capacity(steps.len() + 1);
        for step in &steps {
            sent.push(match step {
                Step::Plain(text) => Sent::Plain(text),
                Step::Clock => self.sent(CLOCK, &[], true).await?,
                Step::Execute(text, values) => self.sent(text, values, false).await?,
            });
        }
        if let Some((text, values, has_rows)) = &last {
            sent.push(self.sent(text, values, *has_rows).await?);
        }
        let running = sent.iter().map(|sent| -> BoxFuture<'_, _> { Box::pin(sent.run(client)) }).collect();
        let mut results = in_order(running, sending).await;
        let response = match last {
            Some(_) => results.pop(),
            None => None,
        };
        for (step, result) in steps.iter().zip(results) {
            let done = result.map_err(faults::of)?;
            if let (Step::Clock, Done::Rows(rows)) = (step, done)
                && let Some(row) = rows.into_iter().next()
            {
                *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(Row(row).moment("now")?);
            }
        }
        response.unwrap_or(Ok(Done::Nothing)).map_err(faults::of)
    }

    /// A statement as it is sent. One that is to be prepared is prepared first, if the session does not have it yet.
    async fn sent<'a>(
        &self,
        text: &'a str,
        values: &'a [Value],
        has_rows: bool,
    ) -> Result<Sent<'a>, StoreError> {
        let statement = match self.prepares() {
            true => {
                let types: Vec<Type> = values.iter().map(|value| value.typed().1).collect();
                Some(self.client()?.prepare_typed_cached(text, &types).await.map_err(faults::of)?)
            }
            false => None,
        };
        Ok(Sent::Typed { text, values, statement, has_rows })
    }
}

/// A statement as it is sent.
enum Sent<'a> {
    Plain(&'a str),
    Typed {
        text: &'a str,
        values: &'a [Value],
        /// Under which it is prepared.
        statement: Option<Statement>,
        has_rows: bool,
    },
}

impl Sent<'_> {
    async fn run(&self, client: &Object) -> Result<Done, tokio_postgres::Error> {
        match self {
            Self::Plain(text) => client.batch_execute(text).await.map(|()| Done::Nothing),
            Self::Typed { values, statement: Some(statement), has_rows, .. } => {
                let values: Vec<_> = values.iter().map(|value| value.typed().0).collect();
                match has_rows {
                    true => client.query(statement, &values).await.map(Done::Rows),
                    false => client.execute(statement, &values).await.map(Done::Changed),
                }
            }
            Self::Typed { text, values, statement: None, has_rows } => {
                let values = typed(values);
                match has_rows {
                    true => client.query_typed(text, &values).await.map(Done::Rows),
                    false => client.execute_typed(text, &values).await.map(Done::Changed),
                }
            }
        }
    }
}

fn typed(values: &[Value]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    values.iter().map(Value::typed).collect()
}

/// Runs futures together. Each is begun before the ones behind it: the driver sends a statement when its future is polled first. Then
/// others may send.
async fn in_order<T>(mut running: Vec<BoxFuture<'_, T>>, sending: MutexGuard<'_, ()>) -> Vec<T> {
    let mut results: Vec<Option<T>> = running.iter().map(|_| None).collect();
    let mut sending = Some(sending);
    poll_fn(|context| {
        let mut waits = false;
        for (future, result) in running.iter_mut().zip(&mut results) {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *result = Some(done),
                    Poll::Pending => waits = true,
                }
            }
        }
        sending.take();
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;
    use crate::values::values;
    use clipia_tests_postgres::Server;

    #[tokio::test]
    async fn a_statement_that_is_prepared_first_is_not_passed_by_the_ones_behind_it() {
        let Some(server) = Server::shared() else { return };
        let database = server.database("template1");
        database.run("CREATE TABLE sent (number BIGINT GENERATED ALWAYS AS IDENTITY, what BIGINT)");
        let pool = Address::new(&database.url()).unwrap().pool().unwrap();
        let c = Connection::new(pool.get().await.unwrap());
        let known = "INSERT INTO sent (what) VALUES ($1)";
        c.execute(known, values![0_i64]).await.unwrap();
        let (new, later) = ("INSERT INTO sent (what) SELECT $1", "INSERT INTO sent (what) SELECT $1 + 0");
        let second = async {
            c.later(later, values![2_i64]);
            c.execute(known, values![3_i64]).await
        };
        tokio::try_join!(biased; c.execute(new, values![1_i64]), second, c.execute(known, values![4_i64]))
            .unwrap();
        let sent = c.query("SELECT what FROM sent ORDER BY number", Vec::new()).await.unwrap();
        let sent: Vec<i64> = sent.iter().map(|row| row.get("what").unwrap()).collect();
        assert_eq!(sent, [0, 1, 2, 3, 4]);
    }
}
