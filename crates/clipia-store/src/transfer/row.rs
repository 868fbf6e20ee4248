//! The rows of a store, as every kind of store has them. The schemas of the stores say what each column means.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Integer,
    /// True or false.
    Boolean,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A UUID.
    Id,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its cells hold.
    pub kind: Kind,
}

/// The value in a column of a row. It may be secret.
pub enum Cell {
    /// None.
    Null,
    /// A number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A UUID.
    Id(Uuid),
}

/// A cell that does not fit its column.
#[derive(Debug, thiserror::Error)]
#[error("the column `{column}` of a row of `{table}` does not hold what it should")]
pub struct Unfit {
    table: &'static str,
    column: &'static str,
}

/// The type of a field of a row.
trait Field: Sized {
    const KIND: Kind;
    fn from_cell(cell: Cell) -> Option<Self>;
    fn into_cell(self) -> Cell;
}

macro_rules! fields {
    ($($of:ty => $kind:ident;)+) => {$(
        impl Field for $of {
            const KIND: Kind = Kind::$kind;

            fn from_cell(cell: Cell) -> Option<Self> {
                match cell {
                    Cell::$kind(value) => Some(value.into()),
                    _ => None,
                }
            }

            fn into_cell(self) -> Cell {
                Cell::$kind(self.into())
            }
        }
    )+};
}

fields! {
    i64 => Integer;
    bool => Boolean;
    String => Text;
    Bytes => Bytes;
    Uuid => Id;
}

impl<F: Field> Field for Option<F> {
    const KIND: Kind = F::KIND;

    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => F::from_cell(cell).map(Some),
        }
    }

    fn into_cell(self) -> Cell {
        self.map_or(Cell::Null, F::into_cell)
    }
}

/// Bytes, which are base64 in the file.
pub(crate) struct Bytes(Vec<u8>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(Bytes(bytes): Bytes) -> Self {
        bytes
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&base64::display::Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| de::Error::custom("not base64"))
    }
}

/// The tables of a store, each with its columns. A row without a secret in it may be in no message either: it has what callers wrote.
macro_rules! tables {
    ($($record:ident: $name:literal { $($column:ident: $of:ty),+ $(,)? })+) => {
        $(
            #[derive(Serialize, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $record { $(pub(crate) $column: $of),+ }
        )+

        /// A table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)] // the schemas of the stores describe the tables
        pub enum Table { $($record),+ }

        /// A row of a table.
        #[derive(Serialize, Deserialize)]
        #[allow(private_interfaces)] // a store reads and writes cells; what a field means is known here
        #[allow(missing_docs)] // the schemas of the stores describe the tables
        pub enum Row { $(#[serde(rename = $name)] $record($record)),+ }

        impl Table {
            /// All tables, in the order of a file.
            pub const ALL: &[Self] = &[$(Self::$record),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$record => $name),+ }
            }

            /// Its columns.
            pub const fn columns(self) -> &'static [Column] {
                match self {
                    $(Self::$record => const {
                        &[$(Column { name: stringify!($column), kind: <$of as Field>::KIND }),+]
                    }),+
                }
            }

            /// The row with these cells, one for each column.
            ///
            /// # Errors
            /// [`Unfit`] where one is missing or of another kind.
            pub fn row(self, cells: impl IntoIterator<Item = Cell>) -> Result<Row, Unfit> {
                let mut cells = cells.into_iter();
                match self {
                    $(Self::$record => Ok(Row::$record($record {
                        $($column: cells
                            .next()
                            .and_then(Field::from_cell)
                            .ok_or(Unfit { table: $name, column: stringify!($column) })?),+
                    }))),+
                }
            }
        }

        impl Row {
            /// The table that it is a row of.
            pub const fn table(&self) -> Table {
                match self { $(Self::$record(_) => Table::$record),+ }
            }

            /// Its cells, one for each column.
            pub fn into_cells(self) -> Vec<Cell> {
                match self { $(Self::$record(row) => vec![$(row.$column.into_cell()),+]),+ }
            }
        }
    };
}

tables! {
    Account: "account" { id: String, available: i64, held: i64, sandbox_kept: i64, created_at: i64 }
    WebhookSecret: "webhook_secret" {
        account: String,
        secret: String,
        created_at: i64,
        expires_at: Option<i64>,
        last_from: Option<i64>,
    }
    ApiKey: "api_key" {
        number: i64,
        id: String,
        account: String,
        hash: Bytes,
        hint: String,
        sandbox: bool,
        may_generate: bool,
        requests_per_minute: Option<i64>,
        in_flight_max: Option<i64>,
        in_flight: i64,
        created_at: i64,
        revoked_at: Option<i64>,
        credits_max: Option<i64>,
        credits_per: Option<String>,
        spent: i64,
        spent_since: i64,
        spent_until: i64,
    }
    Worker: "worker" {
        name: String,
        hash: Bytes,
        hint: String,
        executors: String,
        quiet: bool,
        created_at: i64,
        revoked_at: Option<i64>,
    }
    WorkerSession: "worker_session" {
        worker: String,
        session: Uuid,
        executor: String,
        host: String,
        gpu: Option<String>,
        version: String,
        slots: i64,
        since: i64,
        seen_at: i64,
    }
    Queue: "queue" { name: String, tail: i64, paused_at: Option<i64> }
    QueueTurn: "queue_turn" { queue: String, account: String, turn: i64 }
    Request: "request" {
        id: Uuid,
        account: String,
        api_key: String,
        sandbox: bool,
        model: String,
        queue: String,
        phase: String,
        epoch: i64,
        rescues: i64,
        ticket: i64,
        attempt_max: i64,
        elsewhere: bool,
        progress: i64,
        cost: i64,
        charged: Option<i64>,
        webhook_url: Option<String>,
        base_url: String,
        error_code: Option<String>,
        error_message: Option<String>,
        created_at: i64,
        completed_at: Option<i64>,
        named: bool,
        expired_at: Option<i64>,
        input_gone: bool,
        attempts_gone: bool,
        logged: i64,
    }
    RequestContent: "request_content" { request: Uuid, input: String, warnings: String, output: Option<String> }
    QueueItem: "queue_item" { queue: String, lane: i64, ticket: i64, account: String, request: Uuid }
    Lease: "lease" {
        request: Uuid,
        node: Uuid,
        worker: Option<String>,
        session: Option<Uuid>,
        claimed_at: i64,
        deadline_at: i64,
        until: i64,
        log_logged: i64,
        log_lines: i64,
        log_bytes: i64,
    }
    Attempt: "attempt" {
        request: Uuid,
        epoch: i64,
        claimed_at: i64,
        ended_at: i64,
        ending: String,
        worker: Option<String>,
        session: Option<Uuid>,
    }
    RequestLog: "request_log" { request: Uuid, epoch: i64, start: i64, at: i64, lines: String }
    Movement: "movement" {
        id: Uuid,
        settles: bool,
        account: String,
        kind: String,
        available: i64,
        held: i64,
        issuance: i64,
        revenue: i64,
        at: i64,
    }
    UsageDay: "usage_day" { account: String, day: i64, requests: i64, credits: i64 }
    Idempotency: "idempotency" {
        account: String,
        sandbox: bool,
        key: String,
        fingerprint: Bytes,
        request: Uuid,
        expires_at: i64,
    }
    Delivery: "delivery" {
        id: Uuid,
        request: Uuid,
        account: String,
        sandbox: bool,
        host: String,
        url: String,
        body: Bytes,
        state: String,
        attempts: i64,
        created_at: i64,
        due_at: i64,
        replay_at: Option<i64>,
        next_at: Option<i64>,
        claimed_until: Option<i64>,
        claimed_by: Option<Uuid>,
        postponed: bool,
        settled_at: Option<i64>,
    }
    DeliveryAttempt: "delivery_attempt" {
        delivery: Uuid,
        number: i64,
        replay: bool,
        at: i64,
        status: Option<i64>,
        duration_ms: i64,
        class: String,
        error: Option<String>,
        reply: String,
    }
    Upload: "upload" { id: Uuid, account: String, bytes: i64, expires_at: i64 }
    UploadUse: "upload_use" { upload: Uuid, request: Uuid }
    Audit: "audit" { number: i64, at: i64, act: String, subject: String, detail: String }
}
