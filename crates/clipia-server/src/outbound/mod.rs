//! Calls to URLs that a caller named: webhooks and inputs that are files.
//!
//! Such a call must never reach an address that only the server can reach. So the address is checked when the connection is made,
//! and not only in the URL: the connection's own resolver drops the addresses that are not allowed ([`client`]).

pub mod addresses;
pub mod client;
mod lookup;
mod system;
pub mod target;
mod time_limit;

pub use addresses::Reach;
pub use client::Outbound;
pub use ipnet::IpNet;
pub use lookup::{Lookup, LookupError};
pub use target::{AllowedUrl, Target, TargetRefused};
pub use time_limit::TimeLimit;
