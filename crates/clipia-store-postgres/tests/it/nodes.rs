//! Several nodes on one database, and the database itself.

use crate::server::Database;
use clipia_queue::leases::SILENCE_MAX;
use clipia_queue::limits::{CreditBudget, KeyLimits, Per, RateLimit, Spending, Spent};
use clipia_queue::position::Order;
use clipia_queue::{Credits, Moment, RequestId};
use clipia_store::clock::{Clock, DrivenClock};
use clipia_store::conformance::{NOW, account, first, fox, key, new_key, other_account};
use clipia_store::{
    Accounts, Claim, Failure, Key, KeyHash, NewAccount, NodeId, Queue, Records, StoreError, StoreEvent,
    Submission, SubmitRefused, Upkeep, WorkRefused,
};
use clipia_store_postgres::{Address, Migrated, OpenError, PostgresStore, migrate};
use clipia_tests_postgres::{Server, Stop};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;
use tokio_postgres::NoTls;
use uuid::Uuid;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nodes with one clock on one database.
struct Nodes {
    nodes: Vec<PostgresStore>,
    clock: Arc<DrivenClock>,
    database: Database,
}

impl Nodes {
    /// Nothing where no PostgreSQL is installed.
    async fn new(count: usize) -> Option<Self> {
        let mut nodes =
            Self { nodes: Vec::new(), clock: Arc::new(DrivenClock::new(NOW)), database: Database::new()? };
        for _ in 0..count {
            nodes.join().await;
        }
        nodes.nodes[0].bootstrap(first()).await.unwrap();
        nodes.nodes[0].grant(&account(), Credits::new(1_000_000)).await.unwrap();
        Some(nodes)
    }

    /// Another node.
    async fn join(&mut self) {
        let clock: Arc<dyn Clock> = self.clock.clone();
        self.nodes.push(PostgresStore::open_with_clock(&self.database.address(), clock).await.unwrap());
    }

    async fn claim(&self, node: usize) -> Option<Claim> {
        let id = NodeId(Uuid::from_u128(node as u128 + 1));
        self.nodes[node].claim("render", id, 1).await.unwrap().pop()
    }

    async fn is_consistent(&self) {
        assert_eq!(self.nodes[0].examine().await.unwrap().violation, None);
    }
}

/// Waits for an event; others may come before it.
async fn hears(events: &mut Receiver<StoreEvent>, expected: StoreEvent) {
    let heard = async { while events.recv().await.unwrap() != expected {} };
    timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("{expected:?} did not come"));
}

#[tokio::test]
async fn a_store_is_made_by_a_migration_and_never_by_a_server() {
    let Some(database) = Database::empty() else { return };
    let address = database.address();
    let refused = async |expected: &str| {
        let error = PostgresStore::open(&address).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused("run `clipia migrate` once").await;
    let (one, other) = tokio::join!(migrate(&address), migrate(&address));
    let mut from = [one.unwrap().from, other.unwrap().from];
    from.sort_unstable();
    assert_eq!(from, [0, 5], "the second one waits, and has nothing to do");
    drop(PostgresStore::open(&address).await.unwrap());
    database.run("UPDATE clipia_schema SET version = 99");
    refused("use a newer `clipia`").await;
    let newer = migrate(&address).await;
    assert!(matches!(newer, Err(OpenError::Newer { found: 99, known: 5 })), "{newer:?}");
    database.run("UPDATE clipia_schema SET version = 5");
    assert_eq!(migrate(&address).await.unwrap(), Migrated { from: 5, to: 5 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_submit_to_one_queue_give_every_ticket_once() {
    let Some(nodes) = Nodes::new(4).await else { return };
    let submit = async |node: &PostgresStore| {
        for _ in 0..5 {
            let ten = (0..10).map(|_| node.submit(fox()));
            futures_util::future::try_join_all(ten).await.unwrap();
        }
    };
    let [one, two, three, four] = &nodes.nodes[..] else { unreachable!() };
    tokio::join!(submit(one), submit(two), submit(three), submit(four));
    nodes.is_consistent().await;
    // Positions are as many as there are requests, and each is another one: what the tickets say.
    // What other nodes have done is known to them a quarter of a second later at most.
    let counted = async {
        loop {
            let page = one.list_requests(Default::default(), None, 1_000).await.unwrap();
            let positions: BTreeSet<u64> =
                page.requests.iter().filter_map(|request| request.position).collect();
            if positions == (0..200).collect() {
                return;
            }
        }
    };
    timeout(PATIENCE, counted).await.unwrap();
    let tickets =
        nodes.database.number("SELECT count(DISTINCT ticket) FROM request WHERE ticket BETWEEN 1 AND 200");
    assert_eq!(tickets, 200, "no ticket is left out, and none is given twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_forgets_what_a_crash_of_the_database_has_lost() {
    // A commit is told though it is not on the disk: what a crash loses is what nodes know of.
    let Some(server) = Server::start(&["synchronous_commit = off", "wal_writer_delay = 10s"]) else { return };
    let database = server.database("template1");
    let address = Address::new(&database.url()).unwrap();
    migrate(&address).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(DrivenClock::new(NOW));
    let join = async || PostgresStore::open_with_clock(&address, Arc::clone(&clock)).await.unwrap();
    let knows = join().await;
    knows.bootstrap(first()).await.unwrap();
    knows.grant(&account(), Credits::new(1_000_000)).await.unwrap();
    let other =
        NewAccount { id: other_account(), webhook_secret: "whsec_2".to_owned(), grant: Credits::new(1_000) };
    assert!(knows.create_account(other).await.unwrap());
    let other = Key { id: "key_other".to_owned(), account: other_account(), ..key() };
    assert!(knows.create_key(new_key(other.clone(), 8)).await.unwrap());
    let position = async |id: RequestId| {
        let found = async {
            loop {
                // Its sessions may be those of before the crash.
                for account in [account(), other_account()] {
                    if let Ok(Some(found)) = knows.request(&account, id).await {
                        return found.position;
                    }
                }
            }
        };
        timeout(PATIENCE, found).await.unwrap()
    };
    let kept = knows.submit(fox()).await.unwrap().id;
    let lost = async {
        loop {
            database.run("CHECKPOINT");
            let node = join().await;
            let mut told = kept;
            for _ in 0..3 {
                told = node.submit(fox()).await.unwrap().id;
            }
            position(told).await;
            let restarting = server.clone();
            tokio::task::spawn_blocking(move || restarting.restart(Stop::Immediate)).await.unwrap();
            if database.number(&format!("SELECT count(*) FROM request WHERE id = '{}'", told.0)) == 0 {
                return;
            }
        }
    };
    timeout(PATIENCE, lost).await.unwrap();
    // Tickets that were lost are given again, to an account of which nothing waited.
    let of_other = || Submission { key: Arc::new(other.clone()), ..fox() };
    let (node, of_first) = (join().await, database.number("SELECT count(*) FROM queue_item"));
    for nth in 1..=3 {
        let id = node.submit(of_other()).await.unwrap().id;
        // What others did is known a quarter of a second later at most. Turns go round.
        let ahead = u64::try_from(nth - 1 + nth.min(of_first)).unwrap();
        timeout(PATIENCE, async { while position(id).await != ahead {} }).await.unwrap();
    }
    let mut claimed = 0;
    while !knows.claim("render", NodeId(Uuid::from_u128(1)), 1).await.unwrap().is_empty() {
        claimed += 1;
    }
    assert_eq!(claimed, of_first + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_go_round_as_if_there_were_one_node() {
    let Some(nodes) = Nodes::new(2).await else { return };
    let node = &nodes.nodes[0];
    let other =
        NewAccount { id: other_account(), webhook_secret: "whsec_2".to_owned(), grant: Credits::new(1_000) };
    assert!(node.create_account(other).await.unwrap());
    let other = Key { id: "key_other".to_owned(), account: other_account(), ..key() };
    assert!(node.create_key(new_key(other.clone(), 8)).await.unwrap());
    for _ in 0..4 {
        node.submit(fox()).await.unwrap();
    }
    for _ in 0..3 {
        let of_other = Submission { key: Arc::new(other.clone()), ..fox() };
        nodes.nodes[1].submit(of_other).await.unwrap();
    }
    let mut accounts = Vec::new();
    for claim in 0..7 {
        accounts.push(nodes.claim(claim % 2).await.unwrap().account);
    }
    let [a, b] = [account(), other_account()];
    assert_eq!(accounts, [&a, &b, &a, &b, &a, &b, &a].map(Clone::clone));
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_claim_at_the_same_time_share_what_waits() {
    let Some(nodes) = Nodes::new(3).await else { return };
    futures_util::future::try_join_all((0..60).map(|_| nodes.nodes[0].submit(fox()))).await.unwrap();
    let claim = async |node: usize| {
        let mut claimed: Vec<RequestId> = Vec::new();
        while let Some(claim) = nodes.claim(node).await {
            claimed.push(claim.id);
        }
        claimed
    };
    let (one, two, three) = tokio::join!(claim(0), claim(1), claim(2));
    let all: Vec<RequestId> = [one, two, three].concat();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (60, 60));
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_leaves_the_leases_of_the_others_until_they_expire() {
    let Some(mut nodes) = Nodes::new(1).await else { return };
    let id = nodes.nodes[0].submit(fox()).await.unwrap().id;
    let claim = nodes.claim(0).await.unwrap();
    nodes.join().await;
    assert_eq!(nodes.nodes[1].rescue(&Default::default()).await.unwrap(), Default::default());
    nodes.nodes[0].beat(id, claim.epoch, clipia_api::Progress::new(10)).await.unwrap();
    // The first node is gone, and nobody beats.
    nodes.clock.advance(SILENCE_MAX);
    assert_eq!(nodes.nodes[1].rescue(&Default::default()).await.unwrap().requeued, 1);
    assert_eq!(nodes.claim(1).await.unwrap().id, id);
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_that_is_gone_set_aside_comes_back() {
    let Some(nodes) = Nodes::new(2).await else { return };
    let elsewhere = Submission { elsewhere: true, ..fox() };
    let id = nodes.nodes[0].submit(elsewhere).await.unwrap().id;
    let node = NodeId(Uuid::from_u128(1));
    let past = nodes.nodes[0].claim_past("render", node.into(), 1, vec![account()]).await.unwrap();
    assert_eq!((past.claims.len(), past.aside), (0, vec![account()]));
    assert!(nodes.claim(1).await.is_none());
    nodes.clock.advance(SILENCE_MAX);
    assert_eq!(nodes.claim(1).await.unwrap().id, id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_leads_a_task_and_another_when_it_is_gone() {
    let Some(nodes) = Nodes::new(3).await else { return };
    let term = Duration::from_secs(60);
    let lead = async |node: usize| {
        let id = NodeId(Uuid::from_u128(node as u128 + 1));
        nodes.nodes[node].lead("cleaner", id, term).await.unwrap()
    };
    let all = async || {
        let (one, two, three) = tokio::join!(lead(0), lead(1), lead(2));
        [one, two, three]
    };
    let first = all().await;
    assert_eq!(first.iter().filter(|leads| **leads).count(), 1, "{first:?}");
    assert_eq!(all().await, first, "it stays the one that leads");
    let leader = first.iter().position(|leads| *leads).unwrap();
    let other = (leader + 1) % 3;
    nodes.clock.advance(term - Duration::from_micros(1));
    assert!(!lead(other).await);
    nodes.clock.advance(Duration::from_micros(1));
    assert!(lead(other).await);
    assert!(!lead(leader).await, "one that comes back is told so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_follow_what_other_nodes_do() {
    let Some(nodes) = Nodes::new(2).await else { return };
    let [acts, looks] = &nodes.nodes[..] else { unreachable!() };
    let mut waiting = Vec::new();
    for _ in 0..40 {
        waiting.push(acts.submit(fox()).await.unwrap().id);
    }
    let position = async |id| looks.status(&account(), id).await.unwrap().unwrap().position;
    assert_eq!(position(waiting[39]).await, 39);
    let follow = async |waiting: &[RequestId]| {
        let followed = async {
            for (ahead, id) in waiting.iter().enumerate() {
                while position(*id).await != ahead as u64 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        };
        timeout(PATIENCE, followed).await.unwrap();
        let queues = looks.statistics().await.unwrap().queues;
        assert_eq!((queues[0].waiting, queues[0].accounts), (waiting.len() as u64, 1));
    };
    let claim = nodes.claim(0).await.unwrap();
    assert_eq!(claim.id, waiting.remove(0));
    for _ in 0..3 {
        acts.cancel(waiting.remove(20)).await.unwrap();
    }
    assert_eq!(nodes.claim(0).await.unwrap().id, waiting.remove(0));
    follow(&waiting).await;
    // One that a worker had comes back ahead of the others.
    acts.release(claim.id, claim.epoch).await.unwrap();
    waiting.insert(0, claim.id);
    waiting.push(acts.submit(fox()).await.unwrap().id);
    follow(&waiting).await;
    // Who left is forgotten after some minutes.
    nodes.database.run("UPDATE queue_left SET at = at - 601000000");
    acts.give_back().await.unwrap();
    assert_eq!(nodes.database.number("SELECT count(*) FROM queue_left"), 0);
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_queue_is_known_to_its_last_place() {
    let Some(nodes) = Nodes::new(1).await else { return };
    let node = &nodes.nodes[0];
    nodes.database.run(
        "INSERT INTO queue VALUES ('render', 45000);
         INSERT INTO queue_turn SELECT 'render', 'acct_' || n, n - 3 FROM generate_series(0, 2) n;
         INSERT INTO queue_item (queue, lane, ticket, account, request)
            SELECT 'render', 1, n, 'acct_' || n % 3, gen_random_uuid() FROM generate_series(1, 45000) n",
    );
    assert_eq!(node.submit(fox()).await.unwrap().position, 3, "each of the others has a turn before");
    let queue = node.statistics().await.unwrap().queues.remove(0);
    assert_eq!((queue.waiting, queue.accounts), (45_001, 4));
    node.set_order("render", Order::Fifo).await.unwrap();
    assert_eq!(node.submit(fox()).await.unwrap().position, 45_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_examination_names_who_keeps_old_rows() {
    let Some(server) = Server::start(&["wal_level = logical", "max_prepared_transactions = 1"]) else {
        return;
    };
    let database = server.database("template1");
    let address = Address::new(&database.url()).unwrap();
    migrate(&address).await.unwrap();
    let node = PostgresStore::open(&address).await.unwrap();
    let (reader, connection) =
        tokio_postgres::connect(&format!("{}&application_name=report", database.url()), NoTls).await.unwrap();
    tokio::spawn(connection);
    reader
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM request")
        .await
        .unwrap();
    // It waits for every transaction that has changed something.
    database.run("SELECT pg_create_logical_replication_slot('forgotten', 'test_decoding')");
    database.run("BEGIN; CREATE TABLE forgotten (); PREPARE TRANSACTION 'forgotten'");
    let pins = async || node.examine().await.unwrap().pins;
    assert_eq!(pins().await, [], "nobody is told of what is young");
    database.run(
        "CREATE TEMPORARY TABLE spent (); DO $$ BEGIN FOR n IN 1..20000 LOOP
            BEGIN INSERT INTO spent DEFAULT VALUES; EXCEPTION WHEN division_by_zero THEN END;
         END LOOP; END $$",
    );
    let found = pins().await;
    let named = |text: &str| found.iter().filter(|pin| pin.by.contains(text)).count();
    let expected = [
        "(report), which is idle in transaction: end it with `SELECT pg_terminate_backend(",
        "replication slot `forgotten`, which is unused: ",
        "prepared transaction 'forgotten' of clipia: end it with `ROLLBACK PREPARED 'forgotten'`",
    ];
    assert_eq!(expected.map(named), [1, 1, 1], "{found:?}");
    assert!(found.iter().all(|pin| pin.transactions >= 20_000), "{found:?}");
    reader.batch_execute("COMMIT").await.unwrap();
    database.run("ROLLBACK PREPARED 'forgotten'");
    database.run("SELECT pg_drop_replication_slot('forgotten')");
    assert_eq!(pins().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_hear_of_each_other_whether_they_listen_or_look() {
    let Some(database) = Database::new() else { return };
    let address = database.address();
    let listening = address.clone().listening_at(&database.url()).unwrap();
    let acts = PostgresStore::open(&address).await.unwrap();
    let (looks, listens) =
        (PostgresStore::open(&address).await.unwrap(), PostgresStore::open(&listening).await.unwrap());
    let (mut seen, mut heard) = (looks.events(), listens.events());
    acts.bootstrap(first()).await.unwrap();
    let submission = || Submission { id: RequestId(clipia_queue::ids::new(acts.now())), ..fox() };
    // A node that has just started looks for the first time before it can tell what is new.
    let submitted = || StoreEvent::WorkSubmitted { queue: "render".into() };
    let id = acts.submit(submission()).await.unwrap().id;
    hears(&mut heard, submitted()).await;
    let again = async {
        loop {
            if timeout(Duration::from_millis(500), seen.recv())
                .await
                .is_ok_and(|event| event.unwrap() == submitted())
            {
                return;
            }
            acts.submit(submission()).await.unwrap();
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    acts.cancel(id).await.unwrap();
    hears(&mut heard, StoreEvent::RequestCanceled { id }).await;
    hears(&mut seen, StoreEvent::OutboxChanged).await;
    acts.revoke_key("key_1").await.unwrap();
    hears(&mut heard, StoreEvent::KeyRevoked { id: "key_1".into() }).await;
    assert!(acts.now().since(looks.now()).max(looks.now().since(acts.now())) < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_to_its_end_where_its_caller_has_gone() {
    let Some(nodes) = Nodes::new(1).await else { return };
    let node = &nodes.nodes[0];
    let id = node.submit(fox()).await.unwrap().id;
    {
        let mut cancel = std::pin::pin!(node.cancel(id));
        assert!(futures_util::poll!(cancel.as_mut()).is_pending());
    }
    let ends = async {
        while node.request(&account(), id).await.unwrap().unwrap().completed_at.is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, ends).await.unwrap();
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_are_ended_are_replaced() {
    let Some(nodes) = Nodes::new(1).await else { return };
    let node = &nodes.nodes[0];
    node.submit(fox()).await.unwrap();
    nodes.database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    let submits = async {
        loop {
            match node.submit(fox()).await {
                Ok(submitted) => return submitted,
                Err(SubmitRefused::Store(error)) => assert!(error.is_transient(), "{error:?}"),
                Err(other) => panic!("{other}"),
            }
        }
    };
    timeout(PATIENCE, submits).await.unwrap();
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_closed_refuses_everything() {
    let Some(nodes) = Nodes::new(1).await else { return };
    let node = &nodes.nodes[0];
    node.close().await;
    assert!(matches!(node.probe().await, Err(StoreError::Closed)));
    assert!(matches!(node.account(&account()).await, Err(StoreError::Closed)));
    let refused = node.submit(fox()).await;
    assert!(matches!(refused, Err(SubmitRefused::Store(StoreError::Closed))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submit_that_the_database_refuses_takes_no_other_with_it() {
    let Some(nodes) = Nodes::new(1).await else { return };
    let node = &nodes.nodes[0];
    // No text of a database has this character.
    let refused = || Submission { webhook_url: Some("https://example.com/\0".to_owned()), ..fox() };
    let submits = (0..30).map(|n| if n % 10 == 9 { refused() } else { fox() });
    let results = futures_util::future::join_all(submits.map(|submission| node.submit(submission))).await;
    let accepted: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, (0..30).map(|n| n % 10 != 9).collect::<Vec<_>>());
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_reported_twice_at_the_same_time_counts_once() {
    let Some(nodes) = Nodes::new(1).await else { return };
    let node = &nodes.nodes[0];
    for _ in 0..3 {
        node.submit(fox()).await.unwrap();
    }
    let before = node.account(&account()).await.unwrap().unwrap().available.get();
    for _ in 0..3 {
        let Claim { id, epoch, .. } = nodes.claim(0).await.unwrap();
        // A program may say anything.
        let why = || Failure::generation("no\0 fox");
        let reports = (0..8).map(|_| node.fail(id, epoch, why()));
        let results = futures_util::future::join_all(reports).await;
        let stale = results.iter().filter(|result| result.as_ref().is_err_and(WorkRefused::is_stale)).count();
        assert_eq!((results.iter().filter(|result| result.is_ok()).count(), stale), (1, 7));
        let failure = node.request(&account(), id).await.unwrap().unwrap().failure.unwrap();
        assert_eq!(failure.message, Failure::generation("no\u{fffd} fox").message);
    }
    let after = node.account(&account()).await.unwrap().unwrap().available.get();
    assert_eq!(after, before + 3 * 12);
    nodes.is_consistent().await;
}

/// Nodes with the database's clock: one that acts, one that listens, one that looks, and one that looks through a pooler.
struct Hearing {
    acts: PostgresStore,
    others: Vec<PostgresStore>,
    _database: Database,
}

impl Hearing {
    async fn new() -> Option<Self> {
        let database = Database::new()?;
        let address = database.address();
        let listens = address.clone().listening_at(&database.url()).unwrap();
        let addresses = [Some(listens), Some(address.clone()), database.address_behind_pooler()];
        let mut others = Vec::new();
        for address in addresses.into_iter().flatten() {
            others.push(PostgresStore::open(&address).await.unwrap());
        }
        let acts = PostgresStore::open(&address).await.unwrap();
        acts.bootstrap(first()).await.unwrap();
        Some(Self { acts, others, _database: database })
    }

    fn submission(&self) -> Submission {
        Submission { id: RequestId(clipia_queue::ids::new(self.acts.now())), ..fox() }
    }
}

/// The shortest of some times: a busy machine delays any of them.
async fn shortest(mut measured: impl AsyncFnMut() -> Duration) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..10 {
        shortest = shortest.min(measured().await);
        if shortest < Duration::from_secs(1) {
            break;
        }
    }
    shortest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_reaches_the_attempt_on_another_node_within_a_second() {
    let Some(hearing) = Hearing::new().await else { return };
    for (number, node) in hearing.others.iter().enumerate() {
        let took = shortest(async || {
            let mut events = node.events();
            let id = hearing.acts.submit(hearing.submission()).await.unwrap().id;
            let holder = NodeId(Uuid::from_u128(number as u128 + 2));
            let claim = node.claim("render", holder, 1).await.unwrap().pop().unwrap();
            assert_eq!(claim.id, id);
            node.beat(id, claim.epoch, clipia_api::Progress::new(10)).await.unwrap();
            let canceled = Instant::now();
            hearing.acts.cancel(id).await.unwrap();
            // Whatever is heard or not, the attempt changes nothing any more.
            let late = node.complete(id, claim.epoch, Default::default()).await;
            assert!(late.is_err(), "{late:?}");
            hears(&mut events, StoreEvent::RequestCanceled { id }).await;
            canceled.elapsed()
        });
        let took = took.await;
        assert!(took < Duration::from_secs(1), "node {number}: {took:?}");
    }
    assert_eq!(hearing.acts.examine().await.unwrap().violation, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_refused_by_another_node_within_a_second() {
    let Some(hearing) = Hearing::new().await else { return };
    for (number, node) in hearing.others.iter().enumerate() {
        let hash = u8::try_from(number).unwrap() + 50;
        let key = Key { id: format!("key_of_{number}"), ..key() };
        assert!(hearing.acts.create_key(new_key(key.clone(), hash)).await.unwrap());
        // Another node may have it in memory.
        assert!(node.key(KeyHash([hash; 32])).await.unwrap().is_some());
        assert!(hearing.acts.revoke_key(&key.id).await.unwrap());
        assert!(node.key(KeyHash([hash; 32])).await.unwrap().is_none(), "node {number}");
        // Nor does a submit succeed whose caller was admitted before.
        let submission = Submission { key: Arc::new(key), ..hearing.submission() };
        assert!(matches!(node.submit(submission).await, Err(SubmitRefused::KeyRevoked)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_submit_with_one_key_give_it_no_more_in_flight_than_it_may() {
    let Some(nodes) = Nodes::new(3).await else { return };
    let limits = KeyLimits { in_flight_max: Some(10), ..KeyLimits::default() };
    let key = Key { id: "key_of_ten".to_owned(), limits, ..key() };
    assert!(nodes.nodes[0].create_key(new_key(key.clone(), 9)).await.unwrap());
    let key = Arc::new(key);
    let submits = (0..60).map(|number| {
        let submission = Submission { key: Arc::clone(&key), ..fox() };
        nodes.nodes[number % 3].submit(submission)
    });
    let results = futures_util::future::join_all(submits).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 10);
    assert!(refused.iter().all(|refused| matches!(refused, Err(SubmitRefused::InFlight(10)))), "{refused:?}");
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_submit_with_one_key_give_it_no_more_than_its_credit_budget() {
    let Some(nodes) = Nodes::new(3).await else { return };
    let credits = Some(CreditBudget { credits: Credits::new(50), per: Per::Month });
    let limits = KeyLimits { credits, ..key().limits };
    let key = Key { id: "key_of_fifty".to_owned(), limits, ..key() };
    assert!(nodes.nodes[0].create_key(new_key(key.clone(), 9)).await.unwrap());
    let key = Arc::new(key);
    let submits = (0..60).map(|number| {
        let submission = Submission { key: Arc::clone(&key), ..fox() };
        nodes.nodes[number % 3].submit(submission)
    });
    let results = futures_util::future::join_all(submits).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 4);
    assert!(refused.iter().all(|refused| matches!(refused, Err(SubmitRefused::Budget(_)))), "{refused:?}");
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_spends_on_one_node_is_known_to_the_others() {
    let Some(hearing) = Hearing::new().await else { return };
    let limit = RateLimit::per_minute(60);
    let told = |spent: &Spent| vec![("key_1".to_owned(), *spent)];
    let mut all = Moment::default();
    for node in hearing.others.iter().chain([&hearing.acts]) {
        let mut spending = Spending::default();
        spending.spend(limit, node.now());
        spending.spend(limit, node.now());
        let spent = spending.tell().unwrap();
        all = spent.arrival_after(all);
        let heard = node.share_spending(told(&spent), None).await.unwrap().unwrap();
        assert_eq!(heard.iter().map(|(_, arrival)| *arrival).max(), Some(all), "{heard:?}");
    }
    // A node that has spent nothing hears what the others have.
    let heard = hearing.others[0].share_spending(Vec::new(), Some(Duration::ZERO)).await.unwrap();
    assert_eq!(heard, Some(vec![("key_1".to_owned(), all)]));
    // Many keys of several nodes at the same time, in whatever order, take one statement of each node.
    let spent = Spent { began: hearing.acts.now(), time: Duration::from_secs(1) };
    let keys = |order: bool| -> Vec<_> {
        let numbered =
            (0..200).map(|number| (format!("key_{}", if order { number } else { 199 - number }), spent));
        numbered.collect()
    };
    for _ in 0..5 {
        let nodes = hearing.others.iter().enumerate();
        let shares =
            nodes.map(|(number, node)| node.share_spending(keys(number % 2 == 0), Some(Duration::ZERO)));
        for heard in futures_util::future::join_all(shares).await {
            assert!(heard.unwrap().unwrap().len() >= 200);
        }
    }
}
