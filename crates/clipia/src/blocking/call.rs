//! Calls that are chained, and made by `run`.

use super::runtime::Runtime;
use super::{Outcome, Submitted};
use crate::download::DownloadProgress;
use crate::error::Error;
use crate::wait::Update;
use clipia_api::Credits;
use std::fmt;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::time::Duration;

/// The blocking side of the async call of the same name: its chain, and `run` in place of `.await`. `$of` converts the
/// output of the async call.
macro_rules! call {
    (
        $(#[$doc:meta])*
        $name:ident -> $output:ty, $of:expr;
        $($method:ident($($argument:ident: $type:ty)?);)*
    ) => {
        $(#[$doc])*
        #[must_use = "nothing is sent until `run`"]
        pub struct $name {
            runtime: Runtime,
            call: crate::$name,
        }

        impl $name {
            pub(super) fn new(runtime: &Runtime, call: crate::$name) -> Self {
                Self { runtime: runtime.clone(), call }
            }

            $(
                #[doc = concat!("As the async [`", stringify!($method), "`](crate::", stringify!($name), "::",
                    stringify!($method), ").")]
                pub fn $method(self $(, $argument: $type)?) -> Self {
                    Self { runtime: self.runtime, call: self.call.$method($($argument)?) }
                }
            )*

            /// Makes the call. This thread sleeps until the call has ended.
            ///
            /// # Errors
            #[doc = concat!("Those of the async [`", stringify!($name), "`](crate::", stringify!($name),
                ").")]
            ///
            /// # Panics
            /// On a thread that runs async code: see [the module](super#where-it-may-be-called).
            #[track_caller]
            pub fn run(self) -> Result<$output, Error> {
                let done = self.runtime.block_on(self.call.into_future())?;
                Ok($of(done, self.runtime))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.call.fmt(f)
            }
        }
    };
}

call! {
    /// A generation that is to be submitted; [`run`](Self::run) sends it. Made by
    /// [`Clipia::submit`](super::Clipia::submit).
    Submit -> Submitted, Submitted::new;
    webhook(url: impl Into<String>);
    idempotency_key(key: impl Into<String>);
    max_cost(credits: impl Into<Credits>);
}

call! {
    /// A generation that is to be submitted and waited for; [`run`](Self::run) does both. Made by
    /// [`Clipia::subscribe`](super::Clipia::subscribe).
    Subscribe -> Outcome, Outcome::new;
    webhook(url: impl Into<String>);
    idempotency_key(key: impl Into<String>);
    max_cost(credits: impl Into<Credits>);
    timeout(timeout: Duration);
    on_update(callback: impl FnMut(&Update) + Send + 'static);
}

call! {
    /// The wait for the end of one generation; [`run`](Self::run) begins it. Made by
    /// [`Generation::wait`](super::Generation::wait).
    Wait -> Outcome, Outcome::new;
    timeout(timeout: Duration);
    min_interval(interval: Duration);
    on_update(callback: impl FnMut(&Update) + Send + 'static);
}

call! {
    /// A download of the files of a result; [`run`](Self::run) begins it, and returns their paths in the
    /// output's order. Made by [`Completed::download`](super::Completed::download) and
    /// [`Generation::download`](super::Generation::download).
    Download -> Vec<PathBuf>, |paths, _| paths;
    renditions();
    overwrite(overwrite: bool);
    on_progress(callback: impl FnMut(&DownloadProgress) + Send + 'static);
}
