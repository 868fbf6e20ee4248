//! The administration of a Clipia queue, for the server that has it and for programs that call it.
//!
//! [`types`] holds every order, query and response, and [`Operation`] every call, generated from
//! `spec/administration.yaml`. [`Administration`] (feature `client`) is the client generated from the same document; it finds
//! the server by the data directory that the server runs on ([`Access`]).
//!
//! ```no_run
//! # #[cfg(feature = "client")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use clipia_admin::Administration;
//! use clipia_admin::types::{AccountOrder, GrantOrder};
//!
//! let administration = Administration::of("clipia-data".as_ref())?;
//! let made = administration.create_account(&AccountOrder { credits: 100 }).await?;
//! println!("{} signs with {}", made.account_id, made.webhook_secret.reveal());
//! administration.grant_credits(&made.account_id, &GrantOrder { credits: 35.try_into()? }).await?;
//! for account in administration.accounts().await? {
//!     println!("{}: {} credits", account.account_id, account.available);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What must never be here: the server, a store, a rule of the queue; and, without the feature `client`, anything of HTTP.

mod access;
#[cfg(feature = "client")]
mod administration;
#[cfg(feature = "client")]
mod response;
#[cfg(feature = "client")]
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::unwrap_used)] // generated
#[rustfmt::skip]
mod generated_client;
#[rustfmt::skip]
mod generated_operation;
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)] // generated; meanings stand in the spec
#[rustfmt::skip]
mod generated_types;
mod secret;

/// Every order, query and response of the administration.
pub mod types {
    pub use crate::generated_types::*;
}

pub use access::Access;
#[cfg(feature = "client")]
pub use generated_client::Client as Administration;
pub use generated_operation::Operation;
#[cfg(feature = "client")]
pub use response::AdministrationError;
pub use secret::Secret;

/// The most credits that one call gives an account: a typing error must not make a fortune.
pub const GRANT_MAX: u64 = 1_000_000_000;

/// Compiles what the README shows.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;
