//! Attempts and times in the messages of errors.

use std::time::Duration;

/// Seconds: whole if at least ten, otherwise with one decimal.
pub(super) fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds >= 10.0 { format!("{seconds:.0}") } else { format!("{seconds:.1}") }
}

/// How often a call was tried, if more than once.
pub(super) fn tries(attempts: u32, elapsed: Duration) -> String {
    if attempts > 1 { format!(", tried {attempts} times over {} s", seconds(elapsed)) } else { String::new() }
}
