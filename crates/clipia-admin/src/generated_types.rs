// Generated from spec/administration.yaml by `cargo xtask generate`. Do not edit.

///An account in a list.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct AccountListing {
    ///Its id.
    pub account_id: ::std::string::String,
    ///Credits that can be spent.
    pub available: clipia_api::Credits,
    ///When it was created.
    pub created_at: jiff::Timestamp,
    ///Credits reserved for requests that have not ended.
    pub held: clipia_api::Credits,
    ///How many of its keys are in force.
    pub keys: u64,
}
///An account that was created.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct AccountMade {
    ///Its id.
    pub account_id: ::std::string::String,
    ///What its deliveries are signed with.
    pub webhook_secret: crate::Secret,
}
///An account to create.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AccountOrder {
    ///Its first credits.
    pub credits: u64,
}
///A page of accounts.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct AccountPage {
    pub accounts: ::std::vec::Vec<AccountListing>,
    ///The `after` of the next page; null on the last page.
    pub next: ::std::option::Option<::std::string::String>,
}
///One attempt at a delivery.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct AttemptListing {
    ///When it began.
    pub at: jiff::Timestamp,
    /**How it went: `delivered`, `status_3xx`, `status_4xx`, `status_5xx`, `refused_address`, `dns`, `connect`, `tls`,
`timeout`, `reset` or `protocol`.
*/
    pub class: ::std::string::String,
    ///How long it took, in milliseconds.
    pub duration_ms: u64,
    ///What went wrong, in a sentence that names no URL; null where nothing did.
    pub error: ::std::option::Option<::std::string::String>,
    ///Its number, from 1.
    pub number: u32,
    ///Whether an operator asked for it.
    pub replay: bool,
    ///How the receiver's response begins.
    pub reply: ::std::string::String,
    ///The receiver's HTTP status; null where it sent none.
    pub status: ::std::option::Option<u16>,
}
///One act of an operator, or how often tokens were refused in a minute. It holds no secret.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct AuditEntry {
    ///What was done, such as `key revoked`.
    pub act: ::std::string::String,
    ///When.
    pub at: jiff::Timestamp,
    ///More about it, for people.
    pub detail: ::std::string::String,
    ///Its number, which rises from entry to entry.
    pub number: i64,
    ///The id of the account, key, request or delivery, or the name of the queue; empty where it is about none.
    pub subject: ::std::string::String,
}
///Entries of the audit, the newest first.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(transparent)]
pub struct AuditList(pub ::std::vec::Vec<AuditEntry>);
impl ::std::ops::Deref for AuditList {
    type Target = ::std::vec::Vec<AuditEntry>;
    fn deref(&self) -> &::std::vec::Vec<AuditEntry> {
        &self.0
    }
}
impl ::std::convert::From<AuditList> for ::std::vec::Vec<AuditEntry> {
    fn from(value: AuditList) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::vec::Vec<AuditEntry>> for AuditList {
    fn from(value: ::std::vec::Vec<AuditEntry>) -> Self {
        Self(value)
    }
}
///A copy that was made.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct BackupMade {
    ///Its size.
    pub bytes: u64,
    ///The file.
    pub path: ::std::string::String,
}
///A copy to make.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct BackupOrder {
    /**The file to write, by its absolute path on the server's machine: the server has a working directory of its own.
It must not exist.
*/
    pub path: ::std::string::String,
}
///A day or a month of the calendar, by UTC.
#[derive(
    ::serde::Deserialize,
    ::serde::Serialize,
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd
)]
pub enum BudgetPeriod {
    #[serde(rename = "day")]
    Day,
    #[serde(rename = "month")]
    Month,
}
impl ::std::fmt::Display for BudgetPeriod {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        match *self {
            Self::Day => f.write_str("day"),
            Self::Month => f.write_str("month"),
        }
    }
}
impl ::std::str::FromStr for BudgetPeriod {
    type Err = self::error::ConversionError;
    fn from_str(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        match value {
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            _ => Err("invalid value".into()),
        }
    }
}
impl ::std::convert::TryFrom<&str> for BudgetPeriod {
    type Error = self::error::ConversionError;
    fn try_from(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
impl ::std::convert::TryFrom<::std::string::String> for BudgetPeriod {
    type Error = self::error::ConversionError;
    fn try_from(
        value: ::std::string::String,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
///How much was looked at.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Checked {
    ///Accounts.
    pub accounts: u64,
    ///Deliveries.
    pub deliveries: u64,
    ///Deliveries that wait for an operator since a restore.
    pub deliveries_held: u64,
    ///Movements of credits.
    pub movements: u64,
    ///Requests.
    pub requests: u64,
    ///Rules that hold; with a violation, those before it.
    pub rules: u64,
}
/**The credits that a key may spend in each day or month of the calendar, by UTC. A submit that would spend more is refused with 402
`insufficient_credits`. What is reserved for a request is spent when it is submitted. It comes back if the request fails or is
canceled in the same period. The sandbox spends nothing.
*/
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct CreditBudget {
    ///Credits in each period.
    pub max: ::std::num::NonZeroU64,
    ///How long a period is.
    pub per: BudgetPeriod,
}
///A delivery and its attempts.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct DeliveryDetails {
    #[serde(flatten)]
    pub listing: DeliveryListing,
    ///The attempts, the first one first.
    pub log: ::std::vec::Vec<AttemptListing>,
}
///Deliveries, the newest first.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(transparent)]
pub struct DeliveryList(pub ::std::vec::Vec<DeliveryListing>);
impl ::std::ops::Deref for DeliveryList {
    type Target = ::std::vec::Vec<DeliveryListing>;
    fn deref(&self) -> &::std::vec::Vec<DeliveryListing> {
        &self.0
    }
}
impl ::std::convert::From<DeliveryList> for ::std::vec::Vec<DeliveryListing> {
    fn from(value: DeliveryList) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::vec::Vec<DeliveryListing>> for DeliveryList {
    fn from(value: ::std::vec::Vec<DeliveryListing>) -> Self {
        Self(value)
    }
}
///A delivery in a list.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct DeliveryListing {
    ///The account that it belongs to.
    pub account_id: ::std::string::String,
    ///Attempts of the schedule made so far.
    pub attempts: u32,
    ///When its request ended.
    pub created_at: jiff::Timestamp,
    ///Its id, which receivers see too.
    pub id: ::uuid::Uuid,
    ///When the next attempt is due; null where there is none.
    pub next_at: ::std::option::Option<jiff::Timestamp>,
    ///Whether its host has no room now, because of too many attempts under way or too many that failed.
    pub postponed: bool,
    pub request_id: clipia_api::RequestId,
    ///When it arrived or was given up; null before.
    pub settled_at: ::std::option::Option<jiff::Timestamp>,
    pub state: DeliveryState,
    ///The address, without its query, which may hold a secret.
    pub url: ::std::string::String,
}
/**Where a delivery stands: it will be attempted (`pending`), it arrived (`delivered`), it was given up
(`abandoned`), or it came with a restored backup and waits for an operator (`held`).
*/
#[derive(
    ::serde::Deserialize,
    ::serde::Serialize,
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd
)]
pub enum DeliveryState {
    #[serde(rename = "pending")]
    Pending,
    #[serde(rename = "delivered")]
    Delivered,
    #[serde(rename = "abandoned")]
    Abandoned,
    #[serde(rename = "held")]
    Held,
}
impl ::std::fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        match *self {
            Self::Pending => f.write_str("pending"),
            Self::Delivered => f.write_str("delivered"),
            Self::Abandoned => f.write_str("abandoned"),
            Self::Held => f.write_str("held"),
        }
    }
}
impl ::std::str::FromStr for DeliveryState {
    type Err = self::error::ConversionError;
    fn from_str(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        match value {
            "pending" => Ok(Self::Pending),
            "delivered" => Ok(Self::Delivered),
            "abandoned" => Ok(Self::Abandoned),
            "held" => Ok(Self::Held),
            _ => Err("invalid value".into()),
        }
    }
}
impl ::std::convert::TryFrom<&str> for DeliveryState {
    type Error = self::error::ConversionError;
    fn try_from(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
impl ::std::convert::TryFrom<::std::string::String> for DeliveryState {
    type Error = self::error::ConversionError;
    fn try_from(
        value: ::std::string::String,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
///What an examination looked at, the first thing that it found wrong, and what slows the store down.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Findings {
    pub checked: Checked,
    ///The executors that make nothing now.
    pub paused: ::std::vec::Vec<Paused>,
    ///What keeps a PostgreSQL database from removing rows that changed, the oldest first. The store gets slower until that ends. Nothing is here that fewer than 20,000 transactions came after.
    pub pins: ::std::vec::Vec<Pin>,
    ///What is wrong; null where the store is in order.
    pub violation: ::std::option::Option<Violation>,
}
///Credits that were granted.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct GrantMade {
    ///The account.
    pub account_id: ::std::string::String,
    ///Credits that the account can spend since.
    pub available: clipia_api::Credits,
    ///How many.
    pub granted: clipia_api::Credits,
}
///Credits to grant.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct GrantOrder {
    ///How many.
    pub credits: ::std::num::NonZeroU64,
}
/**What can happen to a request: it was accepted (`submitted`), a worker claimed it (`started`) or gave it back
(`released`), its lease expired (`lost`), and it ended (`completed`, `failed`, `canceled`).
*/
#[derive(
    ::serde::Deserialize,
    ::serde::Serialize,
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd
)]
pub enum Happening {
    #[serde(rename = "submitted")]
    Submitted,
    #[serde(rename = "started")]
    Started,
    #[serde(rename = "released")]
    Released,
    #[serde(rename = "lost")]
    Lost,
    #[serde(rename = "completed")]
    Completed,
    #[serde(rename = "failed")]
    Failed,
    #[serde(rename = "canceled")]
    Canceled,
}
impl ::std::fmt::Display for Happening {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        match *self {
            Self::Submitted => f.write_str("submitted"),
            Self::Started => f.write_str("started"),
            Self::Released => f.write_str("released"),
            Self::Lost => f.write_str("lost"),
            Self::Completed => f.write_str("completed"),
            Self::Failed => f.write_str("failed"),
            Self::Canceled => f.write_str("canceled"),
        }
    }
}
impl ::std::str::FromStr for Happening {
    type Err = self::error::ConversionError;
    fn from_str(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        match value {
            "submitted" => Ok(Self::Submitted),
            "started" => Ok(Self::Started),
            "released" => Ok(Self::Released),
            "lost" => Ok(Self::Lost),
            "completed" => Ok(Self::Completed),
            "failed" => Ok(Self::Failed),
            "canceled" => Ok(Self::Canceled),
            _ => Err("invalid value".into()),
        }
    }
}
impl ::std::convert::TryFrom<&str> for Happening {
    type Error = self::error::ConversionError;
    fn try_from(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
impl ::std::convert::TryFrom<::std::string::String> for Happening {
    type Error = self::error::ConversionError;
    fn try_from(
        value: ::std::string::String,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
///Held deliveries that were resumed or given up.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct HeldSettled {
    ///How many.
    pub count: u64,
}
/**The limits of one key. Where one is null, the server's own holds; for credits it has none. An order may leave out what is
null.
*/
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    ///Credits that its requests may cost in a day or a month.
    pub credits: ::std::option::Option<CreditBudget>,
    ///Requests queued or running at once; 0 lifts the limit.
    pub in_flight_max: ::std::option::Option<u32>,
    ///Requests a minute; 0 lifts the limit.
    pub requests_per_minute: ::std::option::Option<u32>,
}
///A key in a list.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct KeyListing {
    ///The account that it belongs to.
    pub account_id: ::std::string::String,
    ///When it was created.
    pub created_at: jiff::Timestamp,
    ///Enough of the key to recognise it by.
    pub hint: ::std::string::String,
    ///Its public name.
    pub id: ::std::string::String,
    pub limits: KeyLimits,
    ///When it was revoked; null while it is in force.
    pub revoked_at: ::std::option::Option<jiff::Timestamp>,
    ///Whether its requests are of the sandbox, where they cost nothing.
    pub sandbox: bool,
    pub scopes: Scopes,
    ///What it has spent of its credit budget; null where it has none.
    pub spent: ::std::option::Option<KeySpent>,
}
///A key that was created.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct KeyMade {
    ///Its public name.
    pub id: ::std::string::String,
    ///The key itself.
    pub key: crate::Secret,
}
///A key to create.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KeyOrder {
    ///The account that it will belong to.
    pub account_id: ::std::string::String,
    pub limits: KeyLimits,
    ///Whether its requests are of the sandbox, where they cost nothing.
    pub sandbox: bool,
    pub scopes: Scopes,
}
///A page of keys.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct KeyPage {
    pub keys: ::std::vec::Vec<KeyListing>,
    ///The `after` of the next page; null on the last page.
    pub next: ::std::option::Option<::std::string::String>,
}
///What a key has spent of its credit budget in the period that it is now.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct KeySpent {
    ///Credits that were spent.
    pub credits: clipia_api::Credits,
    ///When the period ends, and the budget is whole again.
    pub whole_at: jiff::Timestamp,
}
///The query of `GET /accounts`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ListAccountsQuery {
    ///The last account of the page before; left out for the first page.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub after: ::std::option::Option<::std::string::String>,
    ///How many at most. More than 1000 means 1000, and so does a page without `limit`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub limit: ::std::option::Option<::std::num::NonZeroU32>,
}
///The query of `GET /audit`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ListAuditQuery {
    ///Only entries with a lower number; that of the last entry of the list before.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub before: ::std::option::Option<i64>,
    ///How many at most. More than 1000 means 1000.
    pub limit: u32,
}
///The query of `GET /deliveries`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ListDeliveriesQuery {
    ///Only what belongs to this account.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub account_id: ::std::option::Option<::std::string::String>,
    ///Only deliveries that are older than this one; the last of the list before.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub before: ::std::option::Option<::uuid::Uuid>,
    ///How many at most. More than 1000 means 1000.
    pub limit: u32,
    ///Only the delivery of this request.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub request_id: ::std::option::Option<clipia_api::RequestId>,
    ///Only deliveries in this state.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub state: ::std::option::Option<DeliveryState>,
}
///The query of `GET /keys`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ListKeysQuery {
    ///The `next` of the page before; left out for the first page.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub after: ::std::option::Option<::std::string::String>,
    ///How many at most. More than 1000 means 1000, and so does a page without `limit`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub limit: ::std::option::Option<::std::num::NonZeroU32>,
}
///The query of `GET /requests/{request_id}/logs`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ListLogLinesQuery {
    ///Only lines after this position; the `position` of the page before.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub after: ::std::option::Option<::std::string::String>,
    ///Only lines of this attempt, from 1.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub attempt: ::std::option::Option<i64>,
    ///How many at most. More than 1000 means 1000, and so does a page without `limit`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub limit: ::std::option::Option<::std::num::NonZeroU32>,
}
///The query of `GET /requests`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ListRequestsQuery {
    ///Only what belongs to this account.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub account_id: ::std::option::Option<::std::string::String>,
    ///Only requests that are older than this one; the `next` of the page before.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub after: ::std::option::Option<clipia_api::RequestId>,
    ///Only requests that were submitted with this key.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub key_id: ::std::option::Option<::std::string::String>,
    ///How many at most. More than 1000 means 1000.
    pub limit: u32,
    ///Only requests of the model with this slug.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub model: ::std::option::Option<::std::string::String>,
    ///Only requests that were accepted at this time or later.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub since: ::std::option::Option<jiff::Timestamp>,
    ///Only requests with this status.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub status: ::std::option::Option<clipia_api::Status>,
    /**Only requests whose input, or error message, has every one of these words; the last may be the beginning of one. A
request is found some seconds after its submit. Where there is no word, nothing is found.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub text: ::std::option::Option<::std::string::String>,
}
///What a server logs.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct LogLevel {
    ///As it was ordered.
    pub filter: ::std::string::String,
}
///What a server shall log.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LogLevelOrder {
    /**A level, and levels for parts of the server, as `RUST_LOG` has them, such as `info` or
`info,clipia_server::deliveries=debug`.
*/
    pub filter: LogLevelOrderFilter,
}
/**A level, and levels for parts of the server, as `RUST_LOG` has them, such as `info` or
`info,clipia_server::deliveries=debug`.
*/
#[derive(::serde::Serialize, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub struct LogLevelOrderFilter(::std::string::String);
impl ::std::ops::Deref for LogLevelOrderFilter {
    type Target = ::std::string::String;
    fn deref(&self) -> &::std::string::String {
        &self.0
    }
}
impl ::std::convert::From<LogLevelOrderFilter> for ::std::string::String {
    fn from(value: LogLevelOrderFilter) -> Self {
        value.0
    }
}
impl ::std::str::FromStr for LogLevelOrderFilter {
    type Err = self::error::ConversionError;
    fn from_str(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        if value.chars().count() > 1024usize {
            return Err("longer than 1024 characters".into());
        }
        if value.chars().count() < 1usize {
            return Err("shorter than 1 characters".into());
        }
        Ok(Self(value.to_string()))
    }
}
impl ::std::convert::TryFrom<&str> for LogLevelOrderFilter {
    type Error = self::error::ConversionError;
    fn try_from(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
impl ::std::convert::TryFrom<::std::string::String> for LogLevelOrderFilter {
    type Error = self::error::ConversionError;
    fn try_from(
        value: ::std::string::String,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
impl<'de> ::serde::Deserialize<'de> for LogLevelOrderFilter {
    fn deserialize<D>(deserializer: D) -> ::std::result::Result<Self, D::Error>
    where
        D: ::serde::Deserializer<'de>,
    {
        ::std::string::String::deserialize(deserializer)?
            .parse()
            .map_err(|e: self::error::ConversionError| {
                <D::Error as ::serde::de::Error>::custom(e.to_string())
            })
    }
}
///A line that an attempt logged.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct LogLine {
    ///When the worker reported it.
    pub at: jiff::Timestamp,
    ///Which claim of a worker, from 1.
    pub attempt: i64,
    ///The line, without escape sequences and control characters other than tab.
    pub line: ::std::string::String,
    /**Which line of the attempt, from 1. Numbers that are left out are those of lines that were dropped, because there
were too many.
*/
    pub number: u64,
}
///A page of the log lines of a request.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct LogPage {
    pub lines: ::std::vec::Vec<LogLine>,
    ///Whether there are lines after these now.
    pub more: bool,
    ///The `after` of the next page.
    pub position: ::std::string::String,
    ///The status of the request when the lines were read. No line comes after its end.
    pub status: clipia_api::Status,
}
///Something that happened to a request.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Occurrence {
    ///When.
    pub at: jiff::Timestamp,
    ///Which claim of a worker, from 1; absent where it is of none.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub attempt: ::std::option::Option<i64>,
    pub what: Happening,
    /**The name of the worker on another machine whose claim it is; absent where it is of none, and where a worker of the server
itself has it.
*/
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub worker: ::std::option::Option<::std::string::String>,
}
///An executor that makes nothing now. One request tries it again after each pause.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Paused {
    ///What pauses, such as `executor gpu`.
    pub of: ::std::string::String,
    ///What its program or the system said.
    pub why: ::std::string::String,
}
///What keeps a database from removing rows that changed since.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Pin {
    ///What it is, such as a session, and how it is ended.
    pub by: ::std::string::String,
    ///Since when; null where that is not known.
    pub since: ::std::option::Option<jiff::Timestamp>,
    ///How many transactions began since.
    pub transactions: u64,
}
///Queues, in the order of their names.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(transparent)]
pub struct QueueList(pub ::std::vec::Vec<QueueListing>);
impl ::std::ops::Deref for QueueList {
    type Target = ::std::vec::Vec<QueueListing>;
    fn deref(&self) -> &::std::vec::Vec<QueueListing> {
        &self.0
    }
}
impl ::std::convert::From<QueueList> for ::std::vec::Vec<QueueListing> {
    fn from(value: QueueList) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::vec::Vec<QueueListing>> for QueueList {
    fn from(value: ::std::vec::Vec<QueueListing>) -> Self {
        Self(value)
    }
}
///A queue.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct QueueListing {
    ///How many accounts have requests that wait for their first attempt.
    pub accounts: u64,
    pub order: QueueOrder,
    ///When it was paused; null where it is not.
    pub paused_at: ::std::option::Option<jiff::Timestamp>,
    ///Its name, which is that of its executor.
    pub queue: ::std::string::String,
    ///How many requests run.
    pub running: u64,
    ///How many requests wait.
    pub waiting: u64,
}
/**The order in which requests are claimed that no worker had. `turns`: turns go round the accounts, first in first
out within each. `fifo`: one line, first in first out.
*/
#[derive(
    ::serde::Deserialize,
    ::serde::Serialize,
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd
)]
pub enum QueueOrder {
    #[serde(rename = "turns")]
    Turns,
    #[serde(rename = "fifo")]
    Fifo,
}
impl ::std::fmt::Display for QueueOrder {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        match *self {
            Self::Turns => f.write_str("turns"),
            Self::Fifo => f.write_str("fifo"),
        }
    }
}
impl ::std::str::FromStr for QueueOrder {
    type Err = self::error::ConversionError;
    fn from_str(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        match value {
            "turns" => Ok(Self::Turns),
            "fifo" => Ok(Self::Fifo),
            _ => Err("invalid value".into()),
        }
    }
}
impl ::std::convert::TryFrom<&str> for QueueOrder {
    type Error = self::error::ConversionError;
    fn try_from(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
impl ::std::convert::TryFrom<::std::string::String> for QueueOrder {
    type Error = self::error::ConversionError;
    fn try_from(
        value: ::std::string::String,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
///Which deliveries to send again.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ReplayOrder {
    ///Those that were given up then or later.
    pub failed_since: jiff::Timestamp,
}
///Deliveries that are attempted once more.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Replayed {
    ///How many.
    pub count: u64,
    ///The `failed_since` of the next call; null where these were all.
    pub next: ::std::option::Option<jiff::Timestamp>,
}
///A request that was canceled.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct RequestCanceled {
    ///The account that it belongs to.
    pub account_id: ::std::string::String,
    ///Credits that the account can spend since.
    pub available: clipia_api::Credits,
    pub request_id: clipia_api::RequestId,
    ///Credits that were reserved for it and are returned.
    pub returned: clipia_api::Credits,
}
///A request and what happened to it, except what it is about.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct RequestDetails {
    ///The deliveries of its end, with their attempts.
    pub deliveries: ::std::vec::Vec<DeliveryDetails>,
    #[serde(flatten)]
    pub listing: RequestListing,
    ///How its credits moved, in order.
    pub movements: ::std::vec::Vec<RequestMovement>,
    ///What happened to it, in order.
    pub timeline: ::std::vec::Vec<Occurrence>,
}
///A request in a list.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct RequestListing {
    ///The account that it belongs to.
    pub account_id: ::std::string::String,
    ///How often a worker claimed it.
    pub attempts: i64,
    ///When it ended; null before.
    pub completed_at: ::std::option::Option<jiff::Timestamp>,
    ///Credits reserved until it ends, and charged since.
    pub cost: clipia_api::Credits,
    ///When it was accepted.
    pub created_at: jiff::Timestamp,
    ///Why it failed, in a sentence; null unless it did.
    pub error: ::std::option::Option<::std::string::String>,
    ///The public name of the key that submitted it.
    pub key_id: ::std::string::String,
    ///The slug of the model.
    pub model: ::std::string::String,
    ///Percent done; null unless the status is IN_PROGRESS.
    pub progress: ::std::option::Option<clipia_api::Progress>,
    ///The queue that it waits or waited in.
    pub queue: ::std::string::String,
    ///How many requests are ahead in the queue, 0 is next; null unless the status is IN_QUEUE.
    pub queue_position: ::std::option::Option<u64>,
    pub request_id: clipia_api::RequestId,
    ///Whether it is of the sandbox and costs nothing.
    pub sandbox: bool,
    pub status: clipia_api::Status,
}
///A movement of a request's credits.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct RequestMovement {
    ///When.
    pub at: jiff::Timestamp,
    ///By how many credits the account can spend more since; less where it is negative.
    pub available: i64,
    ///`reserve`, `capture` or `release`.
    pub kind: ::std::string::String,
}
///A page of requests, the newest first.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct RequestPage {
    ///The `after` of the next page; null on the last page.
    pub next: ::std::option::Option<clipia_api::RequestId>,
    pub requests: ::std::vec::Vec<RequestListing>,
}
/**When the secrets of a rotation sign, in seconds from now by the server's clock: the caller's clock may be another.
*/
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RotationOrder {
    ///When the new secret comes last in the header; when the old secrets end, if left out.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub new_last_in_seconds: ::std::option::Option<u64>,
    ///When the old secrets end, 30 days at most; in a day, if left out.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub old_end_in_seconds: ::std::option::Option<u64>,
}
///What a key may do. Every key may read its account's requests, the catalogue and the account.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Scopes {
    ///Submit generations.
    pub generate: bool,
}
///A webhook secret that was made.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct SecretMade {
    ///The account.
    pub account_id: ::std::string::String,
    /**From when on the new secret comes last in the header. Until then a receiver that knows one secret needs the old
one.
*/
    pub new_last_from: jiff::Timestamp,
    ///Until when the old secrets sign too.
    pub old_sign_until: jiff::Timestamp,
    ///What its deliveries are signed with from now on.
    pub webhook_secret: crate::Secret,
}
///When one secret signs.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct SecretTimes {
    ///When it was made.
    pub created_at: jiff::Timestamp,
    ///When it ends; absent for the newest, which does not end.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub ends_at: ::std::option::Option<jiff::Timestamp>,
    ///From when on it comes last in the header, while older ones sign too.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub last_from: ::std::option::Option<jiff::Timestamp>,
}
///When the webhook secrets of an account sign.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct SecretsListing {
    ///The account.
    pub account_id: ::std::string::String,
    ///The secrets that sign now, the newest first.
    pub secrets: ::std::vec::Vec<SecretTimes>,
}
///A ticket for the dashboard.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct TicketMade {
    ///The ticket.
    pub ticket: crate::Secret,
}
///A rule that does not hold.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Violation {
    ///The account concerned; null where there is none.
    pub account: ::std::option::Option<::std::string::String>,
    ///What there is, with figures.
    pub found: ::std::string::String,
    ///The request concerned; null where there is none.
    pub request: ::std::option::Option<clipia_api::RequestId>,
    ///The rule, as a sentence.
    pub rule: ::std::string::String,
}
///Credits that were taken back.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct WithdrawalMade {
    ///The account.
    pub account_id: ::std::string::String,
    ///Credits that the account can spend since.
    pub available: clipia_api::Credits,
    ///How many.
    pub withdrawn: clipia_api::Credits,
}
///Credits to take back.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalOrder {
    ///How many.
    pub credits: ::std::num::NonZeroU64,
}
///Workers, in the order of their names.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(transparent)]
pub struct WorkerList(pub ::std::vec::Vec<WorkerListing>);
impl ::std::ops::Deref for WorkerList {
    type Target = ::std::vec::Vec<WorkerListing>;
    fn deref(&self) -> &::std::vec::Vec<WorkerListing> {
        &self.0
    }
}
impl ::std::convert::From<WorkerList> for ::std::vec::Vec<WorkerListing> {
    fn from(value: WorkerList) -> Self {
        value.0
    }
}
impl ::std::convert::From<::std::vec::Vec<WorkerListing>> for WorkerList {
    fn from(value: ::std::vec::Vec<WorkerListing>) -> Self {
        Self(value)
    }
}
///A worker on other machines.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct WorkerListing {
    ///When it was created.
    pub created_at: jiff::Timestamp,
    ///The executors that it may be.
    pub executors: ::std::vec::Vec<::std::string::String>,
    ///Enough of the token to recognise it by.
    pub hint: ::std::string::String,
    ///Its name.
    pub name: ::std::string::String,
    ///Whether it claims nothing more.
    pub quiet: bool,
    ///When it was revoked; null while it is in force.
    pub revoked_at: ::std::option::Option<jiff::Timestamp>,
    /**The processes that work with its token, the latest first. One that has no request is listed for a day after it was
last heard of.
*/
    pub sessions: ::std::vec::Vec<WorkerSession>,
}
///A worker that was created.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct WorkerMade {
    ///The executors that it may be.
    pub executors: ::std::vec::Vec<::std::string::String>,
    ///Its name.
    pub name: ::std::string::String,
    ///What it works with.
    pub token: crate::Secret,
}
///A worker to create.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WorkerOrder {
    ///The executors of the server that it may be, at least one.
    pub executors: ::std::vec::Vec<::std::string::String>,
    ///Its name, of 1 to 64 letters, digits, `-`, `_` and `.`, not of dots alone.
    pub name: ::std::string::String,
}
///A worker that was revoked.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct WorkerRevoked {
    ///Its name.
    pub name: ::std::string::String,
    ///How many requests it had.
    pub taken_back: u64,
}
///A process that works with a worker's token, by what it says of itself.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct WorkerSession {
    ///The executor that it is.
    pub executor: ::std::string::String,
    ///The names of its GPUs; null where it knows none.
    pub gpu: ::std::option::Option<::std::string::String>,
    ///The name of its machine.
    pub host: ::std::string::String,
    ///How many requests it has.
    pub running: u64,
    ///When it was last heard of.
    pub seen_at: jiff::Timestamp,
    ///What it chose when it started.
    pub session: ::uuid::Uuid,
    ///When it was first heard of.
    pub since: jiff::Timestamp,
    ///How many requests it runs at once.
    pub slots: u32,
    ///Its version of `clipia`.
    pub version: ::std::string::String,
}
/// Error types.
pub mod error {
    /// Error from a `TryFrom` or `FromStr` implementation.
    pub struct ConversionError(::std::borrow::Cow<'static, str>);
    impl ::std::error::Error for ConversionError {}
    impl ::std::fmt::Display for ConversionError {
        fn fmt(
            &self,
            f: &mut ::std::fmt::Formatter<'_>,
        ) -> Result<(), ::std::fmt::Error> {
            ::std::fmt::Display::fmt(&self.0, f)
        }
    }
    impl ::std::fmt::Debug for ConversionError {
        fn fmt(
            &self,
            f: &mut ::std::fmt::Formatter<'_>,
        ) -> Result<(), ::std::fmt::Error> {
            ::std::fmt::Debug::fmt(&self.0, f)
        }
    }
    impl From<&'static str> for ConversionError {
        fn from(value: &'static str) -> Self {
            Self(value.into())
        }
    }
    impl From<String> for ConversionError {
        fn from(value: String) -> Self {
            Self(value.into())
        }
    }
}
