//! The OpenAPI documents, and the check of a value against a schema.

use super::repository;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// An OpenAPI document.
pub(crate) struct Spec(Value);

impl Spec {
    /// The document of the queue.
    pub(crate) fn load() -> Self {
        Self(document("openapi.yaml", |text| text))
    }

    /// The document of the administration, with the schemas that it takes from that of the queue.
    pub(crate) fn administration() -> Self {
        Self::beside_the_queue("administration.yaml")
    }

    /// The document of workers on other machines, with the schemas that it takes from that of the queue.
    pub(crate) fn workers() -> Self {
        Self::beside_the_queue("workers.yaml")
    }

    fn beside_the_queue(file: &str) -> Self {
        let mut own = document(file, |text| text.replace("openapi.yaml#/", "#/"));
        let queue = Self::load();
        let schemas = own["components"]["schemas"].as_object_mut().unwrap();
        for (name, schema) in queue.0["components"]["schemas"].as_object().unwrap() {
            assert!(schemas.insert(name.clone(), schema.clone()).is_none(), "{name} is described twice");
        }
        Self(own)
    }

    /// A validator of `schema`, with all schemas that it refers to.
    ///
    /// OpenAPI 3.0 has its own dialect of JSON Schema. The parts that this document uses mean the same in draft 2020-12,
    /// which checks the formats `uuid` and `date-time`.
    pub(crate) fn validator(&self, schema: &str) -> Validator {
        assert!(self.0["components"]["schemas"][schema].is_object(), "the spec has no schema {schema}");
        self.validator_of(&json!({ "$ref": format!("#/components/schemas/{schema}") }))
    }

    /// What a schema of the document says.
    fn validator_of(&self, schema: &Value) -> Validator {
        let document = json!({
            "allOf": [schema],
            "components": { "schemas": self.0["components"]["schemas"] },
        });
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .build(&document)
            .unwrap()
    }

    /// The whole document.
    pub(crate) fn document(&self) -> &Value {
        &self.0
    }

    /// Checks that `value` matches `schema`.
    #[track_caller]
    pub(crate) fn hold(&self, schema: &str, value: &Value) {
        self.hold_to(&json!({ "$ref": format!("#/components/schemas/{schema}") }), value);
    }

    /// Checks that `value` is what a schema of the document says.
    #[track_caller]
    pub(crate) fn hold_to(&self, schema: &Value, value: &Value) {
        let errors: Vec<String> = self
            .validator_of(schema)
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "not {schema}: {}: {value:#}", errors.join("; "));
    }

    /// Follows `$ref`, and an `allOf` of one schema, with which OpenAPI 3.0 adds a description to a `$ref`.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let all_of = schema["allOf"].as_array().map(Vec::as_slice);
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("references stay in the document");
            self.resolve(self.0.pointer(pointer).expect("references point somewhere"))
        } else if let Some([only]) = all_of {
            self.resolve(only)
        } else {
            schema
        }
    }

    /// The schema `name`.
    pub(crate) fn schema(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    /// Changes `value` to what a newer server might send: a further field in every object that allows it, and an unknown value
    /// for each enumeration. Returns the number of changes.
    pub(crate) fn modernise(&self, schema: &Value, value: &mut Value) -> usize {
        let schema = self.resolve(schema);
        if schema["enum"].is_array() {
            *value = json!("A_NEWER_ONE");
            return 1;
        }
        match value {
            Value::Array(items) => items.iter_mut().map(|item| self.modernise(&schema["items"], item)).sum(),
            Value::Object(fields) => {
                let open = &schema["additionalProperties"];
                let mut changes = 0;
                for (name, field) in fields.iter_mut() {
                    changes += self.modernise(schema["properties"].get(name).unwrap_or(open), field);
                }
                if *open == json!({}) || *open == json!(true) {
                    fields.insert("a_newer_field".to_owned(), json!({ "list": [1, "two", null, 0.5] }));
                    changes += 1;
                }
                changes
            }
            _ => 0,
        }
    }
}

/// A document of `spec/`, once `prepare` has changed its text.
fn document(file: &str, prepare: impl FnOnce(String) -> String) -> Value {
    let text = std::fs::read_to_string(repository().join("spec").join(file)).unwrap();
    let mut document = serde_saphyr::from_str(&prepare(text)).unwrap();
    spell_null(&mut document);
    document
}

/// Says `nullable` in the words of JSON Schema, which has no such word.
fn spell_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(spell_null),
        Value::Object(fields) => {
            fields.values_mut().for_each(spell_null);
            if fields.remove("nullable") == Some(json!(true)) {
                *schema = json!({ "anyOf": [schema, { "type": "null" }] });
            }
        }
        _ => {}
    }
}
