// Generated from spec/workers.yaml by `cargo xtask generate`. Do not edit.

///What a session says of itself, for `clipia workers list`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct About {
    ///The names of its GPUs, as far as it knows them.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub gpu: ::std::option::Option<::std::string::String>,
    ///The name of its machine.
    pub host: ::std::string::String,
    ///How many jobs it runs at once.
    pub slots: ::std::num::NonZeroU32,
    ///Its version of `clipia`.
    pub version: ::std::string::String,
}
///An attempt.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AttemptName {
    ///The number of its claim.
    pub epoch: i64,
    ///The request.
    pub request_id: clipia_api::RequestId,
}
///What becomes of attempts.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct BeatAnswer {
    ///One for each attempt of the order, in its order.
    pub jobs: ::std::vec::Vec<JobAnswer>,
    ///What the operator says to the worker.
    pub say: Word,
}
///How far the attempts of a session are.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct BeatOrder {
    pub jobs: ::std::vec::Vec<JobBeat>,
}
///What a session can take.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ClaimOrder {
    ///What the operator sees of the session.
    pub about: About,
    ///The executor that the session is, which is the name of the queue.
    pub executor: ::std::string::String,
    /**The accounts that use their whole share of the session's preparation. Their requests that name a file elsewhere are
passed over.
*/
    pub full_accounts: ::std::vec::Vec<::std::string::String>,
    ///The attempts that the session knows of.
    pub held: ::std::vec::Vec<AttemptName>,
    /**Whether the session is sure that it has no lease that `held` does not name, since it got the response of each of its claims.
The server looks for no other lease then, which is quicker. A session that is sure lets the server look now and then all
the same.
*/
    #[serde(default)]
    pub held_is_all: bool,
    ///How many requests at most.
    pub slots_free: ::std::num::NonZeroU32,
    ///How long to hold the call open. More than 25 means 25; proxies cut longer calls.
    pub wait_seconds: u32,
}
///What was claimed.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct Claimed {
    ///The claimed requests, the first one first.
    pub jobs: ::std::vec::Vec<ClaimedJob>,
    ///What the operator says to the worker.
    pub say: Word,
}
///A request that the session may run.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct ClaimedJob {
    ///Whose request it is. No account takes more than its share of a session's preparation.
    pub account_id: ::std::string::String,
    ///The address that the submit was made under.
    pub base_url: ::std::string::String,
    ///The number of its claim, which each report carries.
    pub epoch: i64,
    ///The input, checked and with defaults.
    pub input: ::serde_json::Map<::std::string::String, ::serde_json::Value>,
    ///The model.
    pub model: clipia_api::types::Model,
    ///The request.
    pub request_id: clipia_api::RequestId,
}
///The output of an attempt.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct CompleteOrder {
    ///The number of its claim.
    pub epoch: i64,
    ///Its files.
    pub files: ::std::vec::Vec<SentFile>,
    ///The lines that no beat has reported.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub logs: ::std::option::Option<LoggedLines>,
    ///The output. Its URLs are the names of `files`.
    pub output: clipia_api::types::Output,
    ///The request.
    pub request_id: clipia_api::RequestId,
}
///Why an attempt has no output.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FailOrder {
    ///A code for programs, such as `content_policy`.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub code: ::std::option::Option<::std::string::String>,
    ///The number of its claim.
    pub epoch: i64,
    ///The lines that no beat has reported.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub logs: ::std::option::Option<LoggedLines>,
    ///Why, for the caller.
    pub message: ::std::string::String,
    ///The request.
    pub request_id: clipia_api::RequestId,
}
///How much of a file the server has.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct FileReceived {
    ///The bytes from the beginning of the file.
    pub received: u64,
}
///The query of `GET /worker/v1/inputs/{request_id}/{epoch}`.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct GetInputQuery {
    ///Which of the parameter's files, from 0. 0 for a parameter with one.
    pub number: u32,
    ///The parameter of the input that names the file.
    pub parameter: ::std::string::String,
}
///What becomes of an attempt.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
pub struct JobAnswer {
    ///The number of its claim.
    pub epoch: i64,
    ///Whether its lease is in force. If not, as after a cancel, the work ends and nothing more is reported.
    pub goes_on: bool,
    ///The request.
    pub request_id: clipia_api::RequestId,
    ///Why its lease is not in force.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub why: ::std::option::Option<::std::string::String>,
}
///How far an attempt is.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct JobBeat {
    ///The number of its claim.
    pub epoch: i64,
    ///The lines that it logged since the last report that arrived.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub logs: ::std::option::Option<LoggedLines>,
    /**Whether the attempt has not begun, since its inputs are being fetched. Its time does not pass then, and there is
neither progress nor a log.
*/
    #[serde(default)]
    pub preparing: bool,
    ///How far it is; it never falls within an attempt.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub progress: ::std::option::Option<clipia_api::Progress>,
    ///The request.
    pub request_id: clipia_api::RequestId,
}
///Lines that an attempt logged.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, Default, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LoggedLines {
    ///The lines, in their order; 1,000 and 256 KiB at most.
    pub lines: ::std::vec::Vec<::std::string::String>,
    ///How many lines of the attempt came before these, those that were dropped included.
    pub offset: u64,
}
///A request to give back.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ReleaseOrder {
    ///The number of its claim.
    pub epoch: i64,
    ///The lines that no beat has reported.
    #[serde(skip_serializing_if = "::std::option::Option::is_none")]
    pub logs: ::std::option::Option<LoggedLines>,
    ///The request.
    pub request_id: clipia_api::RequestId,
}
///A file of an output, all of which the server has.
#[derive(::serde::Deserialize, ::serde::Serialize, Clone, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SentFile {
    ///Its length in bytes.
    pub bytes: u64,
    ///Its name.
    pub name: ::std::string::String,
}
/**What the operator says to a worker: to work, or to be quiet, which is to end what it runs and to claim nothing.
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
pub enum Word {
    #[serde(rename = "work")]
    Work,
    #[serde(rename = "quiet")]
    Quiet,
}
impl ::std::fmt::Display for Word {
    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
        match *self {
            Self::Work => f.write_str("work"),
            Self::Quiet => f.write_str("quiet"),
        }
    }
}
impl ::std::str::FromStr for Word {
    type Err = self::error::ConversionError;
    fn from_str(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        match value {
            "work" => Ok(Self::Work),
            "quiet" => Ok(Self::Quiet),
            _ => Err("invalid value".into()),
        }
    }
}
impl ::std::convert::TryFrom<&str> for Word {
    type Error = self::error::ConversionError;
    fn try_from(
        value: &str,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
}
impl ::std::convert::TryFrom<::std::string::String> for Word {
    type Error = self::error::ConversionError;
    fn try_from(
        value: ::std::string::String,
    ) -> ::std::result::Result<Self, self::error::ConversionError> {
        value.parse()
    }
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
