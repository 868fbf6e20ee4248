//! The form of a model's input: a field for each parameter, and the input that its texts mean.
//!
//! A field that is left empty leaves its parameter out, so that the default of the model holds. What a field means is decided by the
//! parameter's type alone. Whether the model takes it is decided by the rules, as for every submit.

use clipia_api::types::{InputParameter, Model};
use maud::{Markup, html};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The beginnings of the names of fields: for a text, and for a file.
const TEXT: &str = "p.";
pub(super) const FILE: &str = "f.";

/// The texts of a form by the names of their fields.
pub(super) type Texts = BTreeMap<String, String>;

/// The longest single line: a longer text has a field of several lines.
const LINE_MAX: u64 = 200;

pub(super) fn parameters(model: &Model) -> &[InputParameter] {
    model.input_schema.as_ref().map_or(&[], |schema| &schema.parameters)
}

/// The name of the text field of a parameter.
pub(super) fn text_field(parameter: &str) -> String {
    format!("{TEXT}{parameter}")
}

/// The texts of a form that mean an input.
pub(super) fn texts(input: &Map<String, Value>) -> Texts {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    input.iter().map(|(name, value)| (text_field(name), text(value))).collect()
}

/// The input that the texts of a form mean.
pub(super) fn input(model: &Model, texts: &Texts) -> Map<String, Value> {
    let mut input = Map::new();
    for parameter in parameters(model) {
        let text = texts.get(&text_field(&parameter.name)).map(String::as_str).unwrap_or_default();
        if !text.trim().is_empty() {
            input.insert(parameter.name.clone(), value(parameter, text));
        }
    }
    input
}

/// What a text means as the value of a parameter. A number that is none stays a text, of which the rules say what is wrong.
fn value(parameter: &InputParameter, text: &str) -> Value {
    let as_json = || serde_json::from_str::<Value>(text.trim()).ok();
    let option = parameter.options.iter().map(option_value).find(|option| shown(option) == text);
    let read = match parameter.type_.as_str() {
        _ if option.is_some() => option.cloned(),
        "integer" | "number" => as_json().filter(Value::is_number),
        "boolean" => as_json().filter(Value::is_boolean),
        "string" | "select" | "image" | "video" | "audio" => None,
        _ => as_json(),
    };
    read.unwrap_or_else(|| text.replace("\r\n", "\n").into())
}

fn option_value(option: &Value) -> &Value {
    option.get("value").unwrap_or(option)
}

fn option_label(option: &Value) -> String {
    option.get("label").map_or_else(|| shown(option_value(option)), shown)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a parameter is a file.
fn is_file(parameter: &InputParameter) -> bool {
    matches!(parameter.type_.as_str(), "image" | "video" | "audio")
}

/// The fields of a model's input.
pub(super) fn fields(model: &Model, texts: &Texts) -> Markup {
    html! {
        @for parameter in parameters(model) {
            @let name = text_field(&parameter.name);
            @let text = texts.get(&name).map(String::as_str).unwrap_or_default();
            div.field {
                label for=(name) {
                    (parameter.label.as_deref().unwrap_or(&parameter.name))
                    @if parameter.required == Some(true) { span.quiet { " (required)" } }
                }
                (field(parameter, &name, text))
                @if is_file(parameter) {
                    label.drop { "or a file, which you can drop here: "
                        input type="file" name={ (FILE) (parameter.name) } accept={ (parameter.type_) "/*" }; }
                }
                @if let Some(hint) = &parameter.hint { p.hint { (hint) } }
            }
        }
    }
}

fn field(parameter: &InputParameter, name: &str, text: &str) -> Markup {
    let default = parameter.default.as_ref().map(shown);
    let required = parameter.required == Some(true) && !is_file(parameter);
    let by_default =
        default.as_ref().map_or_else(|| "not given".to_owned(), |default| format!("default: {default}"));
    let is_number = matches!(parameter.type_.as_str(), "integer" | "number");
    let is_long = parameter.type_ == "string" && parameter.max_length.is_none_or(|most| most > LINE_MAX);
    html! {
        @if !parameter.options.is_empty() {
            select.value id=(name) name=(name) required[required && default.is_none()] {
                option value="" { (by_default) }
                @for option in &parameter.options {
                    @let value = shown(option_value(option));
                    option value=(value) selected[value == text] { (option_label(option)) }
                }
            }
        } @else if parameter.type_ == "boolean" {
            select.value id=(name) name=(name) {
                option value="" { (by_default) }
                @for value in ["true", "false"] { option value=(value) selected[value == text] { (value) } }
            }
        } @else if is_number {
            input.value id=(name) name=(name) type="text" inputmode="decimal" value=(text) placeholder=[default] required[required];
            @if parameter.min.is_some() || parameter.max.is_some() {
                p.hint { @if let Some(min) = parameter.min { "from " (min) " " } @if let Some(max) = parameter.max { "up to " (max) } }
            }
        } @else if is_long {
            textarea.value id=(name) name=(name) rows="3" maxlength=[parameter.max_length] placeholder=[default] required[required] { (text) }
        } @else {
            input.value id=(name) name=(name) type="text" value=(text) maxlength=[parameter.max_length] placeholder=[default] required[required];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model() -> Model {
        let parameters = json!([
            { "name": "prompt", "type": "string", "required": true },
            { "name": "seed", "type": "integer" },
            { "name": "enhance", "type": "boolean", "default": true },
            { "name": "n", "type": "select", "options": [1, { "value": 2, "label": "two" }] },
            { "name": "image_url", "type": "image" },
            { "name": "weights", "type": "object" }
        ]);
        serde_json::from_value(
            json!({ "slug": "m", "type": "image", "input_schema": { "parameters": parameters } }),
        )
        .unwrap()
    }

    #[test]
    fn an_input_comes_back_from_its_form() {
        let given = json!({
            "prompt": "a <b>fox</b>", "seed": 18_446_744_073_709_551_615_u64, "enhance": false, "n": 2,
            "image_url": "https://there/fox.png", "weights": { "a": [1] }
        });
        let given = given.as_object().unwrap();
        assert_eq!(&input(&model(), &texts(given)), given);
    }

    #[test]
    fn an_empty_field_is_left_out_and_a_wrong_number_stays_a_text() {
        let texts = [("p.prompt", "a\r\nb"), ("p.seed", "many"), ("p.enhance", ""), ("p.n", " ")];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        assert_eq!(Value::Object(input(&model(), &texts)), json!({ "prompt": "a\nb", "seed": "many" }));
    }

    #[test]
    fn markup_in_a_text_is_shown_as_text() {
        let texts = [("p.prompt".to_owned(), "</textarea><img src=x onerror=alert(1)>".to_owned())].into();
        let fields = fields(&model(), &texts).into_string();
        assert!(fields.contains("&lt;/textarea&gt;&lt;img src=x onerror=alert(1)&gt;"), "{fields}");
        assert!(!fields.contains("<img"), "{fields}");
    }
}
