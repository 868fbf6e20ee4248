//! `spec/examples`: a file for each documented request, response, error and delivery, named `<Schema>.<case>.json`.
//! A new file is a new case of every test here.

use crate::support::{Spec, repository};
use clipia_api::error_code::ErrorCode;
use clipia_api::types;
use clipia_queue::catalogue::Catalogue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Reads a value as a type, and writes it again.
pub(crate) fn through<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

/// Reads a value as the type generated for its schema, and writes it again.
fn through_its_type(schema: &str, value: &Value) -> Result<Value, String> {
    macro_rules! table {
        ($($schema:ident)*) => {
            match schema {
                $(stringify!($schema) => through::<types::$schema>(value),)*
                _ => Err("`through_its_type` has no type for this schema".to_owned()),
            }
        };
    }
    table! {
        Account ErrorEnvelope EstimateRequest EstimateResponse Model ModelList ResultResponse StatusResponse
        SubmitRequest SubmitResponse Upload WebhookDelivery
    }
}

pub(crate) struct Example {
    pub(crate) file: String,
    pub(crate) schema: String,
    case: String,
    pub(crate) value: Value,
}

fn examples() -> Vec<Example> {
    examples_in("spec/examples")
}

/// The examples of a directory, in the order of their names.
pub(crate) fn examples_in(directory: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = std::fs::read_dir(repository().join(directory))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let [schema, case, "json"] = file.split('.').collect::<Vec<_>>()[..] else {
                panic!("{file} is not named <Schema>.<case>.json");
            };
            let value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            Example { schema: schema.to_owned(), case: case.to_owned(), value, file: file.clone() }
        })
        .collect();
    examples.sort_by(|a, b| a.file.cmp(&b.file));
    assert!(!examples.is_empty(), "there are no examples");
    examples
}

/// JSON has one kind of number, serde_json has three.
fn plain_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(plain_numbers).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), plain_numbers(field)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// The difference after `value` was parsed and serialized, if there is one.
fn lost(schema: &str, value: &Value) -> Option<String> {
    match through_its_type(schema, value) {
        Err(error) => Some(error),
        Ok(back) if plain_numbers(&back) == plain_numbers(value) => None,
        Ok(back) => Some(format!("went in as\n{value:#}\nand came back as\n{back:#}")),
    }
}

/// Runs `check` on every example, and reports all failures.
fn hold(check: impl Fn(&Spec, &Example) -> Option<String>) {
    let spec = Spec::load();
    let failures: Vec<String> = examples()
        .iter()
        .filter_map(|example| Some(format!("{}: {}", example.file, check(&spec, example)?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_matches_its_schema() {
    hold(|spec, example| {
        let validator = spec.validator(&example.schema);
        let errors: Vec<String> = validator
            .iter_errors(&example.value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    });
}

/// The counterpart of the test above: the validator must refuse something.
#[test]
fn none_is_valid_without_what_its_schema_requires() {
    hold(|spec, example| {
        let validator = spec.validator(&example.schema);
        let required = spec.schema(&example.schema)["required"].as_array().expect("each requires something");
        required.iter().map(|name| name.as_str().unwrap()).find_map(|name| {
            let mut without = example.value.clone();
            without.as_object_mut()?.remove(name);
            validator.is_valid(&without).then(|| format!("valid without `{name}`"))
        })
    });
}

#[test]
fn each_survives_its_type_unchanged() {
    hold(|_, example| lost(&example.schema, &example.value));
}

#[test]
fn unknown_fields_and_values_survive_too() {
    hold(|spec, example| {
        let mut newer = example.value.clone();
        let changes = spec.modernise(spec.schema(&example.schema), &mut newer);
        if changes == 0 { Some("nothing in it may grow".to_owned()) } else { lost(&example.schema, &newer) }
    });
}

/// The assumption of the test above: only bodies that a client sends have no unknown fields.
#[test]
fn every_object_of_an_answer_may_grow() {
    let spec = Spec::load();
    for (name, schema) in spec.document()["components"]["schemas"].as_object().unwrap() {
        if schema["type"] == "object" && !name.ends_with("Request") {
            assert_eq!(schema["additionalProperties"], json!({}), "{name} loses what it does not know");
        }
    }
}

#[test]
fn each_error_code_has_one_with_its_family() {
    let found: BTreeSet<(String, String)> = examples()
        .iter()
        .filter(|example| example.schema == "ErrorEnvelope")
        .map(|example| {
            let error = &example.value["error"];
            assert_eq!(error["code"], example.case.as_str(), "{}", example.file);
            (example.case.clone(), error["type"].as_str().unwrap().to_owned())
        })
        .collect();
    let known =
        ErrorCode::ALL.iter().map(|code| (code.code().to_owned(), code.family().to_owned())).collect();
    assert_eq!(found, known);
}

#[test]
fn each_built_in_model_is_shown_as_it_is() {
    let shown: BTreeMap<String, Value> = examples()
        .into_iter()
        .filter(|example| example.schema == "Model")
        .map(|example| (example.case, example.value))
        .collect();
    for entry in Catalogue::built_in().iter() {
        let model = serde_json::to_value(&entry.model).unwrap();
        let example =
            shown.get(&entry.model.slug).unwrap_or_else(|| panic!("no example of {}", entry.model.slug));
        let mut example = example.clone();
        // Its executor says that, not the catalogue.
        example.as_object_mut().unwrap().remove("procedural");
        assert_eq!(plain_numbers(&example), plain_numbers(&model));
    }
}

#[test]
fn each_body_that_the_api_documents_has_one() {
    let spec = Spec::load();
    let mut documented = BTreeSet::new();
    bodies(&spec.document()["paths"], &mut documented);
    bodies(&spec.document()["components"]["responses"], &mut documented);
    let shown: BTreeSet<String> = examples().into_iter().map(|example| example.schema).collect();
    assert_eq!(shown, documented);
}

/// Collects the schemas of every `content` below `node`.
pub(crate) fn bodies(node: &Value, found: &mut BTreeSet<String>) {
    match node {
        Value::Object(fields) => {
            for (name, field) in fields {
                // The bytes of a file have no example.
                if name == "content" && field.get("application/octet-stream").is_none() {
                    let reference = field["application/json"]["schema"]["$ref"].as_str();
                    let (_, schema) = reference.expect("each body has a name").rsplit_once('/').unwrap();
                    found.insert(schema.to_owned());
                }
                bodies(field, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| bodies(item, found)),
        _ => {}
    }
}
