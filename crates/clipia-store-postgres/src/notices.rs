//! What other nodes do: they notify this one, and it looks by itself now and then, since a notification may be lost.
//!
//! A commit that notifies takes a lock that all such commits of the database share. So notifications are sent beside the commands, by
//! statements of their own, and what is to be said within a short time is said together. What no table shows is noted in one, for nodes
//! that cannot listen.

use super::address::{Address, Listening};
use super::connection::{CLOCK, Connection};
use super::months;
use super::rows::{Row, from_json, to_json};
use super::values::values;
use super::{Database, OpenError};
use clipia_queue::RequestId;
use clipia_store::clock::Clock;
use clipia_store::{StoreError, StoreEvent};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_postgres::AsyncMessage;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The channel of the notifications.
const CHANNEL: &str = "clipia";

/// How long what is to be said is gathered: at most 20 notifications a second and node.
const GATHERED: Duration = Duration::from_millis(50);

/// The most that one notification says; PostgreSQL takes 8,000 bytes.
const SAID_MAX: usize = 50;

/// How long what is noted can be found. A node looks much more often.
const NOTED_FOR: Duration = Duration::from_secs(10);

/// How often a node looks by itself, where it cannot listen.
const LOOKS: Duration = Duration::from_millis(200);

/// How often a node looks by itself that listens.
const LOOKS_LISTENING: Duration = Duration::from_secs(1);

/// How long a node waits before it tries again to listen.
const LISTENS_AGAIN: Duration = Duration::from_secs(1);

/// Something that other nodes should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Submitted(String),
    Outbox,
    Canceled(Uuid),
    Revoked(String),
}

/// A notification.
#[derive(Debug, Serialize, Deserialize)]
struct Notification {
    /// The node that says it: its own notifications tell it nothing.
    from: Uuid,
    said: Vec<Said>,
}

impl Said {
    fn of(event: &StoreEvent) -> Option<Self> {
        Some(match event {
            StoreEvent::WorkSubmitted { queue } => Self::Submitted(queue.to_string()),
            StoreEvent::OutboxChanged => Self::Outbox,
            StoreEvent::RequestCanceled { id } => Self::Canceled(id.0),
            StoreEvent::KeyRevoked { id } => Self::Revoked(id.to_string()),
            _ => return None,
        })
    }

    /// Whether a node that looks finds it in no other table.
    const fn is_noted(&self) -> bool {
        matches!(self, Self::Canceled(_) | Self::Revoked(_))
    }

    fn event(self) -> StoreEvent {
        match self {
            Self::Submitted(queue) => StoreEvent::WorkSubmitted { queue: queue.into() },
            Self::Outbox => StoreEvent::OutboxChanged,
            Self::Canceled(id) => StoreEvent::RequestCanceled { id: RequestId(id) },
            Self::Revoked(id) => StoreEvent::KeyRevoked { id: id.into() },
        }
    }
}

/// What is to be said to other nodes.
pub(crate) struct Notices {
    /// This node, as it calls itself in notifications.
    node: Uuid,
    to_say: Mutex<BTreeSet<Said>>,
    something: Notify,
}

impl Default for Notices {
    fn default() -> Self {
        Self { node: Uuid::new_v4(), to_say: Mutex::default(), something: Notify::new() }
    }
}

impl Notices {
    /// Says these events of a commit to other nodes, soon.
    pub(crate) fn committed(&self, events: &[StoreEvent]) {
        if events.is_empty() {
            return;
        }
        let mut to_say = self.to_say.lock().unwrap_or_else(PoisonError::into_inner);
        to_say.extend(events.iter().filter_map(Said::of));
        self.something.notify_one();
    }

    fn take(&self) -> Vec<Said> {
        std::mem::take(&mut *self.to_say.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

/// Starts what says and hears until `closing`.
pub(crate) fn start(database: &Arc<Database>, address: &Address, closing: &CancellationToken) {
    let until_closed = |work: futures_util::future::BoxFuture<'static, ()>| {
        let closing = closing.clone();
        tokio::spawn(async move { closing.run_until_cancelled(work).await });
    };
    until_closed(Box::pin(say(Arc::clone(database))));
    until_closed(Box::pin(look(Arc::clone(database), address.listens())));
    if address.listens() {
        until_closed(Box::pin(listen(Arc::clone(database), address.clone())));
    }
}

/// Says what there is to say. What is lost is found by the nodes that look.
async fn say(database: Arc<Database>) {
    let notices = &database.memory.notices;
    loop {
        notices.something.notified().await;
        for said in notices.take().chunks(SAID_MAX) {
            if let Err(error) = notify(&database, notices.node, said.to_vec()).await {
                tracing::debug!(%error, "other nodes were not notified: they look by themselves");
            }
        }
        sleep(GATHERED).await;
    }
}

async fn notify(database: &Database, from: Uuid, said: Vec<Said>) -> Result<(), StoreError> {
    let noted: Vec<String> =
        said.iter().filter(|said| said.is_noted()).map(to_json).collect::<Result<_, _>>()?;
    let notification = to_json(&Notification { from, said })?;
    let connection = database.connection().await?;
    if !noted.is_empty() {
        // One statement, but not that of the notification: its commit is as short as it can be.
        let note = format!(
            "WITH clock AS MATERIALIZED ({CLOCK}), gone AS (DELETE FROM notice USING clock WHERE at < now - 2 * $2)
             INSERT INTO notice (at, said) SELECT now, said FROM unnest($1::text[]) AS n (said), clock"
        );
        connection.execute(&note, values![noted, noted_for()]).await?;
    }
    connection.query("SELECT pg_notify($1, $2)", values![CHANNEL, notification]).await.map(drop)
}

fn noted_for() -> i64 {
    i64::try_from(NOTED_FOR.as_micros()).unwrap_or(i64::MAX)
}

/// Listens, on a session of its own. One that is lost is opened again.
async fn listen(database: Arc<Database>, address: Address) {
    loop {
        match listen_once(&database, &address).await {
            Ok(()) => tracing::debug!("the session that listens has ended"),
            Err(error) => tracing::warn!(%error, "this node cannot listen to others: it looks by itself"),
        }
        sleep(LISTENS_AGAIN).await;
    }
}

async fn listen_once(database: &Database, address: &Address) -> Result<(), OpenError> {
    let Some(Listening { client, mut messages }) = address.listen().await? else { return Ok(()) };
    let listening = client.batch_execute("LISTEN clipia");
    let mut listening = std::pin::pin!(listening);
    let mut is_listening = false;
    loop {
        let message = tokio::select! {
            message = messages.next() => message,
            listens = &mut listening, if !is_listening => {
                listens?;
                is_listening = true;
                continue;
            }
        };
        match message.transpose()? {
            Some(AsyncMessage::Notification(heard)) => hear(database, heard.payload()),
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

/// Tells this process what another node has said.
fn hear(database: &Database, payload: &str) {
    // Another program may use the channel.
    let Ok(notification) = serde_json::from_str::<Notification>(payload) else { return };
    if notification.from == database.memory.notices.node {
        return;
    }
    for said in notification.said {
        tell(database, said.event());
    }
}

fn tell(database: &Database, event: StoreEvent) {
    if let StoreEvent::WorkSubmitted { queue } = &event {
        database.memory.positions.changed(queue);
    }
    // Nobody may listen.
    let _ = database.memory.events.send(event);
}

/// How the store was when this node looked last.
#[derive(Default)]
struct Seen {
    /// Of each queue: its latest ticket, how many requests wait that a worker had, and whether it is paused.
    queues: HashMap<String, (i64, i64, bool)>,
    outbox: (Option<i64>, Option<Uuid>),
    /// What was noted lately.
    notices: BTreeMap<i64, Said>,
}

/// Looks for what others have done. It also finds what this node has done: an event may come twice.
async fn look(database: Arc<Database>, listens: bool) {
    let every = if listens { LOOKS_LISTENING } else { LOOKS };
    // The first look tells everything: others may have done something since this node was opened.
    let (mut seen, mut months_read) = (Seen::default(), Instant::now());
    loop {
        if months_read.elapsed() >= months::READ_EVERY {
            months_read = Instant::now();
            if let Err(error) = months::keep_up(&database).await {
                tracing::debug!(%error, "this node could not read which months there are");
            }
        }
        let part = rand::rng().random_range(0.5..1.5);
        sleep(every.mul_f64(part)).await;
        match look_once(&database).await {
            Ok(now) => {
                changes(&seen, &now).into_iter().for_each(|event| tell(&database, event));
                seen = now;
            }
            Err(StoreError::Closed) => return,
            Err(error) => tracing::debug!(%error, "this node could not look what others have done"),
        }
    }
}

async fn look_once(database: &Database) -> Result<Seen, StoreError> {
    let c: Connection = database.connection().await?;
    // Requests that were submitted lately are enough: later ones have higher tickets.
    let now = database.memory.time.now();
    let latest = database.memory.months.since(Some(now), now).into_iter().map(|tables| {
        format!(", (SELECT max(ticket) FROM request{tables} r WHERE r.queue = q.name AND r.ticket > 0)")
    });
    let rows = c
        .query(
            &format!(
                "SELECT name, paused_at IS NOT NULL AS paused, greatest(0{}) AS tail,
                    (SELECT count(*) FROM queue_item i WHERE i.queue = q.name AND i.lane = 0) AS requeued
                 FROM queue q",
                latest.collect::<String>()
            ),
            Vec::new(),
        )
        .await?;
    let outbox = c
        .one(
            "SELECT (SELECT min(next_at) FROM delivery
                     WHERE next_at IS NOT NULL AND claimed_until IS NULL AND NOT postponed) AS next,
                    (SELECT id FROM delivery ORDER BY id DESC LIMIT 1) AS latest",
            Vec::new(),
        )
        .await?;
    // Numbers are not in the order of the commits: what was noted lately is compared with what was found before.
    let lately = format!("SELECT number, said FROM notice, ({CLOCK}) AS clock WHERE at > now - $1");
    let notices = c.query(&lately, values![noted_for()]).await?;
    // Another version of this program may say what this one does not know.
    let noticed = |row: &Row| Some((row.get("number").ok()?, from_json(row.get("said").ok()?).ok()?));
    let queue =
        |row: &Row| Ok((row.get("name")?, (row.get("tail")?, row.get("requeued")?, row.get("paused")?)));
    Ok(Seen {
        queues: rows.iter().map(queue).collect::<Result<_, StoreError>>()?,
        outbox: (outbox.get("next")?, outbox.get("latest")?),
        notices: notices.iter().filter_map(noticed).collect(),
    })
}

fn changes(before: &Seen, now: &Seen) -> Vec<StoreEvent> {
    let mut events = Vec::new();
    for (queue, (tail, requeued, paused)) in &now.queues {
        let (old_tail, old_requeued, was_paused) = before.queues.get(queue).copied().unwrap_or_default();
        if *tail > old_tail || *requeued > old_requeued || (was_paused && !paused) {
            events.push(StoreEvent::WorkSubmitted { queue: queue.as_str().into() });
        }
    }
    let sooner = match (now.outbox.0, before.outbox.0) {
        (Some(now), Some(before)) => now < before,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if sooner || now.outbox.1 > before.outbox.1 {
        events.push(StoreEvent::OutboxChanged);
    }
    let new = now.notices.iter().filter(|(number, _)| !before.notices.contains_key(number));
    events.extend(new.map(|(_, said)| said.clone().event()));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_did_is_found_and_what_is_as_it_was_is_not() {
        let seen = |tail, requeued, paused, next| Seen {
            queues: [("render".to_owned(), (tail, requeued, paused))].into(),
            outbox: (next, None),
            notices: BTreeMap::new(),
        };
        let submitted = [StoreEvent::WorkSubmitted { queue: "render".into() }];
        let before = || seen(5, 1, false, Some(10));
        for (now, expected) in [
            (before(), &[][..]),
            (seen(6, 1, false, Some(10)), &submitted),
            (seen(5, 2, false, Some(10)), &submitted),
            (seen(5, 0, true, Some(11)), &[]),
            (seen(5, 1, false, Some(9)), &[StoreEvent::OutboxChanged]),
        ] {
            assert_eq!(changes(&before(), &now), expected);
        }
        assert_eq!(changes(&seen(5, 1, true, None), &seen(5, 1, false, None)), submitted);
        assert_eq!(changes(&Seen::default(), &before()).len(), 2);
        let noted = |numbers: &[i64]| Seen {
            notices: numbers.iter().map(|number| (*number, Said::Revoked(format!("key_{number}")))).collect(),
            ..before()
        };
        let revoked = StoreEvent::KeyRevoked { id: "key_2".into() };
        assert_eq!(changes(&noted(&[1, 3]), &noted(&[2, 3])), [revoked]);
    }

    #[test]
    fn a_notification_fits_what_postgresql_takes() {
        let said = (0..SAID_MAX).map(|number| Said::Submitted(format!("{number:0>64}"))).collect();
        let notification = serde_json::to_string(&Notification { from: Uuid::nil(), said }).unwrap();
        assert!(notification.len() < 8_000, "{} bytes", notification.len());
    }
}
