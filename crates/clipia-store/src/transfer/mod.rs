//! A stopped store moves to another kind of store through a file.
//!
//! Both kinds read and write [rows](Row) of the same description: the store that is left [writes](FileWriter) each row to the file,
//! and the one that is moved to [reads](FileReader) them. [`Figures`] are computed from the rows of either side by the same code. Equal
//! figures mean equal rows.

mod figures;
mod file;
mod row;

pub use figures::{AccountFigures, Figures, TableFigures};
pub use file::{FORMAT, FileReader, FileWriter, Header, Unread};
pub use row::{Cell, Column, Kind, Row, Table, Unfit};
