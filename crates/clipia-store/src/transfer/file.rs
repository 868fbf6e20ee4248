//! The file of an export: lines of JSON. The first line has the versions. Each of the others is a row, which names its table, but the
//! last one: it has the figures of the store and the digest of all lines before, so that a file that was cut off or altered is found.
//! Neither side ever has more than one row in memory.

use super::{Figures, Row};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read, Write};

/// The version of the file and of its rows. A change of either makes another one.
pub const FORMAT: u32 = 2;

/// The longest first line that is read: what comes in another file is not.
const HEADER_MAX: u64 = 4_096;

/// What the last line begins with.
const END: &[u8] = b"{\"end\":";

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The version of the file.
    #[serde(rename = "clipia_export")]
    pub format: u32,
    /// The version of the schema of the store that it is of.
    pub schema: u32,
    /// When it was made.
    pub exported_at: Timestamp,
}

/// The last line.
#[derive(Serialize, Deserialize)]
enum Last {
    #[serde(rename = "end")]
    End { rows: u64, sha256: String, figures: Figures },
}

/// A file of which a row or more was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// The system refuses.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("is no file of `clipia export`")]
    Foreign,
    /// Another version of this program wrote it.
    #[error(
        "has format {found}, and this program reads {FORMAT}: import it with the version of `clipia` that exported it"
    )]
    Format {
        /// Its format.
        found: u32,
    },
    /// A line is no row. Its text is not shown: it may have secrets.
    #[error("was altered: its line {0} is no row of a store. Export again")]
    NoRow(u64),
    /// Its end is missing.
    #[error("is cut off: its end is missing. Export again")]
    CutOff,
    /// Its lines are not those that its end was made for.
    #[error("was altered: its lines are not those that were written. Export again")]
    Altered,
}

/// Writes a store to a file.
pub struct FileWriter<W> {
    to: W,
    digest: Sha256,
    rows: u64,
    figures: Figures,
    line: Vec<u8>,
}

impl<W: Write> FileWriter<W> {
    /// Begins a file with the store's version.
    ///
    /// # Errors
    /// What the file says.
    pub fn begin(to: W, schema: u32, exported_at: Timestamp) -> io::Result<Self> {
        let mut writer =
            Self { to, digest: Sha256::new(), rows: 0, figures: Figures::default(), line: Vec::new() };
        writer.line(&Header { format: FORMAT, schema, exported_at })?;
        Ok(writer)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.digest.update(&self.line);
        self.to.write_all(&self.line)
    }

    /// Writes a row.
    ///
    /// # Errors
    /// What the file says.
    pub fn row(&mut self, row: &Row) -> io::Result<()> {
        self.line(row)?;
        self.rows += 1;
        let json = self.line.strip_suffix(b"\n").unwrap_or_default();
        self.figures.add(row, json);
        Ok(())
    }

    /// Ends the file. Returns what it is written to, and the figures of the rows.
    ///
    /// # Errors
    /// What the file says.
    pub fn end(mut self) -> io::Result<(W, Figures)> {
        let sha256 = hex::encode(self.digest.clone().finalize());
        self.line(&Last::End { rows: self.rows, sha256, figures: self.figures.clone() })?;
        self.to.flush()?;
        Ok((self.to, self.figures))
    }
}

/// Reads a store from a file.
pub struct FileReader<R> {
    from: R,
    header: Header,
    digest: Sha256,
    rows: u64,
    line: Vec<u8>,
    /// The figures at its end, once all is read.
    figures: Option<Figures>,
}

impl<R: BufRead> FileReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// [`Unread`] where it is no file of this version.
    pub fn begin(mut from: R) -> Result<Self, Unread> {
        let mut line = Vec::new();
        from.by_ref().take(HEADER_MAX).read_until(b'\n', &mut line)?;
        let header: Header = serde_json::from_slice(&line).map_err(|_| Unread::Foreign)?;
        if header.format != FORMAT {
            return Err(Unread::Format { found: header.format });
        }
        let digest = Sha256::new().chain_update(&line);
        Ok(Self { from, header, digest, rows: 0, line, figures: None })
    }

    /// The first line.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next row; nothing where all were read and the file is whole.
    ///
    /// # Errors
    /// [`Unread`] where the file is not what was written. Rows that came before may be wrong, too.
    pub fn row(&mut self) -> Result<Option<Row>, Unread> {
        if self.figures.is_some() {
            return Ok(None);
        }
        self.line.clear();
        self.from.read_until(b'\n', &mut self.line)?;
        if !self.line.ends_with(b"\n") {
            return Err(Unread::CutOff);
        }
        if self.line.starts_with(END) {
            self.end()?;
            return Ok(None);
        }
        self.digest.update(&self.line);
        self.rows += 1;
        serde_json::from_slice(&self.line).map(Some).map_err(|_| Unread::NoRow(self.rows + 1))
    }

    fn end(&mut self) -> Result<(), Unread> {
        let Last::End { rows, sha256, figures } =
            serde_json::from_slice(&self.line).map_err(|_| Unread::Altered)?;
        let is_whole = rows == self.rows && sha256 == hex::encode(self.digest.clone().finalize());
        if !is_whole || !self.from.fill_buf()?.is_empty() {
            return Err(Unread::Altered);
        }
        self.figures = Some(figures);
        Ok(())
    }

    /// The figures of the store; nothing before all rows were read.
    pub fn into_figures(self) -> Option<Figures> {
        self.figures
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Table};
    use super::*;

    fn turn(turn: i64) -> Row {
        let cells = [Cell::Text("render".to_owned()), Cell::Text("acct_1".to_owned()), Cell::Integer(turn)];
        Table::QueueTurn.row(cells).unwrap()
    }

    fn written() -> Vec<u8> {
        let mut writer = FileWriter::begin(Vec::new(), 1, Timestamp::UNIX_EPOCH).unwrap();
        (1..=3).for_each(|number| writer.row(&turn(number)).unwrap());
        writer.end().unwrap().0
    }

    fn read(file: &[u8]) -> Result<(u64, Figures), Unread> {
        let mut reader = FileReader::begin(file)?;
        let mut rows = 0;
        while reader.row()?.is_some() {
            rows += 1;
        }
        Ok((rows, reader.into_figures().unwrap()))
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let (rows, figures) = read(&written()).unwrap();
        assert_eq!((rows, figures.rows(Table::QueueTurn)), (3, 3));
        let mut other = Figures::default();
        for number in [3, 1, 2] {
            other.add(&turn(number), &serde_json::to_vec(&turn(number)).unwrap());
        }
        assert_eq!(figures.difference(&other), None, "the order of rows makes no difference");
        other.add(&turn(4), b"another");
        assert!(figures.difference(&other).unwrap().contains("queue_turn"));
    }

    #[test]
    fn a_file_that_is_cut_off_or_altered_is_refused() {
        let file = written();
        let text = String::from_utf8(file.clone()).unwrap();
        for end in 0..file.len() {
            assert!(read(&file[..end]).is_err(), "{end} bytes");
        }
        let said = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        assert!(said(&text.replace("\"turn\":2", "\"turn\":9")).contains("altered"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(said(&[lines[0], lines[1], lines[4], ""].join("\n")).contains("altered"));
        assert!(said(&lines[..4].join("\n")).contains("cut off"));
        assert!(said(&(text.clone() + "more\n")).contains("altered"));
        assert!(said(&text.replace("\"turn\":2", "\"turn\":\"whsec_2\"")).contains("line 3 is no row"));
        assert!(!said(&text.replace("\"turn\":2", "\"turn\":\"whsec_2\"")).contains("whsec_2"));
        assert!(said(&text.replace("\"clipia_export\":2", "\"clipia_export\":3")).contains("format 3"));
        assert!(said("SQLite format 3\0").contains("no file of `clipia export`"));
    }

    #[test]
    fn a_cell_of_another_kind_is_refused() {
        let cells = [Cell::Text("render".to_owned()), Cell::Null, Cell::Integer(1)];
        let unfit = Table::QueueTurn.row(cells).err().unwrap().to_string();
        assert!(unfit.contains("`account` of a row of `queue_turn`"), "{unfit}");
    }
}
