//! A file on another host that is fetched piece by piece, within bounds of bytes and time.

use super::JobError;
use super::input_hosts::{Fetching, InputHosts};
use crate::outbound::client::causes;
use crate::outbound::{Outbound, Target, TimeLimit};
use crate::store::AccountId;
use bytes::Bytes;
use clipia_queue::breaker::Sign;
use http::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// The longest time that a host may send nothing.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A file to fetch.
pub(super) struct Wanted<'w> {
    /// The parameter that names it, for messages.
    pub(super) parameter: &'w str,
    pub(super) url: &'w str,
    /// The account whose request names it.
    pub(super) account: &'w AccountId,
    /// Its most bytes.
    pub(super) bytes_max: u64,
    /// The longest time of the whole fetch.
    pub(super) time_max: Duration,
}

/// The error of an input that cannot be used, in a sentence about its parameter.
pub(super) fn failed(parameter: &str, why: impl std::fmt::Display) -> JobError {
    JobError::Failed(format!("`{parameter}` {why}"))
}

/// A file that arrives from another host. Its host's breaker learns how the fetch ended.
pub(super) struct Arriving<'w> {
    wanted: Wanted<'w>,
    response: Response,
    fetching: Option<Fetching>,
    time: TimeLimit,
    /// The bytes that arrived.
    arrived: u64,
}

impl<'w> Arriving<'w> {
    /// Calls the file's host.
    ///
    /// # Errors
    /// [`JobError::Failed`] tells the caller what is wrong with the URL, or that its host is down. [`JobError::Unavailable`] if
    /// this server has no open file or no memory left.
    pub(super) async fn begin(
        wanted: Wanted<'w>,
        hosts: &InputHosts,
        outbound: &Outbound,
    ) -> Result<Self, JobError> {
        let failed = |why: &dyn std::fmt::Display| failed(wanted.parameter, why);
        // A file may be public and without TLS. The allowed addresses are those of webhooks.
        let target = Target { plain_http: true, ..outbound.target() };
        let url = target.parse(wanted.url).map_err(|refused| failed(&refused))?;
        let fetching = hosts.begin(wanted.account, &url).map_err(|down| failed(&down))?;
        let mut time = TimeLimit::new(wanted.time_max);
        let call = outbound.call(Method::GET, url).send();
        let response = match within(&mut time, call).await {
            None => {
                fetching.end(Sign::Down);
                return Err(failed(&SILENT));
            }
            Some(Err(error)) => {
                return Err(match shortage(&error) {
                    // A shortage here is no sign of the host's health.
                    Some(shortage) => JobError::Unavailable(format!("cannot fetch an input: {shortage}")),
                    None => {
                        fetching.end(Sign::Down);
                        failed(&"cannot be reached")
                    }
                });
            }
            Some(Ok(response)) => response,
        };
        let status = response.status();
        if !status.is_success() {
            fetching.end(Sign::Alive);
            return Err(failed(&format_args!("was answered with {status}")));
        }
        if response.content_length().is_some_and(|length| length > wanted.bytes_max) {
            fetching.end(Sign::Alive);
            return Err(failed(&TooLong(wanted.bytes_max)));
        }
        Ok(Self { wanted, response, fetching: Some(fetching), time, arrived: 0 })
    }

    /// The bytes that the host announced: at most those that were wanted, and 0 if it announced none.
    pub(super) fn announced(&self) -> u64 {
        self.response.content_length().unwrap_or(0)
    }

    /// The media type that the host tells, without parameters.
    pub(super) fn media_type(&self) -> Option<&str> {
        let told = self.response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
        Some(told.split(';').next().unwrap_or(told).trim())
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// As [`Arriving::begin`].
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, JobError> {
        let (sign, result) = match within(&mut self.time, self.response.chunk()).await {
            Some(Ok(Some(piece))) => {
                self.arrived = self.arrived.saturating_add(piece.len() as u64);
                if self.arrived <= self.wanted.bytes_max {
                    return Ok(Some(piece));
                }
                (Sign::Alive, Err(self.failed(&TooLong(self.wanted.bytes_max))))
            }
            Some(Ok(None)) => (Sign::Alive, Ok(None)),
            Some(Err(_)) => (Sign::Down, Err(self.failed(&"cannot be read: the answer broke off"))),
            None => (Sign::Down, Err(self.failed(&SILENT))),
        };
        if let Some(fetching) = self.fetching.take() {
            fetching.end(sign);
        }
        result
    }

    fn failed(&self, why: &dyn std::fmt::Display) -> JobError {
        failed(self.wanted.parameter, why)
    }
}

/// The part of a sentence about a host that is too slow.
const SILENT: &str = "was not answered in time";

/// A file that is longer than allowed.
#[derive(Debug, thiserror::Error)]
#[error("cannot be read: the answer is longer than {0} bytes")]
pub(super) struct TooLong(pub(super) u64);

/// The result of `part`; none if the time is over first, or if `part` takes longer than a host may be silent.
async fn within<T>(time: &mut TimeLimit, part: impl Future<Output = T>) -> Option<T> {
    time.of(TimeLimit::new(SILENCE_MAX).of(part)).await.flatten()
}

/// The shortage of this server that a call failed for, if there is one.
fn shortage<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref()).find(|error| is_shortage(error))
}

/// Whether the process has no open file, no memory or no room on the disk left, which would fail any request.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    /// The codes of too many open files, of the process (EMFILE) and of the system (ENFILE). The standard library has no kind
    /// for them.
    const OPEN_FILES: [i32; 2] = [24, 23];
    let open_files = cfg!(unix) && error.raw_os_error().is_some_and(|code| OPEN_FILES.contains(&code));
    open_files
        || matches!(error.kind(), ErrorKind::OutOfMemory | ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_found_inside_other_errors() {
        let system = io::Error::from_raw_os_error;
        let within = |error| io::Error::other(io::Error::other(error));
        for (error, short) in [
            (system(24), true),
            (within(system(23)), true),
            (within(ErrorKind::OutOfMemory.into()), true),
            (ErrorKind::StorageFull.into(), true),
            (within(system(111)), false),
            (ErrorKind::TimedOut.into(), false),
        ] {
            assert_eq!(shortage(&error).is_some(), short, "{error:?}");
        }
    }
}
