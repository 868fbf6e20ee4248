//! The tool `get_balance`.

use crate::call::Call;
use crate::parameters::NoParameters;
use crate::refusal::Refusal;
use clipia::Credits;
use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;

/// The account of the key.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Balance {
    /// Credits that can be spent.
    credits: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_30d: Option<Usage>,
}

/// The usage of the last 30 days.
#[derive(Serialize, JsonSchema)]
struct Usage {
    requests: u64,
    credits_spent: f64,
}

pub(crate) async fn get_balance(call: &Call<'_>) -> Result<CallToolResult, Refusal> {
    let NoParameters {} = call.parameters()?;
    let account = call.clipia().account().await?;
    let credits = account.balance.credits;
    let used = account.usage_30d.as_ref().map(|usage| {
        format!(" {} requests of the last 30 days spent {} credits.", usage.requests, usage.credits_spent)
    });
    let balance = Balance {
        credits: Credits::as_f64(credits),
        usage_30d: account
            .usage_30d
            .map(|usage| Usage { requests: usage.requests, credits_spent: usage.credits_spent.as_f64() }),
    };
    let sentence = format!("The account has {credits} credits.{}", used.unwrap_or_default());
    let mut result = CallToolResult::success(vec![ContentBlock::text(sentence)]);
    result.structured_content = serde_json::to_value(balance).ok();
    Ok(result)
}
