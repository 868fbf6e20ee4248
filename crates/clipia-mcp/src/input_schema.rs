//! The parameters of a model as JSON Schema.

use crate::input::parameters;
use clipia::{InputParameter, Model};
use serde_json::{Map, Value, json};

/// The schema of a model's input. The server takes other entries too, and warns of them.
pub(crate) fn input_schema(model: &Model) -> Value {
    let known = parameters(model);
    let properties: Map<String, Value> =
        known.iter().map(|parameter| (parameter.name.clone(), property(parameter))).collect();
    let required: Vec<&str> = known
        .iter()
        .filter(|parameter| parameter.required == Some(true))
        .map(|parameter| parameter.name.as_str())
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The value of an option, which is plain or has a label.
pub(crate) fn option_value(option: &Value) -> &Value {
    option.get("value").unwrap_or(option)
}

fn property(parameter: &InputParameter) -> Value {
    let mut schema = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema.insert(name.to_owned(), value);
        }
    };
    let kind = match parameter.type_.as_str() {
        "integer" => Some("integer"),
        "number" => Some("number"),
        "boolean" => Some("boolean"),
        "array" => Some("array"),
        "object" => Some("object"),
        "string" | "text" | "textarea" | "image" | "video" | "audio" => Some("string"),
        // The values of a selection say what they are.
        _ => None,
    };
    put("type", kind.map(Value::from));
    if ["image", "video", "audio"].contains(&parameter.type_.as_str()) {
        put("format", Some(json!("uri")));
    }
    if !parameter.options.is_empty() {
        put("enum", Some(parameter.options.iter().map(option_value).cloned().collect()));
    }
    let words = [&parameter.label, &parameter.hint].into_iter().flatten().map(String::as_str);
    let words = words.collect::<Vec<_>>().join(": ");
    put("description", (!words.is_empty()).then(|| words.into()));
    put("default", parameter.default.clone());
    put("minimum", parameter.min.map(number));
    put("maximum", parameter.max.map(number));
    put("multipleOf", parameter.step.filter(|step| *step > 0.0).map(number));
    put("minLength", parameter.min_length.map(Value::from));
    put("maxLength", parameter.max_length.map(Value::from));
    Value::Object(schema)
}

/// A number, whole if it is.
fn number(number: f64) -> Value {
    let whole = number as i64;
    if whole as f64 == number { whole.into() } else { number.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_parameters_are_a_json_schema() {
        let model: Model = serde_json::from_value(json!({
            "slug": "m", "type": "video", "input_schema": { "parameters": [
                { "name": "prompt", "type": "string", "required": true, "label": "Prompt", "hint": "What to draw", "minLength": 1, "maxLength": 2000 },
                { "name": "duration", "type": "integer", "required": false, "default": 5, "min": 1, "max": 12, "step": 1 },
                { "name": "strength", "type": "number", "min": 0, "max": 0.5 },
                { "name": "resolution", "type": "select", "options": ["480p", { "value": "720p", "label": "HD" }] },
                { "name": "image_url", "type": "image", "required": true },
                { "name": "new", "type": "something else" },
            ] },
        }))
        .unwrap();
        insta::assert_json_snapshot!(input_schema(&model));
    }
}
