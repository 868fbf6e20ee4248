//! Text models in a catalogue: their entries have another shape, with `id` in place of `slug` (`contract.md`,
//! "Endpoints").

use serde_json::{Map, Value};

/// Fills a missing `slug` from `id` or `canonical_slug`. Only text models lack a slug, so a missing `type` becomes
/// `text`.
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
