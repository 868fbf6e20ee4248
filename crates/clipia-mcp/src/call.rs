//! One call of a tool, with all that it needs.

use crate::callers::Caller;
use crate::files::Files;
use crate::progress::Progress;
use crate::refusal::Refusal;
use crate::settings::Settings;
use clipia::Clipia;
use rmcp::model::{CallToolRequestParams, ClientCapabilities, JsonObject, ProtocolVersion};
use rmcp::service::{RequestContext, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A call of a tool.
pub(crate) struct Call<'a> {
    pub(crate) caller: Arc<Caller>,
    pub(crate) settings: &'a Settings,
    /// The files of this machine that the call may read and write; `None` over HTTP.
    pub(crate) files: Option<&'a Files>,
    pub(crate) request: CallToolRequestParams,
    pub(crate) context: &'a RequestContext<RoleServer>,
    /// Canceled when the server stops.
    pub(crate) stop: &'a CancellationToken,
}

impl Call<'_> {
    /// The client of the API.
    pub(crate) fn clipia(&self) -> &Clipia {
        &self.caller.clipia
    }

    /// The arguments.
    pub(crate) fn arguments(&self) -> JsonObject {
        self.request.arguments.clone().unwrap_or_default()
    }

    /// The arguments as the parameters of the tool.
    pub(crate) fn parameters<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_value(Value::Object(self.arguments()))
            .map_err(|error| Refusal::new(format!("The arguments cannot be taken: {error}.")))
    }

    /// Where the call tells its progress; `None` if nobody asked for it.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let token = self.context.meta.get_progress_token()?;
        Some(Progress::new(self.context.peer.clone(), token))
    }

    /// Returns when nobody waits for the call any more, or the server stops.
    pub(crate) async fn given_up(&self) {
        tokio::select! {
            () = self.context.ct.cancelled() => {}
            () = self.stop.cancelled() => {}
        }
    }

    fn capabilities(&self) -> ClientCapabilities {
        self.context.client_capabilities().unwrap_or_default()
    }

    /// Whether the client takes a task in place of a result. Some clients declare it in a revision without types of results too, and then
    /// take a task for a result without content.
    pub(crate) fn takes_tasks(&self) -> bool {
        self.has_result_types() && self.capabilities().supports_tasks()
    }

    /// Whether the client can ask a person to fill in a form.
    pub(crate) fn has_forms(&self) -> bool {
        let elicitation = self.capabilities().elicitation;
        // A client that names no mode has forms: there was nothing else in earlier revisions.
        elicitation.is_some_and(|has| has.form.is_some() || has.url.is_none())
    }

    /// Whether the client's revision of the protocol has results of several types: a task, or a question in place of a request of the server.
    pub(crate) fn has_result_types(&self) -> bool {
        let version = self.context.protocol_version();
        version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
    }
}
