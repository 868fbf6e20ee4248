//! Schemas that a document takes from the queue's: `$ref: 'openapi.yaml#/components/schemas/NAME'`. The generator follows no
//! reference to another file, and need not: their types are written by hand or generated in `clipia-api`.

use anyhow::{Result, ensure};
use openapiv3::{AnySchema, OpenAPI, ReferenceOr, Schema, SchemaData, SchemaKind};
use std::collections::BTreeSet;

const SCHEMAS: &str = "openapi.yaml#/components/schemas/";
const OWN_SCHEMAS: &str = "#/components/schemas/";

/// The document with these references turned into references to schemas of its own, and the names of these.
pub(super) fn resolve(document: &str) -> (String, BTreeSet<String>) {
    let is_of_name = |c: char| c.is_ascii_alphanumeric();
    let name = |rest: &str| rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())].to_owned();
    let names = document.split(SCHEMAS).skip(1).map(name).collect();
    (document.replace(SCHEMAS, OWN_SCHEMAS), names)
}

/// Adds a schema for each of `names`. What it says does not matter, since `by_hand` gives its type.
pub(super) fn declare(names: &BTreeSet<String>, by_hand: &[(&str, &str)], spec: &mut OpenAPI) -> Result<()> {
    let schemas = &mut spec.components.get_or_insert_default().schemas;
    for name in names {
        ensure!(
            by_hand.iter().any(|(known, _)| known == name),
            "`{name}` is a schema of another document: name its type in `by_hand` of this document"
        );
        let anything = SchemaKind::Any(AnySchema::default());
        let schema = Schema { schema_data: SchemaData::default(), schema_kind: anything };
        let known = schemas.insert(name.clone(), ReferenceOr::Item(schema));
        ensure!(known.is_none(), "`{name}` is described in this document and in another one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared(document: &str, own: &str) -> Result<usize> {
        let (text, names) = resolve(document);
        assert!(!text.contains("openapi.yaml#"), "{text}");
        let mut spec: OpenAPI = serde_json::from_value(json!({
            "openapi": "3.0.3", "info": { "title": "t", "version": "1" }, "paths": {},
            "components": { "schemas": { own: { "type": "string" } } },
        }))?;
        declare(&names, &[("Credits", "Credits"), ("Status", "Status")], &mut spec)?;
        Ok(spec.components.unwrap_or_default().schemas.len())
    }

    #[test]
    fn a_schema_of_the_queue_is_declared_once_and_has_a_type() {
        let reference =
            |name: &str| format!("schema: {{ $ref: 'openapi.yaml#/components/schemas/{name}' }}\n");
        let twice = reference("Credits") + &reference("Status") + &reference("Credits");
        assert_eq!(declared(&twice, "Own").unwrap(), 3);
        for (name, own, wanted) in [
            ("Model", "Own", "name its type in `by_hand`"),
            ("Status", "Status", "in this document and in another"),
        ] {
            let error = declared(&reference(name), own).unwrap_err();
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }
}
