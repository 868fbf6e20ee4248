//! The entries of text models in a catalogue: they have another shape, with `id` for `slug` (`contract.md`,
//! "Endpoints").

use serde_json::{Map, Value};

/// Names an entry without a `slug` by its `id` or `canonical_slug`. Only text models have none, so that is its type
/// unless it tells another.
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
