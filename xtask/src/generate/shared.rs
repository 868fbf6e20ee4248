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
