//! Reads a store from the file of an export into an empty one, all in one transaction.
//!
//! What was inserted is read again from the database, and its figures are compared with those of the store that was exported. Then
//! everything is examined as by `clipia doctor`. Where anything differs, nothing is imported.

use super::connection::Connection;
use super::examination::{self, each_by};
use super::open_error;
use super::rows::Row as Stored;
use super::values::{IntoValue, Value, values};
use super::writing::Writing;
use super::{Address, OpenError, PostgresStore};
use clipia_store::transfer::{Cell, Column, Figures, FileReader, Header, Kind, Row, Table, Unread};
use clipia_store::{Checked, StoreError, Upkeep, Violation, blocking};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// The most rows of a table that are inserted or read together.
const ROWS_AT_ONCE: usize = 1_000;

/// The bytes after which no row is inserted together with those before.
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

/// How many such batches are read ahead.
const BATCHES_AHEAD: usize = 4;

/// What was imported.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The versions of the file.
    pub header: Header,
    /// What the store holds, computed from the rows that are in the database.
    pub figures: Figures,
    /// What was examined.
    pub checked: Checked,
}

/// A file that was not imported. Nothing of it is in the database.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is not what was exported.
    #[error("`{}` {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Unread,
    },
    /// There is no store to import into.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something in the store.
    #[error(
        "the store is not empty: there are rows in `{0}`. Import into a database that `clipia migrate` has just made, before any \
         server has run on it"
    )]
    NotEmpty(&'static str),
    /// The database has other rows than the store that was exported.
    #[error("the imported store is another one, and nothing was imported: {0}")]
    Differs(String),
    /// The imported store breaks a rule.
    #[error("the imported store breaks a rule, and nothing was imported: {}: {}", .0.rule, .0.found)]
    Broken(Box<Violation>),
    /// The database cannot be used.
    #[error("cannot import: {}", open_error::described(.0))]
    Store(#[from] StoreError),
}

/// Imports the store of a file into the database, where `clipia migrate` has made an empty one.
///
/// # Errors
/// [`ImportError`]; nothing was imported then.
pub async fn import(address: &Address, file: &Path) -> Result<Imported, ImportError> {
    let unread = |why: Unread| ImportError::File { path: file.to_owned(), why };
    let reader = BufReader::new(File::open(file).map_err(|error| unread(error.into()))?);
    let reader = FileReader::begin(reader).map_err(unread)?;
    let store = PostgresStore::open(address).await?;
    let path = file.to_owned();
    let importing = move |w: Arc<Writing>| async move {
        w.plan_anew();
        run(&w, reader, path).await
    };
    let imported = store.write(importing).await;
    store.close().await;
    imported
}

async fn run<R: BufRead + Send + 'static>(
    w: &Writing,
    reader: FileReader<R>,
    path: PathBuf,
) -> Result<Imported, ImportError> {
    let now = w.now().await?.steady;
    // The file may be on a slow disk.
    w.plain("SET LOCAL idle_in_transaction_session_timeout = '5min'");
    // Whoever would make a first account waits, and so does another import.
    w.plain("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE");
    w.flush().await?;
    for table in Table::ALL {
        let any = format!("SELECT EXISTS (SELECT FROM {}) AS found", table.name());
        if w.one(&any, Vec::new()).await?.get("found")? {
            return Err(ImportError::NotEmpty(table.name()));
        }
    }
    let header = reader.header().clone();
    let (batches, mut next) = mpsc::channel(BATCHES_AHEAD);
    let reading = tokio::spawn(blocking::run(move || read(reader, &batches)));
    while let Some(batch) = next.recv().await {
        insert(w, batch).await?;
    }
    let read = reading.await.map_err(|_| StoreError::Panicked)?.map_err(StoreError::from)?;
    let exported = read.map_err(|why| ImportError::File { path, why })?;
    for (sequence, latest) in [
        ("pg_get_serial_sequence('api_key', 'number')", "SELECT max(number) FROM api_key"),
        ("pg_get_serial_sequence('audit', 'number')", "SELECT max(number) FROM audit"),
        ("'turn'", "SELECT max(turn) FROM queue_turn"),
    ] {
        // Where there is none, the first number is the next one.
        let advance = format!(
            "SELECT setval({sequence}, greatest(latest, 1), latest > 0) FROM ({latest}) AS l (latest) WHERE latest IS NOT NULL"
        );
        w.query(&advance, Vec::new()).await?;
    }
    // Otherwise the database would plan the queries below, and those of the first minute, as for empty tables.
    w.plain("ANALYZE");
    let figures = figures(w).await?;
    if let Some(difference) = exported.difference(&figures) {
        return Err(ImportError::Differs(difference));
    }
    match examination::examine(w, now).await? {
        (checked, None) => Ok(Imported { header, figures, checked }),
        (_, Some(violation)) => Err(ImportError::Broken(Box::new(violation))),
    }
}

/// Sends the rows of a file, in batches of one table each. Returns the figures at its end.
fn read<R: BufRead>(mut reader: FileReader<R>, batches: &mpsc::Sender<Batch>) -> Result<Figures, Unread> {
    let mut batch: Option<Batch> = None;
    // Where nobody receives any more, the import has failed, and its error is the one that counts.
    while let Some(row) = reader.row()? {
        if let Some(full) = batch.take_if(|batch| batch.table != row.table() || batch.is_full())
            && batches.blocking_send(full).is_err()
        {
            break;
        }
        batch.get_or_insert_with(|| Batch::new(row.table())).push(row);
    }
    if let Some(last) = batch {
        let _ = batches.blocking_send(last);
    }
    Ok(reader.into_figures().unwrap_or_default())
}

/// Rows of one table, column by column.
struct Batch {
    table: Table,
    rows: usize,
    /// What its texts and bytes take.
    bytes: usize,
    columns: Vec<Cells>,
}

/// The cells of a column.
enum Cells {
    Integer(Vec<Option<i64>>),
    Boolean(Vec<Option<bool>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Id(Vec<Option<Uuid>>),
}

impl Batch {
    fn new(table: Table) -> Self {
        let columns = table.columns().iter().map(|column| Cells::new(column.kind)).collect();
        Self { table, rows: 0, bytes: 0, columns }
    }

    const fn is_full(&self) -> bool {
        self.rows >= ROWS_AT_ONCE || self.bytes >= BYTES_AT_ONCE
    }

    fn push(&mut self, row: Row) {
        self.rows += 1;
        for (cells, cell) in self.columns.iter_mut().zip(row.into_cells()) {
            self.bytes += match &cell {
                Cell::Text(text) => text.len(),
                Cell::Bytes(bytes) => bytes.len(),
                _ => 0,
            };
            cells.push(cell);
        }
    }
}

impl Cells {
    const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::Integer(Vec::new()),
            Kind::Boolean => Self::Boolean(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Bytes => Self::Bytes(Vec::new()),
            Kind::Id => Self::Id(Vec::new()),
        }
    }

    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (Self::Integer(cells), Cell::Integer(value)) => cells.push(Some(value)),
            (Self::Boolean(cells), Cell::Boolean(value)) => cells.push(Some(value)),
            (Self::Text(cells), Cell::Text(value)) => cells.push(Some(value)),
            (Self::Bytes(cells), Cell::Bytes(value)) => cells.push(Some(value)),
            (Self::Id(cells), Cell::Id(value)) => cells.push(Some(value)),
            // A cell is of the kind of its column, or none.
            (Self::Integer(cells), _) => cells.push(None),
            (Self::Boolean(cells), _) => cells.push(None),
            (Self::Text(cells), _) => cells.push(None),
            (Self::Bytes(cells), _) => cells.push(None),
            (Self::Id(cells), _) => cells.push(None),
        }
    }

    /// The type of the array that the column is as a parameter.
    const fn array(&self) -> &'static str {
        match self {
            Self::Integer(_) => "int8[]",
            Self::Boolean(_) => "bool[]",
            Self::Text(_) => "text[]",
            Self::Bytes(_) => "bytea[]",
            Self::Id(_) => "uuid[]",
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Integer(cells) => cells.into_value(),
            Self::Boolean(cells) => cells.into_value(),
            Self::Text(cells) => cells.into_value(),
            Self::Bytes(cells) => cells.into_value(),
            Self::Id(cells) => cells.into_value(),
        }
    }
}

/// The name of a column in this kind of store.
fn name(table: Table, column: &Column) -> &'static str {
    match (table, column.name) {
        // The latest ticket of a queue is the highest of its requests, and no lower than this.
        (Table::Queue, "tail") => "floor",
        (_, name) => name,
    }
}

/// The column with the request of a row, in the tables that are kept by month.
const fn request_column(table: Table) -> Option<&'static str> {
    match table {
        Table::Request => Some("id"),
        Table::RequestContent | Table::Attempt | Table::RequestLog => Some("request"),
        _ => None,
    }
}

async fn insert(w: &Writing, Batch { table, columns, .. }: Batch) -> Result<(), StoreError> {
    let of =
        table.columns().iter().zip(&columns).find(|(column, _)| Some(column.name) == request_column(table));
    if let Some((_, Cells::Id(ids))) = of {
        let make =
            "SELECT make_month(min(id::text)::uuid) FROM unnest($1::uuid[]) AS i (id) GROUP BY month_of(id)";
        w.query(make, values![ids.clone()]).await?;
    }
    let names: Vec<&str> = table.columns().iter().map(|column| name(table, column)).collect();
    let arrays: Vec<String> =
        columns.iter().zip(1..).map(|(cells, number)| format!("${number}::{}", cells.array())).collect();
    let text = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({})",
        table.name(),
        names.join(", "),
        arrays.join(", ")
    );
    w.execute(&text, columns.into_iter().map(Cells::into_value).collect()).await.map(drop)
}

/// The figures of the rows that are in the database.
async fn figures(c: &Connection) -> Result<Figures, StoreError> {
    let mut figures = Figures::default();
    for table in Table::ALL {
        let columns = table.columns();
        let names: Vec<&str> = columns.iter().map(|column| name(*table, column)).collect();
        let query = format!("SELECT {} FROM {}", names.join(", "), table.name());
        each_by(c, &query, ROWS_AT_ONCE, |stored| {
            let cells = columns.iter().map(|column| cell(stored, name(*table, column), column.kind));
            let cells: Vec<Cell> = cells.collect::<Result<_, _>>()?;
            let unreadable = |error: String| StoreError::Unreadable(error);
            let row = table.row(cells).map_err(|unfit| unreadable(unfit.to_string()))?;
            let json = serde_json::to_vec(&row).map_err(|error| unreadable(error.to_string()))?;
            figures.add(&row, &json);
            Ok(())
        })
        .await?;
    }
    Ok(figures)
}

/// The cell of a column.
fn cell(row: &Stored, name: &str, kind: Kind) -> Result<Cell, StoreError> {
    let cell = match kind {
        Kind::Integer => row.get::<Option<_>>(name)?.map(Cell::Integer),
        Kind::Boolean => row.get::<Option<_>>(name)?.map(Cell::Boolean),
        Kind::Text => row.get::<Option<_>>(name)?.map(Cell::Text),
        Kind::Bytes => row.get::<Option<_>>(name)?.map(Cell::Bytes),
        Kind::Id => row.get::<Option<_>>(name)?.map(Cell::Id),
    };
    Ok(cell.unwrap_or(Cell::Null))
}
