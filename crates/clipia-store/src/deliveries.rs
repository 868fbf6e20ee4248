//! Deliveries as a store takes and gives them.

pub use clipia_queue::commands::attempt::{AfterAttempt, Reply};
pub use clipia_queue::deliveries::{DeliveryHost, DeliveryOwner, DeliveryState, HostRoom};

use super::{AccountId, NodeId};
use crate::living::Living;
use clipia_queue::commands::outbox::Sender;
use clipia_queue::shares::Shares;
use clipia_queue::{Moment, RequestId};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// How many deliveries are listed or replayed at a time.
pub const DELIVERIES_MAX: u32 = 1_000;

/// Which deliveries to take.
#[derive(Clone, Debug)]
pub struct DeliveryClaim {
    /// Whose sender will attempt them.
    pub node: NodeId,
    /// How many at most.
    pub most: u32,
    /// Whose attempts are under way: no owner gets more than its share, and the others of it are postponed.
    pub shares: Shares<DeliveryOwner>,
    /// How many of one host at most, for hosts that are not in `hosts`.
    pub most_of_host: u32,
    /// Hosts with less room than `most_of_host`, and hosts with postponed deliveries, in the order in which they are served.
    /// Hosts of owners that have their whole share may be left out.
    pub hosts: Vec<HostRoom>,
    /// The lease of their sender. A sender that has not recorded the attempt by its end loses the delivery.
    pub lease: Duration,
    /// The deliveries of the node whose sender lives, however long it takes.
    pub under_way: Living<Uuid>,
}

impl DeliveryClaim {
    /// What is known of the sender of `node` that has the delivery `id`.
    pub fn sender(&self, node: NodeId, id: Uuid) -> Sender {
        match node == self.node && self.under_way.holds(&id) {
            true => Sender::Living,
            false => Sender::Unknown,
        }
    }
}

/// Deliveries that were taken.
#[derive(Debug, Default)]
pub struct ClaimedDeliveries {
    /// The deliveries to attempt now.
    pub due: Vec<DueDelivery>,
    /// Hosts of which deliveries were postponed. They wait until a claim has room for them.
    pub postponed: Vec<DeliveryHost>,
    /// Hosts of which no postponed delivery is left.
    pub cleared: Vec<DeliveryHost>,
    /// Whether another claim could find more.
    pub more: bool,
}

/// A delivery to attempt.
#[derive(Clone)]
pub struct DueDelivery {
    /// Its id, the same for each attempt.
    pub id: Uuid,
    /// Its request.
    pub request: RequestId,
    /// The key that the request was submitted with.
    pub key_id: String,
    /// The host that is called.
    pub host: DeliveryHost,
    /// The URL that is called.
    pub url: String,
    /// The exact bytes of the body.
    pub body: Vec<u8>,
    /// Attempts of the schedule made so far.
    pub attempts: u32,
    /// The number of this attempt in the log.
    pub number: u32,
    /// Whether an operator asked for this attempt, beside the schedule.
    pub replay: bool,
    /// When this attempt came due: the first when its request ended.
    pub due_at: Moment,
    /// The secrets to sign with, in the order of their signatures.
    pub secrets: Vec<String>,
}

impl fmt::Debug for DueDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DueDelivery")
            .field("id", &self.id)
            .field("host", &self.host)
            .field("number", &self.number)
            .field("replay", &self.replay)
            .finish_non_exhaustive()
    }
}

/// How an attempt went, for metrics and for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptClass {
    /// It arrived: the receiver answered 2xx.
    Delivered,
    /// The receiver answered 3xx, which is not followed, or 1xx.
    Status3xx,
    /// The receiver answered 4xx.
    Status4xx,
    /// The receiver answered 5xx.
    Status5xx,
    /// The URL or every address of its host is one that may not be called.
    RefusedAddress,
    /// The host's name cannot be looked up.
    Dns,
    /// No connection.
    Connect,
    /// No trust: the certificate or the handshake failed.
    Tls,
    /// Not within the time of an attempt.
    Timeout,
    /// The connection broke off.
    Reset,
    /// What came back is not HTTP.
    Protocol,
}

impl AttemptClass {
    /// Every one, in the order of their discriminants.
    pub const ALL: [Self; 11] = [
        Self::Delivered,
        Self::Status3xx,
        Self::Status4xx,
        Self::Status5xx,
        Self::RefusedAddress,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Protocol,
    ];

    /// Its name, in the log of attempts and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Status3xx => "status_3xx",
            Self::Status4xx => "status_4xx",
            Self::Status5xx => "status_5xx",
            Self::RefusedAddress => "refused_address",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
        }
    }
}

/// An attempt at a delivery, made.
#[derive(Clone, Debug)]
pub struct DeliveryAttempt {
    /// Which delivery.
    pub delivery: Uuid,
    /// Its number in the log, from 1.
    pub number: u32,
    /// Which attempt of the schedule it was, from 1; nothing where an operator asked for it.
    pub of_schedule: Option<u32>,
    /// When it began.
    pub started: Moment,
    /// The receiver's HTTP status, if it answered.
    pub status: Option<u16>,
    /// How long it took.
    pub duration: Duration,
    /// How it went.
    pub class: AttemptClass,
    /// What went wrong, in a sentence that names no URL.
    pub error: Option<String>,
    /// How the receiver's answer begins.
    pub reply: String,
    /// What comes next.
    pub next: AfterAttempt,
}

/// Which deliveries to list. A field that is left out matches every delivery.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this request.
    pub request: Option<RequestId>,
    /// In this state.
    pub state: Option<DeliveryState>,
}

/// A delivery as an operator sees it.
#[derive(Clone, Debug)]
pub struct DeliveryListing {
    /// Its id, which receivers see too.
    pub id: Uuid,
    /// Whose it is.
    pub account_id: AccountId,
    /// Its request.
    pub request_id: RequestId,
    /// The URL that is called, without its query, which may hold a secret.
    pub url: String,
    /// Its state.
    pub state: DeliveryState,
    /// Attempts of the schedule made so far.
    pub attempts: u32,
    /// Whether it is postponed: its host is down, or has as many attempts under way as it may.
    pub postponed: bool,
    /// When its request ended.
    pub created_at: jiff::Timestamp,
    /// When it is attempted next.
    pub next_at: Option<jiff::Timestamp>,
    /// When it arrived or was given up.
    pub settled_at: Option<jiff::Timestamp>,
}

/// An attempt as an operator sees it.
#[derive(Clone, Debug)]
pub struct AttemptListing {
    /// Its number, from 1.
    pub number: u32,
    /// Whether an operator asked for it.
    pub replay: bool,
    /// When it began.
    pub at: jiff::Timestamp,
    /// The receiver's HTTP status, if it answered.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How it went: one of [`AttemptClass`].
    pub class: String,
    /// What went wrong.
    pub error: Option<String>,
    /// How the receiver's answer begins.
    pub reply: String,
}

/// A delivery with the log of its attempts.
#[derive(Clone, Debug)]
pub struct DeliveryDetails {
    /// The delivery.
    pub delivery: DeliveryListing,
    /// Its attempts, the first one first.
    pub log: Vec<AttemptListing>,
}

/// Deliveries that will be attempted once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How many.
    pub count: u64,
    /// From when on to replay next, if these were not all.
    pub next: Option<jiff::Timestamp>,
}
