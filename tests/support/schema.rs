//! The OpenAPI document, and the check of a value against a schema.

use super::repository;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// The OpenAPI document.
pub(crate) struct Spec(Value);

impl Spec {
    pub(crate) fn load() -> Self {
        let text = std::fs::read_to_string(repository().join("spec/openapi.yaml")).unwrap();
        assert!(
            !text.contains("nullable:"),
            "JSON Schema knows no `nullable`: the examples would be held to less"
        );
        Self(serde_saphyr::from_str(&text).unwrap())
    }

    /// A validator of `schema`, with all schemas that it refers to.
    ///
    /// OpenAPI 3.0 has its own dialect of JSON Schema. The parts that this document uses mean the same in draft 2020-12,
    /// which checks the formats `uuid` and `date-time`.
    pub(crate) fn validator(&self, schema: &str) -> Validator {
        assert!(self.0["components"]["schemas"][schema].is_object(), "the spec has no schema {schema}");
        let document = json!({
            "$ref": format!("#/components/schemas/{schema}"),
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
        let errors: Vec<String> = self
            .validator(schema)
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "not a {schema}: {}: {value:#}", errors.join("; "));
    }

    /// Follows `$ref`, and an `allOf` of one schema, with which OpenAPI 3.0 adds a description to a `$ref`.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
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
