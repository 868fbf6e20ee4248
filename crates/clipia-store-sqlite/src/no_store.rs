//! Why a file does not serve as a store.

use std::path::PathBuf;

/// Why a file does not serve as a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoStore {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// A directory, or something else that is no file.
    #[error("is no file")]
    NoFile,
    /// There is nothing in it: a full disk leaves such a file.
    #[error("is empty")]
    Empty,
    /// Its end is missing.
    #[error("is cut off: {found} of its {whole} bytes are there")]
    CutOff {
        /// The bytes that are there.
        found: u64,
        /// The bytes that the file has by its header.
        whole: u64,
    },
    /// It is another program's, or no database.
    #[error("is no store of this program")]
    Foreign,
    /// A newer version wrote it.
    #[error("has schema version {found}, this program knows {known}: use a newer `clipia`")]
    Newer {
        /// The store's version.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// Its schema has this version's number and is another.
    #[error("was made by another build of `clipia`, where `{0}` has another form: use that build")]
    AnotherBuild(String),
    /// SQLite finds it broken.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// It is a copy, and a log lies beside it that is not its own.
    #[error(
        "is a backup, and the log of another store lies beside it, which would destroy it: move `{}` away, or put a \
         backup in place with `clipia restore`",
        .0.display()
    )]
    ForeignLog(PathBuf),
    /// A log with what is not in the file yet lies beside it.
    #[error(
        "has a log beside it with what is not in the file itself: stop its server, or use `clipia backup`"
    )]
    OpenLog,
}
