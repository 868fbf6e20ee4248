//! Calling addresses that a caller named: webhooks to deliver to, images to start from.
//!
//! Such a call must never reach what only the server can reach. The address is checked where it is connected to, not
//! where it is spelled: a name's answers are filtered by the resolver of the very connection ([`client`]).

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
