//! The deliveries: webhooks that tell callers how their generations ended.
//!
//! The transaction that ends a generation also writes its delivery. From then on the delivery is attempted until it arrives, or
//! until its schedule is over. A delivery arrives at least once, and a receiver knows repeats by the request id.
//!
//! `dispatch` claims deliveries that are due, and records each attempt. `send` makes one attempt. `hosts` knows how many
//! attempts each host may have: a host that hangs or is down delays its own deliveries only.

mod dispatch;
mod hosts;
mod send;
mod statistics;
mod tamper;

pub use dispatch::Dispatcher;
pub use statistics::{DeliveryLag, DeliveryStatistics, LAG_BUCKETS};
pub use tamper::{Outgoing, Tamper};
