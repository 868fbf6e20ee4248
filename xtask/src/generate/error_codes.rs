//! The error codes: the list in the spec, and every file that depends on the list.

mod python;
mod rust;

use super::Generated;
use super::document::QUEUE_SPEC;
use super::names::camel_case;
use anyhow::{Context, Result, bail, ensure};
use openapiv3::{OpenAPI, ReferenceOr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The schema of an error code, and the extension of the schema that lists the codes.
const SCHEMA: &str = "ErrorCode";
const CODES: &str = "x-codes";

/// The longest `meaning` and `remedy`, in characters: each is one line of the generated files.
const MEANING_MAX: usize = 70;
const REMEDY_MAX: usize = 95;

/// The error codes, in the order of the spec.
pub(super) struct ErrorCodes(Vec<ErrorCode>);

/// One error code, as the spec describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorCode {
    /// The value of `code` on the wire.
    code: String,
    /// The HTTP status that a server sends the code with.
    status: u16,
    /// The value of `type` on the wire.
    #[serde(rename = "type")]
    family: String,
    /// Whether the same call can succeed later.
    retry: bool,
    /// Whether the caller passed something wrongly. All these codes are one variant of the SDK's error.
    #[serde(default)]
    input: bool,
    /// The meaning of the code, in one sentence.
    meaning: String,
    /// What the caller can do, in one sentence or two.
    remedy: String,
    /// A message of a server.
    example: String,
    /// The name of the exception in Python, where it is not the code in CamelCase.
    #[serde(rename = "python")]
    python_name: Option<String>,
}

impl ErrorCodes {
    /// The codes that the spec lists.
    pub(super) fn of(spec: &OpenAPI) -> Result<Self> {
        let schema = spec.components.as_ref().and_then(|components| components.schemas.get(SCHEMA));
        let Some(ReferenceOr::Item(schema)) = schema else { bail!("{QUEUE_SPEC} has no schema `{SCHEMA}`") };
        let codes = schema.schema_data.extensions.get(CODES);
        let codes = codes.with_context(|| format!("the schema `{SCHEMA}` has no `{CODES}`"))?;
        let codes: Vec<ErrorCode> =
            serde_json::from_value(codes.clone()).with_context(|| format!("reading `{CODES}`"))?;
        let (mut seen, mut seen_in_python) = (BTreeSet::new(), BTreeSet::new());
        for code in &codes {
            code.check().with_context(|| format!("the error code `{}`", code.code))?;
            ensure!(seen.insert(&code.code), "the error code `{}` is listed twice", code.code);
            let class = code.class();
            ensure!(
                seen_in_python.insert(class.clone()),
                "two error codes have the class `{class}` in Python"
            );
        }
        Ok(Self(codes))
    }

    /// Every file that depends on the list.
    pub(super) fn generate(&self) -> Result<Vec<Generated>> {
        let mut generated = Vec::new();
        generated.extend(rust::generate(&self.0));
        generated.extend(python::generate(&self.0));
        for code in &self.0 {
            generated.push(code.example()?);
        }
        Ok(generated)
    }
}

impl ErrorCode {
    fn check(&self) -> Result<()> {
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        ensure!(self.code.split('_').all(is_word), "`code` must be words in lower case, joined by `_`");
        ensure!((400..600).contains(&self.status), "`status` must be from 400 to 599, not {}", self.status);
        ensure!(!self.family.is_empty(), "`type` is empty");
        ensure!(!self.example.is_empty(), "`example` is empty");
        for (name, text, most) in
            [("meaning", &self.meaning, MEANING_MAX), ("remedy", &self.remedy, REMEDY_MAX)]
        {
            let is_sentence = text.starts_with(|c: char| c.is_ascii_uppercase()) && text.ends_with('.');
            ensure!(is_sentence, "`{name}` must be a sentence, from a capital to a full stop: {text}");
            ensure!(text.chars().count() <= most, "`{name}` must have at most {most} characters: {text}");
            // These characters would end a comment, a docstring or a cell of a table.
            ensure!(
                !text.contains(['"', '\\', '|', '\n']),
                "`{name}` must have no `\"`, `\\`, `|`, newline: {text}"
            );
        }
        Ok(())
    }

    /// The name of the variant in Rust: the code in CamelCase.
    fn variant(&self) -> String {
        camel_case(&self.code)
    }

    /// The name of the class in Python.
    fn class(&self) -> String {
        self.python_name.clone().unwrap_or_else(|| self.variant())
    }

    /// The HTTP status, the code and the meaning, in one line.
    fn summary(&self) -> String {
        let (first, rest) = self.meaning.split_at(1);
        format!("{} `{}`: {}{rest}", self.status, self.code, first.to_ascii_lowercase())
    }

    /// The example of the spec: an error envelope with this code.
    fn example(&self) -> Result<Generated> {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: Error<'a>,
        }
        #[derive(Serialize)]
        struct Error<'a> {
            r#type: &'a str,
            code: &'a str,
            message: &'a str,
        }
        let error = Error { r#type: &self.family, code: &self.code, message: &self.example };
        let text = serde_json::to_string_pretty(&Envelope { error })? + "\n";
        Ok(Generated::whole(format!("spec/examples/ErrorEnvelope.{}.json", self.code), text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Content;
    use serde_json::{Value, json};

    fn codes(codes: Value) -> Result<ErrorCodes> {
        let schema = json!({ "type": "string", "x-codes": codes });
        let spec = json!({
            "openapi": "3.0.3", "info": { "title": "t", "version": "1" }, "paths": {},
            "components": { "schemas": { "ErrorCode": schema } },
        });
        ErrorCodes::of(&serde_json::from_value(spec)?)
    }

    fn teapot(change: Value) -> Value {
        let mut code = json!({
            "code": "short_and_stout", "status": 418, "type": "teapot_error", "retry": true,
            "meaning": "The server is a teapot.", "remedy": "Ask a coffee machine.", "example": "tip me over",
        });
        code.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        code
    }

    #[test]
    fn a_code_is_in_every_generated_file() {
        let generated =
            codes(json!([teapot(json!({})), teapot(json!({ "code": "hot", "python": "TooHot" }))]));
        for generated in generated.unwrap().generate().unwrap() {
            let texts = match generated.content {
                Content::Whole(text) => vec![text],
                Content::Regions(regions) => regions.iter().map(|region| region.lines().to_owned()).collect(),
                Content::Follows(_) => panic!("no code is in {}", generated.file),
            };
            for text in texts {
                let name = &generated.file;
                if name.ends_with(".json") {
                    assert!(text.contains("teapot_error") && text.contains("tip me over"), "{name}: {text}");
                    continue;
                }
                assert!(text.contains("ShortAndStout"), "{name}: {text}");
                let is_python = name.starts_with("bindings/");
                assert!(text.contains(if is_python { "TooHot" } else { "Hot" }), "{name}: {text}");
                assert_eq!(text.contains("TooHot"), is_python, "{name}: {text}");
            }
        }
    }

    #[test]
    fn a_code_that_cannot_be_generated_from_is_refused() {
        for (change, wanted) in [
            (json!({ "code": "Short" }), "`code` must be words"),
            (json!({ "code": "short__stout" }), "`code` must be words"),
            (json!({ "code": "" }), "`code` must be words"),
            (json!({ "status": 200 }), "`status` must be from 400 to 599, not 200"),
            (json!({ "type": "" }), "`type` is empty"),
            (json!({ "example": "" }), "`example` is empty"),
            (json!({ "meaning": "no sentence" }), "`meaning` must be a sentence"),
            (
                json!({ "meaning": format!("M{}.", "m".repeat(MEANING_MAX)) }),
                "`meaning` must have at most 70",
            ),
            (json!({ "remedy": "Say \"please\"." }), "`remedy` must have no"),
            (json!({ "exit": 3 }), "unknown field `exit`"),
            (json!({ "retry": "never" }), "invalid type"),
            (json!({}), "the error code `short_and_stout` is listed twice"),
            (
                json!({ "code": "hot", "python": "ShortAndStout" }),
                "two error codes have the class `ShortAndStout`",
            ),
        ] {
            let error = codes(json!([teapot(json!({})), teapot(change)])).err().unwrap();
            assert!(format!("{error:#}").contains(wanted), "{error:#}");
        }
    }
}
