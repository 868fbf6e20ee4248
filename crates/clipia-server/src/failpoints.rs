//! Points where a test ends the process, as a power cut would. Without the feature `failpoints` nothing of it is built.
//!
//! `FAILPOINT=after-claim:3` ends the process the third time that it comes to the point `after-claim`. `cargo xtask
//! chaos` does that, and starts it again.

pub(crate) use point::reached;

#[cfg(not(feature = "failpoints"))]
mod point {
    /// Nothing.
    #[inline]
    pub(crate) const fn reached(_: &str) {}
}

#[cfg(feature = "failpoints")]
mod point {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// The point that is armed, and how often it may be reached until the process ends.
    static ARMED: LazyLock<Option<(String, AtomicI64)>> = LazyLock::new(|| {
        let told = std::env::var("FAILPOINT").ok()?;
        let (point, times) = told.split_once(':').unwrap_or((&told, "1"));
        Some((point.to_owned(), times.parse::<i64>().ok()?.into()))
    });

    /// Ends the process if this point is armed and was reached often enough.
    pub(crate) fn reached(point: &str) {
        if let Some((armed, left)) = &*ARMED
            && armed == point
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            end();
        }
    }

    /// As `kill -9` does it: nothing is flushed, nothing dropped, nobody told.
    fn end() -> ! {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort()
    }
}
