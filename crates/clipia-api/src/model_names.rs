//! What a catalogue's entries for text models lack: they have another shape (`contract.md`, "Endpoints").

use serde_json::{Map, Value};

/// Gives an entry that has an `id` and no `slug` this name, and one of a text model its type.
pub(crate) fn fill(fields: &mut Map<String, Value>) {
    let is_text = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if !is_text(fields.get("slug"))
        && let Some(Value::String(id)) = ["id", "canonical_slug"].iter().find_map(|name| fields.get(*name))
    {
        let slug = id.clone();
        fields.insert("slug".to_owned(), slug.into());
        fields.entry("type").or_insert_with(|| "text".into());
    }
}
