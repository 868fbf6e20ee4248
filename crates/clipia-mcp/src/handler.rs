//! The handler of the protocol: lists the tools, runs them, and answers for their tasks.

use crate::balance::get_balance;
use crate::call::Call;
use crate::callers::{Caller, Callers};
use crate::catalogue::{get_model, list_models};
use crate::failpoints;
use crate::files::Files;
use crate::generate::{directory, generate};
use crate::parameters::{GenerationParameters, WaitParameters};
use crate::refusal::Refusal;
use crate::result::{Show, Shown, result_of_many};
use crate::settings::Settings;
use crate::tasks;
use crate::tools::ToolName;
use crate::waiting::{Known, wait};
use clipia::RequestId;
use futures_util::FutureExt;
use futures_util::future::join_all;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, GetTaskParams, GetTaskResult,
    Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a client may keep the list of tools, in milliseconds. It only changes with a new server.
const TOOLS_TTL_MS: u64 = 60 * 60 * 1_000;

/// The longest wait of `wait_generation`, and its default, in seconds.
const WAIT_SECONDS_MAX: u64 = 30;
const WAIT_SECONDS: u64 = 25;

/// The most generations of one wait.
const WAITS_MAX: usize = 20;

/// What a model is told of the tools together.
const INSTRUCTIONS: &str = "\
Makes images, video, speech and music. A generation costs credits; get_model says how many, and get_balance how many there are. \
If a result has next_step, do it: a generation that has not ended is waited for with wait_generation. \
Show the person the picture or the links of a result. If a result is an error, mend the call as it says, or ask the person.";

/// The handler. It is cheap to clone.
#[derive(Clone)]
pub(crate) struct Handler(Arc<State>);

struct State {
    callers: Callers,
    settings: Settings,
    files: Option<Files>,
    tools: Vec<(ToolName, Tool)>,
    stop: CancellationToken,
}

impl Handler {
    pub(crate) fn new(
        callers: Callers,
        settings: Settings,
        files: Option<Files>,
        stop: CancellationToken,
    ) -> Self {
        let is_local = callers.are_local();
        let tools = ToolName::of(&settings).into_iter().map(|name| (name, name.tool(is_local))).collect();
        Self(Arc::new(State { callers, settings, files, tools, stop }))
    }

    fn named(&self, name: &str) -> Option<&(ToolName, Tool)> {
        self.0.tools.iter().find(|(_, tool)| tool.name == name)
    }

    async fn run(
        &self,
        tool: ToolName,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, Refusal> {
        failpoints::called(tool.as_str());
        let state = &*self.0;
        let caller = state.callers.of(&context.extensions)?;
        let (settings, files, stop) = (&state.settings, state.files.as_ref(), &state.stop);
        let call = Call { caller, settings, files, request, context, stop };
        match tool {
            ToolName::Generate(kind) => generate(&call, kind).await,
            ToolName::WaitGeneration => wait_generation(&call).await,
            ToolName::GetGeneration => get_generation(&call).await,
            ToolName::ListModels => list_models(&call).await.map(Into::into),
            ToolName::GetModel => get_model(&call).await.map(Into::into),
            ToolName::GetBalance => get_balance(&call).await.map(Into::into),
        }
    }

    fn caller(&self, context: &RequestContext<RoleServer>) -> Result<Arc<Caller>, ErrorData> {
        let caller = self.0.callers.of(&context.extensions);
        caller.map_err(|Refusal(message)| ErrorData::invalid_request(message, None))
    }
}

async fn wait_generation(call: &Call<'_>) -> Result<CallToolResponse, Refusal> {
    let WaitParameters { request_id, request_ids, wait_seconds, include_preview } = call.parameters()?;
    let is_one = request_ids.is_none();
    let ids: Vec<RequestId> =
        request_ids.into_iter().flatten().chain(request_id).map(RequestId::from).collect();
    if ids.is_empty() || ids.len() > WAITS_MAX {
        return Err(Refusal::new(format!(
            "Pass the id of a generation in `request_id`, or 1 to {WAITS_MAX} of them in `request_ids`."
        )));
    }
    let longest = Duration::from_secs(wait_seconds.unwrap_or(WAIT_SECONDS).min(WAIT_SECONDS_MAX));
    let save_to = directory(call, None)?;
    let mut show = Show { preview: include_preview.unwrap_or(true), save_to: save_to.as_deref() };
    let known = wait(call, &ids, longest).await;
    if is_one && let [known] = known.as_slice() {
        return match known {
            Ok(known) => Ok(Shown::of(known, show).await.result().into()),
            Err(error) => Err(Refusal::new(format!("{error}."))),
        };
    }
    // The picture of the first one with an output stands for all.
    let first = known.iter().position(|known| known.as_ref().is_ok_and(|known| known.completed.is_some()));
    let wants_preview = show.preview;
    let shown = known.iter().zip(&ids).enumerate().map(|(index, (known, id))| {
        show.preview = wants_preview && first == Some(index);
        async move {
            match known {
                Ok(known) => Ok(Shown::of(known, show).await),
                Err(error) => Err((id.to_string(), format!("{error}."))),
            }
        }
    });
    Ok(result_of_many(join_all(shown).await).into())
}

async fn get_generation(call: &Call<'_>) -> Result<CallToolResponse, Refusal> {
    let GenerationParameters { request_id, include_preview, save_to } = call.parameters()?;
    let save_to = directory(call, save_to.as_deref())?;
    let known = Known::now(call.clipia(), &RequestId::from(request_id)).await?;
    let show = Show { preview: include_preview.unwrap_or(true), save_to: save_to.as_deref() };
    Ok(Shown::of(&known, show).await.result().into())
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_tasks().build();
        let server = Implementation::new("clipia", env!("CARGO_PKG_VERSION")).with_title("Clipia");
        ServerConfig::new(capabilities).with_server_info(server).with_instructions(INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.named(name).map(|(_, tool)| tool.clone())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.0.tools.iter().map(|(_, tool)| tool.clone()).collect();
        let list = ListToolsResult::with_all_items(tools);
        Ok(list.with_ttl_ms(TOOLS_TTL_MS).with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some((tool, _)) = self.named(&request.name) else {
            let names: Vec<&str> = self.0.tools.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("there is no tool `{}`: there are {}", request.name, names.join(", "));
            return Err(ErrorData::invalid_params(message, None));
        };
        let called = AssertUnwindSafe(self.run(*tool, request, &context)).catch_unwind().await;
        Ok(match called {
            Ok(called) => called.unwrap_or_else(Into::into),
            // The hook of panics has logged what happened.
            Err(_) => {
                tracing::error!(tool = tool.as_str(), "a tool panicked");
                let name = tool.as_str();
                Refusal::new(format!(
                    "{name} failed inside the server of the tools, which is a fault of it: its log says more. If the call was to submit a generation, look at get_balance before you call it again."
                ))
                .into()
            }
        })
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let caller = self.caller(&context)?;
        let save_to = self.0.files.as_ref().map(|files| files.saved_in(None)).transpose();
        let save_to = save_to.map_err(|Refusal(why)| ErrorData::internal_error(why, None))?.flatten();
        tasks::get(&caller.clipia, &request.task_id, Show { preview: true, save_to: save_to.as_deref() })
            .await
    }

    async fn update_task(&self, _: UpdateTaskParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Err(ErrorData::invalid_params("a generation asks for nothing once it was submitted", None))
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        tasks::cancel(&self.caller(&context)?.clipia, &request.task_id).await
    }
}
