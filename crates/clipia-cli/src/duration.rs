//! Lengths of time on the command line.

use std::time::Duration;

/// A length of time, such as `90s`, `10m` or `2h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let read =
        text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    read.filter(|duration| !duration.is_zero())
        .ok_or_else(|| "write a time such as 90s, 10m or 2h".to_owned())
}
