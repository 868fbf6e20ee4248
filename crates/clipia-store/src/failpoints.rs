//! Points where a test ends the process, as a power cut would, and a wall clock that a test sets. Without the feature
//! `failpoints` nothing of it is built.
//!
//! `FAILPOINT=after-claim:3` ends the process the third time that it comes to the point `after-claim`. `cargo xtask
//! chaos` does that, and starts it again.
//!
//! `FAULT_MEDIA_FULL=PATH` is a disk without room for media while a file is at that path: half of what is written comes to the
//! disk, and then nothing. `FAULT_STORE_FULL=PATH` is one without room for commits.
//!
//! `FAULT_CLOCK=path` names a file with a number of seconds that are added to the system's clock. A test changes the
//! file while the server runs. It replaces the file by `rename`, so that no half of a number is read.

pub use clock::wall_offset;
pub use fault::{copy, has_room_for_commit, write};
pub use point::reached;

#[cfg(not(feature = "failpoints"))]
mod clock {
    /// Nothing is added to the system's clock.
    #[inline]
    pub const fn wall_offset() -> i64 {
        0
    }
}

#[cfg(feature = "failpoints")]
mod clock {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    /// Where the number of seconds is.
    static SET: LazyLock<Option<PathBuf>> = LazyLock::new(|| Some(std::env::var_os("FAULT_CLOCK")?.into()));

    /// Microseconds that are added to the system's clock; none where there is no file.
    pub fn wall_offset() -> i64 {
        let seconds = SET.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        seconds
            .and_then(|seconds| seconds.trim().parse::<i64>().ok())
            .map_or(0, |seconds| seconds * 1_000_000)
    }
}

#[cfg(not(feature = "failpoints"))]
mod point {
    /// Nothing.
    #[inline]
    pub const fn reached(_: &str) {}
}

#[cfg(feature = "failpoints")]
mod point {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// The point that is armed, and how often it may be reached until the process ends.
    static ARMED: LazyLock<Option<(String, AtomicI64)>> = LazyLock::new(|| {
        let named = std::env::var("FAILPOINT").ok()?;
        let (point, times) = named.split_once(':').unwrap_or((&named, "1"));
        Some((point.to_owned(), times.parse::<i64>().ok()?.into()))
    });

    /// Ends the process if this point is armed and was reached often enough.
    pub fn reached(point: &str) {
        if let Some((armed, left)) = &*ARMED
            && armed == point
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            end();
        }
    }

    /// As `kill -9` does it: nothing is flushed, nothing is dropped, nobody is notified.
    fn end() -> ! {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort()
    }
}

#[cfg(not(feature = "failpoints"))]
mod fault {
    use std::fs::File;
    use std::io::{self, Read, Write};

    /// Writes a file of media.
    pub fn write(to: &mut File, bytes: &[u8]) -> io::Result<()> {
        to.write_all(bytes)
    }

    /// Copies at most `bytes` bytes to a file of media, and returns how many there were. The system copies, so that no byte
    /// takes memory of this process.
    pub fn copy(from: &mut File, to: &mut File, bytes: u64) -> io::Result<u64> {
        io::copy(&mut from.take(bytes), to)
    }

    /// There is as much room for a commit as the disk has.
    #[inline]
    pub const fn has_room_for_commit() -> bool {
        true
    }
}

#[cfg(feature = "failpoints")]
mod fault {
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::path::PathBuf;
    use std::sync::LazyLock;

    /// A disk that is full while the file exists that the variable names.
    struct Full(LazyLock<Option<PathBuf>>);

    impl Full {
        fn is_now(&self) -> bool {
            self.0.as_ref().is_some_and(|path| path.exists())
        }
    }

    static MEDIA: Full = Full(LazyLock::new(|| std::env::var_os("FAULT_MEDIA_FULL").map(PathBuf::from)));
    static STORE: Full = Full(LazyLock::new(|| std::env::var_os("FAULT_STORE_FULL").map(PathBuf::from)));

    /// Writes a file of media, or half of it.
    pub fn write(to: &mut File, bytes: &[u8]) -> io::Result<()> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        to.write_all(first)?;
        if MEDIA.is_now() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        to.write_all(second)
    }

    /// Copies to a file of media, or half of it.
    pub fn copy(from: &mut File, to: &mut File, bytes: u64) -> io::Result<u64> {
        let first = io::copy(&mut from.take(bytes / 2), to)?;
        if MEDIA.is_now() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(first + io::copy(&mut from.take(bytes - bytes / 2), to)?)
    }

    /// Whether a commit has room.
    pub fn has_room_for_commit() -> bool {
        !STORE.is_now()
    }
}
