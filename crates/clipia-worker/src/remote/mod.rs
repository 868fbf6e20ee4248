//! Work for a queue on another machine, over HTTP.
//!
//! [`HttpLine`] is the line of a session, which is one process that works with a worker's token. The session calls the server, and
//! the server never calls it. Every call has a time limit and can be repeated, so that a lost response costs nothing.
//!
//! | what | how often |
//! |---|---|
//! | claims | one call for all idle workers of the session, held open by the server |
//! | beats | one call at a time, for all attempts of the session |
//! | files | one piece after the other, each as long as the connection takes well |
//! | ends | one call an attempt |

mod backoff;
mod beats;
mod calls;
mod claims;
mod files;
mod inputs;
mod line;
mod pieces;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use clipia_remote::{CallError, NotAServer, server_url};
pub use line::HttpLine;
pub use session::{About, Over, Settings};
