//! The tools of the catalogue: `list_models` and `get_model`.

use crate::call::Call;
use crate::input::parameters;
use crate::input_schema::{input_schema, option_value};
use crate::parameters::{ModelParameters, ModelsParameters};
use crate::refusal::Refusal;
use clipia::{Clipia, InputParameter, Model, ModelType, Pricing};
use futures_util::future::join_all;
use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The most models of a list. A longer one is of little use to a model, and takes its context.
const ROWS_MAX: usize = 30;

/// The most prices of a model that are asked for as examples.
const EXAMPLES_MAX: usize = 4;

/// The URL of no file in an input that is only priced. The name exists nowhere (RFC 2606).
const NO_FILE: &str = "https://upload.invalid/file";

/// A list of models.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Models {
    models: Vec<Row>,
    /// How many models match that are not listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
}

/// A model in the list.
#[derive(Serialize, JsonSchema)]
struct Row {
    slug: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    capabilities: Vec<String>,
    /// The price in words.
    price: String,
}

pub(crate) async fn list_models(call: &Call<'_>) -> Result<CallToolResult, Refusal> {
    let ModelsParameters { kind, search } = call.parameters()?;
    let models = call.clipia().models().await?;
    let words: Vec<String> = search.unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
    let found: Vec<&Model> = models
        .iter()
        .filter(|model| kind.as_deref().is_none_or(|kind| model.type_ == ModelType::from(kind)))
        .filter(|model| has_words(model, &words))
        .collect();
    let rows: Vec<Row> = found.iter().take(ROWS_MAX).map(|model| row(model)).collect();
    let more = found.len().checked_sub(ROWS_MAX).filter(|more| *more > 0);
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let name = row.name.as_deref().unwrap_or_default();
            format!("{}  {}  {}  {name}", row.slug, row.kind, row.price)
        })
        .collect();
    match (more, lines.is_empty()) {
        (Some(more), _) => lines.push(format!("{more} more: narrow it with `type` or `search`.")),
        (None, true) => {
            lines.push("No model matches. Without `type` and `search` all are listed.".to_owned())
        }
        (None, false) => {}
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(lines.join("\n"))]);
    result.structured_content = serde_json::to_value(Models { models: rows, more }).ok();
    Ok(result)
}

fn has_words(model: &Model, words: &[String]) -> bool {
    let texts = [Some(&model.slug), model.name.as_ref(), model.description.as_ref()];
    let texts = texts.into_iter().flatten().chain(&model.capabilities);
    let all = texts.map(|text| text.to_lowercase()).collect::<Vec<_>>().join(" ");
    words.iter().all(|word| all.contains(word))
}

fn row(model: &Model) -> Row {
    Row {
        slug: model.slug.clone(),
        kind: model.type_.to_string(),
        name: model.name.clone(),
        capabilities: model.capabilities.clone(),
        price: price(model.pricing.as_ref()),
    }
}

/// A price in words: `12 credits`, `from 24 credits a second`.
fn price(pricing: Option<&Pricing>) -> String {
    let Some(pricing) = pricing else { return "price unknown".to_owned() };
    if let Some(credits) = pricing.credits {
        return format!("{credits} credits");
    }
    let Some(base) = pricing.credits_base else {
        return pricing.note.clone().unwrap_or_else(|| "price by usage".to_owned());
    };
    let unit = match pricing.billing_unit.as_deref() {
        None | Some("generation") => String::new(),
        Some(unit) => match pricing.unit_size {
            Some(size) if size > 1.0 => format!(" for {size} {unit}s"),
            _ => format!(" for each {unit}"),
        },
    };
    let from = if pricing.multipliers.is_empty() { "" } else { "from about " };
    format!("{from}{base} credits{unit}")
}

/// A model.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ModelDetails {
    #[serde(flatten)]
    row: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// JSON Schema of the input.
    input_schema: Value,
    /// Prices of inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    price_examples: Vec<PriceExample>,
    /// Fields of the catalogue that have no other place, such as the rates of a text model.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    other: Map<String, Value>,
}

/// The price of one input.
#[derive(Serialize, JsonSchema)]
struct PriceExample {
    input: Map<String, Value>,
    credits: f64,
}

pub(crate) async fn get_model(call: &Call<'_>) -> Result<CallToolResult, Refusal> {
    let ModelParameters { model: slug } = call.parameters()?;
    let model = call.clipia().model(&slug).await?;
    let price_examples = price_examples(call.clipia(), &model).await;
    let mut other = model.extra.clone();
    if let Some(note) = model.pricing.as_ref().and_then(|pricing| pricing.note.clone()) {
        other.insert("price_note".to_owned(), note.into());
    }
    let details = ModelDetails {
        row: row(&model),
        description: model.description.clone(),
        input_schema: input_schema(&model),
        price_examples,
        other,
    };
    let structured = serde_json::to_value(&details).unwrap_or_default();
    // A client that shows the model no data shows it the text.
    let mut result = CallToolResult::success(vec![ContentBlock::text(structured.to_string())]);
    result.structured_content = Some(structured);
    Ok(result)
}

/// The exact prices of a few inputs: the simplest one, and it with the values that change the price most.
async fn price_examples(clipia: &Clipia, model: &Model) -> Vec<PriceExample> {
    // Text models have no queue, and so no estimate.
    if model.type_ == ModelType::Text {
        return Vec::new();
    }
    let inputs = example_inputs(model);
    let prices = join_all(inputs.iter().map(|input| clipia.estimate(&model.slug, input))).await;
    let priced = inputs.into_iter().zip(prices);
    priced
        .filter_map(|(input, price)| Some(PriceExample { input, credits: price.ok()?.credits.as_f64() }))
        .collect()
}

fn example_inputs(model: &Model) -> Vec<Map<String, Value>> {
    let required = parameters(model).iter().filter(|parameter| parameter.required == Some(true));
    let simple: Map<String, Value> =
        required.map(|parameter| (parameter.name.clone(), example(parameter))).collect();
    let mut inputs = vec![simple.clone()];
    for parameter in parameters(model) {
        let varies =
            model.pricing.as_ref().is_some_and(|pricing| pricing.multipliers.contains_key(&parameter.name));
        let values = parameter.options.iter().map(option_value);
        for value in values.filter(|value| varies && Some(*value) != parameter.default.as_ref()) {
            let mut input = simple.clone();
            input.insert(parameter.name.clone(), value.clone());
            inputs.push(input);
        }
        if parameter.name == "duration"
            && let Some(max) = parameter.max
        {
            let mut input = simple.clone();
            input.insert("duration".to_owned(), json!(max as u64));
            inputs.push(input);
        }
    }
    inputs.truncate(EXAMPLES_MAX);
    inputs
}

/// A value that a parameter takes.
fn example(parameter: &InputParameter) -> Value {
    match (&parameter.default, parameter.options.first(), parameter.type_.as_str()) {
        (Some(default), ..) => default.clone(),
        (None, Some(option), _) => option_value(option).clone(),
        (.., "integer" | "number") => json!(parameter.min.unwrap_or(1.0)),
        (.., "boolean") => json!(true),
        (.., "image" | "video" | "audio") => json!(NO_FILE),
        _ => json!("a red fox in snow"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip() -> Model {
        serde_json::from_value(json!({
            "slug": "clips", "type": "video", "name": "Clips", "capabilities": ["text-to-video"],
            "pricing": { "credits_base": 24, "multipliers": { "resolution": { "480p": 0.5, "720p": 1 } }, "billing_unit": "second" },
            "input_schema": { "parameters": [
                { "name": "prompt", "type": "string", "required": true },
                { "name": "duration", "type": "integer", "default": 5, "max": 12 },
                { "name": "resolution", "type": "select", "default": "720p", "options": ["480p", "720p"] },
            ] },
        }))
        .unwrap()
    }

    #[test]
    fn examples_vary_what_changes_the_price() {
        let inputs: Vec<Value> = example_inputs(&clip()).into_iter().map(Value::Object).collect();
        let prompt = "a red fox in snow";
        assert_eq!(
            inputs,
            [
                json!({ "prompt": prompt }),
                json!({ "prompt": prompt, "duration": 12 }),
                json!({ "prompt": prompt, "resolution": "480p" }),
            ]
        );
    }

    #[test]
    fn a_price_is_said_in_words() {
        let price = |pricing| price(Some(&serde_json::from_value(pricing).unwrap()));
        assert_eq!(price(json!({ "credits": 4 })), "4 credits");
        assert_eq!(
            price(json!({ "credits_base": 3, "billing_unit": "character", "unit_size": 1000 })),
            "3 credits for 1000 characters"
        );
        assert_eq!(super::price(clip().pricing.as_ref()), "from about 24 credits for each second");
        assert_eq!(super::price(None), "price unknown");
    }

    #[test]
    fn every_word_of_a_search_must_be_found() {
        let has = |words: &[&str]| {
            has_words(&clip(), &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        assert!(has(&[]) && has(&["clips", "video"]) && !has(&["clips", "music"]));
    }
}
