//! The months of the history: their tables are made, named and dropped, and what others see stays right.

use crate::server::Database;
use clipia_api::types::Output;
use clipia_queue::limits::{CreditBudget, KeyLimits, Per};
use clipia_queue::retention::{Horizon, Keep, Part, Retention};
use clipia_queue::{Credits, Moment, RequestId};
use clipia_store::clock::{Clock, DrivenClock};
use clipia_store::conformance::{NODE, NOW, account, first, fox, id_at, key, new_key};
use clipia_store::{
    Accounts, DueOf, Failure, Key, KeyHash, Month, Outbox, Queue, Records, Search, StoreError, Submission,
    SubmitRefused, Upkeep,
};
use clipia_store_postgres::{Address, Migrated, PostgresStore, migrate};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// `NOW` is on 14 November 2023.
const NOVEMBER: Moment = NOW;
/// A moment of December, and one at which requests of November have had 90 days, and those of December not.
const DECEMBER: Duration = DAY.saturating_mul(30);
const MARCH: Duration = DAY.saturating_mul(120);

/// Nodes with one clock on one database.
struct Nodes {
    nodes: Vec<PostgresStore>,
    clock: Arc<DrivenClock>,
    database: Database,
}

impl Nodes {
    /// Nothing where no PostgreSQL is installed.
    async fn new(count: usize) -> Option<Self> {
        let (clock, database) = (Arc::new(DrivenClock::new(NOW)), Database::new()?);
        let address = database.address();
        let nodes = futures_util::future::join_all((0..count).map(|_| open(&address, clock.clone()))).await;
        nodes[0].bootstrap(first()).await.unwrap();
        nodes[0].grant(&account(), Credits::new(1_000_000)).await.unwrap();
        Some(Self { nodes, clock, database })
    }

    async fn submit(&self, node: usize) -> RequestId {
        let id = id_at(self.clock.now());
        self.nodes[node].submit(Submission { id, webhook_url: None, ..fox() }).await.unwrap().id
    }

    /// A request that completes.
    async fn completed(&self) -> RequestId {
        self.submit(0).await;
        let claim = self.nodes[0].claim("render", NODE, 1).await.unwrap().remove(0);
        self.nodes[0].complete(claim.id, claim.epoch, Output::default()).await.unwrap();
        claim.id
    }

    fn horizon(&self) -> Horizon {
        let keep = Keep::days(90);
        Retention::new(keep, keep, keep, keep).horizon(Part::Request, self.clock.now()).unwrap()
    }

    async fn first_month(&self) -> Month {
        self.nodes[0].months().await.unwrap()[0]
    }

    /// Drops the first month.
    async fn drop_month(&self) -> Option<u64> {
        self.nodes[0].drop_month(self.first_month().await, self.horizon()).await.unwrap()
    }

    async fn give_back(&self) {
        while self.nodes[0].give_back().await.unwrap().more {}
    }

    async fn available(&self) -> u64 {
        self.nodes[0].account(&account()).await.unwrap().unwrap().available.get()
    }

    async fn is_consistent(&self) {
        assert_eq!(self.nodes[0].examine().await.unwrap().violation, None);
    }

    /// Whether there is a table of this name.
    fn has_table(&self, name: &str) -> bool {
        self.database.number(&format!("SELECT count(*) FROM pg_class WHERE relname = '{name}'")) == 1
    }

    fn latest_ticket(&self) -> i64 {
        self.database.number("SELECT max(ticket) FROM request")
    }
}

async fn open(address: &Address, clock: Arc<dyn Clock>) -> PostgresStore {
    PostgresStore::open_with_clock(address, clock).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_open_at_once_make_a_month_once() {
    let Some(nodes) = Nodes::new(3).await else { return };
    let months = nodes.nodes[0].months().await.unwrap();
    assert_eq!(nodes.nodes[2].months().await.unwrap(), months);
    for table in ["request", "request_content", "attempt", "request_log", "request_text"] {
        for month in ["2023_11", "2023_12"] {
            assert!(nodes.has_table(&format!("{table}_{month}")), "{table}_{month}");
        }
    }
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_a_month_without_tables_is_accepted() {
    let Some(nodes) = Nodes::new(2).await else { return };
    let mut submitted = Vec::new();
    // The clock of a node may be far behind or ahead; two nodes may come to the same month at once.
    for days in [-3_000_i64, 400, 2_000] {
        let at = Moment::from_micros(NOW.as_micros() + days * 24 * 60 * 60 * 1_000_000);
        let submission = || Submission { id: id_at(at), webhook_url: None, ..fox() };
        let (one, other) =
            tokio::join!(nodes.nodes[0].submit(submission()), nodes.nodes[1].submit(submission()));
        submitted.extend([one.unwrap().id, other.unwrap().id]);
    }
    let tickets = "SELECT count(DISTINCT ticket) FROM request WHERE ticket BETWEEN 1 AND 6";
    assert_eq!(nodes.database.number(tickets), 6, "no ticket is left out, and none is given twice");
    nodes.is_consistent().await;
    for id in submitted {
        assert!(nodes.nodes[0].request(&account(), id).await.unwrap().is_some());
        nodes.nodes[1].cancel(id).await.unwrap();
    }
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_go_on_from_month_to_month_on_whatever_node() {
    let Some(nodes) = Nodes::new(2).await else { return };
    // The first node reads the tail once and then rests for months, while the other one goes on.
    nodes.submit(0).await;
    for days in [20, 40, 70, 100, 130] {
        nodes.clock.set(NOVEMBER + DAY * days);
        nodes.submit(1).await;
        nodes.submit(1).await;
    }
    nodes.submit(0).await;
    nodes.submit(1).await;
    let tickets = "SELECT count(DISTINCT ticket) FROM request WHERE ticket BETWEEN 1 AND 13";
    assert_eq!((nodes.database.number(tickets), nodes.latest_ticket()), (13, 13));
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_has_had_its_time_is_dropped_and_the_books_stay_as_they_are() {
    let Some(nodes) = Nodes::new(2).await else { return };
    let store = &nodes.nodes[0];
    let sandbox = Key { id: "key_sandbox".to_owned(), sandbox: true, ..key() };
    assert!(store.create_key(new_key(sandbox.clone(), 8)).await.unwrap());
    let completed = nodes.completed().await;
    nodes.submit(0).await;
    let claim = store.claim("render", NODE, 1).await.unwrap().remove(0);
    store.fail(claim.id, claim.epoch, Failure::generation("no fox")).await.unwrap();
    let sample =
        Submission { key: Arc::new(sandbox), sample: Some(Output::default()), webhook_url: None, ..fox() };
    store.submit(sample).await.unwrap();
    // Its delivery has arrived, or was given up.
    let delivered = store.submit(fox()).await.unwrap().id;
    store.cancel(delivered).await.unwrap();
    nodes.database.run("UPDATE delivery SET state = 'abandoned', settled_at = created_at, next_at = NULL");
    let (available, latest) = (nodes.available().await, nodes.latest_ticket());
    // Their texts go with them. Another node takes them in than the one whose request failed.
    while nodes.nodes[1].index_texts().await.unwrap() {}
    let found = async || store.search("fox", Default::default(), None, 10).await.unwrap().requests.len();
    assert_eq!(found().await, 1, "the one that failed, by its error");

    nodes.clock.set(NOVEMBER + MARCH);
    assert_eq!(nodes.drop_month().await, Some(4));
    assert_eq!(found().await, 0);
    assert_eq!(nodes.database.number("SELECT count(*) FROM request_text"), 0);
    // From now on nobody finds the requests. The movements and deliveries are still to be removed.
    nodes.is_consistent().await;
    for node in &nodes.nodes {
        node.months().await.unwrap();
        assert!(node.request(&account(), completed).await.unwrap().is_none());
    }
    assert_eq!(store.list_requests(Default::default(), None, 10).await.unwrap().requests.len(), 0);
    assert!(nodes.database.number("SELECT count(*) FROM movement") > 2);
    let delivery = store.list_deliveries(Default::default(), None, 10).await.unwrap().remove(0);
    assert!(!store.replay(delivery.id).await.unwrap(), "no request, no delivery");
    nodes.give_back().await;
    nodes.is_consistent().await;
    assert_eq!(nodes.database.number("SELECT count(*) FROM movement"), 3, "two grants and what was carried");
    assert_eq!(nodes.database.number("SELECT count(*) FROM delivery"), 0);
    assert_eq!(nodes.available().await, available);

    // The tables stay until every node knows of it.
    assert!(nodes.has_table("request_2023_11"));
    nodes.clock.advance(Duration::from_secs(60));
    nodes.give_back().await;
    for table in ["request", "request_content", "attempt", "request_log", "request_text"] {
        assert!(!nodes.has_table(&format!("{table}_2023_11")), "{table}");
    }
    // The highest ticket went with its request. The next one follows it.
    nodes.submit(1).await;
    nodes.submit(0).await;
    assert_eq!(nodes.latest_ticket(), latest + 2);
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_stays_while_a_request_of_it_does() {
    let Some(nodes) = Nodes::new(1).await else { return };
    let store = &nodes.nodes[0];
    let ended = nodes.completed().await;
    let waits = nodes.submit(0).await;
    let delivered = store.submit(fox()).await.unwrap().id;
    store.cancel(delivered).await.unwrap();
    nodes.clock.set(NOVEMBER + MARCH);
    assert_eq!(nodes.drop_month().await, None, "one waits");
    store.cancel(waits).await.unwrap();
    nodes.clock.set(NOVEMBER + MARCH + MARCH);
    let late = nodes.first_month().await;
    let of = DueOf::After { after: Some(late.before), through: late.last, limit: 10 };
    let page = store.due(Part::Request, nodes.horizon(), of).await.unwrap();
    assert_eq!((page.due, page.late), (vec![ended, waits], vec![delivered]));
    assert_eq!(nodes.drop_month().await, None, "a delivery may still be sent");
    assert!(store.request(&account(), ended).await.unwrap().is_some());
    nodes.is_consistent().await;
    // Of a month that stays, each request is removed alone.
    assert_eq!(
        store.let_go(Part::Request, nodes.horizon(), vec![ended, waits]).await.unwrap(),
        [ended, waits]
    );
    nodes.is_consistent().await;
    nodes.database.run("UPDATE delivery SET state = 'abandoned', settled_at = created_at, next_at = NULL");
    assert_eq!(nodes.drop_month().await, Some(1));
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_is_dropped_later_where_something_reads_the_history() {
    let Some(nodes) = Nodes::new(1).await else { return };
    nodes.completed().await;
    nodes.clock.set(NOVEMBER + MARCH);
    let (client, connection) =
        tokio_postgres::connect(&nodes.database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; SELECT count(*) FROM request").await.unwrap();
    assert_eq!(nodes.drop_month().await, None);
    nodes.submit(0).await;
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(nodes.drop_month().await, Some(1));
    nodes.is_consistent().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_month_stays_when_an_earlier_one_is_dropped() {
    let Some(nodes) = Nodes::new(1).await else { return };
    nodes.completed().await;
    nodes.clock.set(NOVEMBER + DECEMBER);
    let later = nodes.completed().await;
    nodes.clock.set(NOVEMBER + MARCH);
    assert_eq!(nodes.drop_month().await, Some(1));
    nodes.give_back().await;
    assert_eq!(nodes.drop_month().await, None, "it is not over for long enough");
    assert!(nodes.nodes[0].request(&account(), later).await.unwrap().is_some());
    nodes.is_consistent().await;
}

/// The steps of the schema before keys had a credit budget.
const BEFORE_BUDGETS: [&str; 4] = [
    BEFORE_MONTHS,
    include_str!("../../src/months.sql"),
    include_str!("../../src/database_run.sql"),
    include_str!("../../src/overview.sql"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_without_credit_budgets_is_brought_up_to_date() -> Result<(), StoreError> {
    let Some(database) = Database::empty() else { return Ok(()) };
    BEFORE_BUDGETS.iter().for_each(|step| database.run(step));
    database.run("CREATE TABLE clipia_schema (single BOOLEAN PRIMARY KEY CHECK (single), version BIGINT NOT NULL); INSERT INTO clipia_schema VALUES (TRUE, 4)");
    database.run(
        "INSERT INTO account VALUES ('acct_test', 100, 0, 0, 1);
         INSERT INTO movement VALUES (gen_random_uuid(), FALSE, 'acct_test', 'grant', 100, 0, -100, 0, 1);
         INSERT INTO api_key (id, account, hash, hint, sandbox, may_generate, in_flight_max, created_at)
         VALUES ('key_1', 'acct_test', decode(repeat('07', 32), 'hex'), '…', FALSE, TRUE, 0, 1)",
    );
    let address = database.address();
    assert_eq!(migrate(&address).await.unwrap(), Migrated { from: 4, to: 5 });
    let store = open(&address, Arc::new(DrivenClock::new(NOW))).await;
    let found = store.key(KeyHash([7; 32])).await?.unwrap();
    assert_eq!(found.limits, key().limits, "an older key has no budget");
    store.submit(fox()).await.unwrap();
    let credits = Some(CreditBudget { credits: Credits::new(12), per: Per::Month });
    let thrifty = Key { id: "key_2".to_owned(), limits: KeyLimits { credits, ..key().limits }, ..key() };
    assert!(store.create_key(new_key(thrifty.clone(), 8)).await?);
    let thrifty = || Submission { key: Arc::new(thrifty.clone()), ..fox() };
    store.submit(thrifty()).await.unwrap();
    assert!(matches!(store.submit(thrifty()).await, Err(SubmitRefused::Budget(_))));
    assert_eq!(store.examine().await?.violation, None);
    Ok(())
}

/// The steps of the schema before months.
const BEFORE_MONTHS: &str = include_str!("../../src/schema.sql");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_knows_no_months_is_brought_up_to_date() -> Result<(), StoreError> {
    let Some(database) = Database::empty() else { return Ok(()) };
    database.run(BEFORE_MONTHS);
    database.run("CREATE TABLE clipia_schema (single BOOLEAN PRIMARY KEY CHECK (single), version BIGINT NOT NULL); INSERT INTO clipia_schema VALUES (TRUE, 1)");
    // A request of each of two months, which have ended and moved no credits.
    database.run("INSERT INTO account VALUES ('acct_test', 0, 0, 0, 1)");
    let (one, other) = (id_at(NOVEMBER), id_at(NOVEMBER + DECEMBER));
    for (id, ticket) in [(one, 1), (other, 2)] {
        database.run(&format!(
            "INSERT INTO api_key (id, account, hash, hint, sandbox, may_generate, created_at)
             VALUES ('key_{ticket}', 'acct_test', '\\x0{ticket}', '', FALSE, TRUE, 1);
             INSERT INTO movement VALUES ('{id}', FALSE, 'acct_test', 'reserve', 0, 0, 0, 0, 1), ('{id}', TRUE, 'acct_test', 'release', 0, 0, 0, 0, 1);
             INSERT INTO request (id, account, api_key, sandbox, model, queue, phase, epoch, rescues, ticket, attempt_max, elsewhere,
                progress, cost, charged, base_url, created_at, completed_at, named)
             VALUES ('{id}', 'acct_test', 'key_{ticket}', FALSE, 'nano-banana-2', 'render', 'canceled', 1, 0, {ticket}, 1, FALSE, 0, 0, 0, '', 1, 2, FALSE);
             INSERT INTO request_content VALUES ('{id}', '{{}}', '[]', NULL);
             INSERT INTO attempt VALUES ('{id}', 1, 1, 2, 'canceled', NULL, NULL);
             INSERT INTO request_log VALUES ('{id}', 1, 0, 1, 'a line'); UPDATE request SET logged = 1"
        ));
    }
    let address = database.address();
    assert_eq!(migrate(&address).await.unwrap(), Migrated { from: 1, to: 5 });
    assert_eq!(migrate(&address).await.unwrap(), Migrated { from: 5, to: 5 });
    let store = open(&address, Arc::new(DrivenClock::new(NOW))).await;
    assert_eq!(store.examine().await?.violation, None);
    while store.index_texts().await? {}
    for (id, month) in [(one, "2023_11"), (other, "2023_12")] {
        assert!(store.request(&account(), id).await?.is_some());
        for table in ["request", "request_content", "attempt", "request_log", "request_text"] {
            assert_eq!(database.number(&format!("SELECT count(*) FROM {table}_{month}")), 1, "{table}");
        }
    }
    Ok(())
}
