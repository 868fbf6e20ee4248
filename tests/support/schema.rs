//! The OpenAPI document, and what it says of a value.

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

    /// What `schema` says, in words that stay together with what it refers to.
    ///
    /// OpenAPI 3.0 has a dialect of its own. What this document uses of it means the same in 2020-12, which checks
    /// `uuid` and `date-time` where older drafts know no such format.
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

    /// The whole of it.
    pub(crate) fn document(&self) -> &Value {
        &self.0
    }

    /// Checks that `value` is what `schema` says.
    #[track_caller]
    pub(crate) fn hold(&self, schema: &str, value: &Value) {
        let errors: Vec<String> = self
            .validator(schema)
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "not a {schema}: {}: {value:#}", errors.join("; "));
    }

    /// Follows `$ref` and an `allOf` of one, which is how 3.0 puts words beside a `$ref`.
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

    /// What it says of the schema `name`.
    pub(crate) fn schema(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }

    /// Makes of `value` what a newer server might send: a field more in every object that may have one, and a value
    /// that nobody knows in place of each of an enumeration. Returns how much was changed.
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
