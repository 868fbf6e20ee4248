//! A submit as a call that can be copied: for curl, the program, Rust and Python.

use maud::{Markup, html};
use serde_json::{Map, Value};

/// The longest text of an input that a call shows. A file in a `data:` URL is megabytes.
const TEXT_MAX: usize = 2_000;

/// The four calls of a submit, one tab each.
pub(super) fn tabs(api_url: &str, model: &str, input: &Map<String, Value>) -> Markup {
    let input = shortened(input);
    let calls = [
        ("curl", curl(api_url, model, &input)),
        ("CLI", program(api_url, model, &input)),
        ("Rust", rust(model, &input)),
        ("Python", python(model, &input)),
    ];
    html! {
        div.tabs {
            @for (number, (name, call)) in calls.iter().enumerate() {
                input type="radio" name="call" id={ "call-" (number) } checked[number == 0];
                label for={ "call-" (number) } { (name) }
                div.tab { pre tabindex="0" aria-label={ "The call for " (name) } { code { (call) } } button.copy type="button" { "Copy" } }
            }
        }
    }
}

fn shortened(input: &Map<String, Value>) -> Map<String, Value> {
    let short = |value: &Value| match value {
        Value::String(text) if text.len() > TEXT_MAX => {
            format!("{}…", &text[..text.floor_char_boundary(60)]).into()
        }
        other => other.clone(),
    };
    input.iter().map(|(key, value)| (key.clone(), short(value))).collect()
}

fn json(input: &Map<String, Value>) -> String {
    Value::Object(input.clone()).to_string()
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn curl(api_url: &str, model: &str, input: &Map<String, Value>) -> String {
    let body = quoted(&format!("{{\"input\": {}}}", json(input)));
    format!("curl {api_url}/v1/models/{model} \\\n  -H \"Authorization: Bearer $CLIPIA_KEY\" \\\n  -d {body}")
}

fn program(api_url: &str, model: &str, input: &Map<String, Value>) -> String {
    format!("clipia --base-url {api_url} generate {model} \\\n  --input {} -o out", quoted(&json(input)))
}

fn rust(model: &str, input: &Map<String, Value>) -> String {
    format!("let generation = clipia.submit({model:?}, json!({})).await?;", json(input))
}

fn python(model: &str, input: &Map<String, Value>) -> String {
    format!("generation = clipia.submit({model:?}, {})", python_value(&Value::Object(input.clone())))
}

/// A value as Python writes it.
fn python_value(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(python_value).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), python_value(value))
            };
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        // Python reads the numbers and the texts of JSON.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_call_keeps_what_a_prompt_says() {
        let input = json!({ "prompt": "it's \"red\" $HOME", "enhance": true, "seed": 18_446_744_073_709_551_615_u64 });
        let input = input.as_object().unwrap();
        let call = curl("http://here", "m", input);
        assert!(call.contains(r#"'{"input": {"#) && call.contains(r"it'\''s \"), "{call}");
        assert!(call.contains("18446744073709551615"), "{call}");
        let call = python("m", input);
        assert!(call.contains(r#""enhance": True"#) && call.contains("18446744073709551615"), "{call}");
        assert!(rust("m", input).starts_with(r#"let generation = clipia.submit("m", json!({"#));
    }

    #[test]
    fn a_file_in_an_input_is_shortened() {
        let input = json!({ "image_url": "é".repeat(5_000) });
        assert!(program("http://here", "m", &shortened(input.as_object().unwrap())).len() < 300);
    }
}
