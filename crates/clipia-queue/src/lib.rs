//! The rules of the queue, as pure code.
//!
//! What a request may become ([`lifecycle`]), what it costs ([`pricing`]), what its input must be ([`input`]), how
//! credits move ([`ledger`]), when a repeated submit is the same one ([`idempotency`]), what a key may do
//! ([`limits`]), how many are ahead ([`position`]), how long a worker holds a request ([`leases`]), when a delivery is tried
//! again ([`schedules`]), how long what has ended is kept ([`retention`]), what is kept of what an attempt logs ([`logs`]), what must hold of all that is stored ([`examination`]), to which host it goes ([`delivery_host`]), when its receiver is left alone ([`breaker`]), which
//! secrets sign it ([`rotation`]), what a worker on another machine may be named ([`workers`]), which files of callers are kept ([`uploads`]) how much an account may take of what all share ([`shares`]), what is wrong with a file of an operator ([`mistakes`]) and
//! which name a misspelled one means ([`suggestion`]): each is a function of its
//! arguments. [`commands`] puts these together: what is done to a queue, as facts and decisions. A store persists what is
//! decided here, in one transaction each.
//!
//! What must never be here: I/O, a clock, randomness, async. Time comes in as a [`Moment`], chance as a number.
//!
//! ```
//! use clipia_queue::catalogue::Catalogue;
//! use clipia_queue::{input, pricing};
//! use serde_json::json;
//!
//! let catalogue = Catalogue::built_in();
//! let model = &catalogue.get("seedance-2-fast-t2v").unwrap().model;
//! let checked = input::check(model, json!({"prompt": "waves at dusk", "colour": "red"}).as_object().unwrap()).unwrap();
//! assert_eq!(checked.warnings[0].code, "unknown_parameter");
//! assert_eq!(pricing::price(model, &checked.input).unwrap().get(), 120);
//! ```

mod account_id;
pub mod audit;
pub mod breaker;
pub mod catalogue;
pub mod commands;
mod credits;
pub mod deliveries;
pub mod delivery_host;
pub mod examination;
pub mod failure;
pub mod idempotency;
pub mod ids;
pub mod input;
pub mod leases;
pub mod ledger;
pub mod lifecycle;
pub mod limits;
pub mod logs;
pub mod media_address;
pub mod mistakes;
mod moment;
pub mod position;
pub mod pricing;
mod request_id;
pub mod retention;
pub mod rotation;
pub mod schedules;
pub mod shares;
pub mod suggestion;
pub mod uploads;
pub mod usage;
pub mod warnings;
pub mod workers;

pub use account_id::AccountId;
pub use credits::Credits;
pub use failure::Failure;
pub use moment::Moment;
pub use request_id::RequestId;

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
