//! The models of a TOML document, each read by itself, so that all faults are found at once.

use super::numbers;
use super::rules::{self, Finding};
use super::{Entry, Fault};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

/// The slug that a fault shows of a model without one.
const NO_SLUG: &str = "?";

/// The models at the key [`Catalogue::KEY`](super::Catalogue::KEY) of a document, each with the bytes that it has there, and the
/// faults of the other ones.
pub fn models(list: &Spanned<DeValue<'_>>) -> (Vec<(Entry, Range<usize>)>, Vec<Fault>) {
    let (mut entries, mut faults) = (Vec::<(Entry, Range<usize>)>::new(), Vec::new());
    let Some(models) = list.get_ref().as_array() else {
        let sentence = "each model must be a table of its own, which begins with `[[model]]`".to_owned();
        faults.push(Fault { slug: NO_SLUG.to_owned(), sentence, meant: None, at: list.span() });
        return (entries, faults);
    };
    let mut slugs = BTreeSet::new();
    for model in models {
        match entry(model) {
            Ok(entry) if slugs.insert(entry.model.slug.clone()) => entries.push((entry, model.span())),
            Ok(_) => faults.push(fault(model, Finding::at(".slug", "stands twice"))),
            Err(fault) => faults.push(fault),
        }
    }
    (entries, faults)
}

/// The model of a table.
fn entry(model: &Spanned<DeValue<'_>>) -> Result<Entry, Fault> {
    let malformed = |error: toml::de::Error| Fault {
        slug: slug(model),
        sentence: error.message().to_owned(),
        meant: None,
        at: error.span().filter(|at| !at.is_empty()).unwrap_or_else(|| model.span()),
    };
    // Its numbers are checked as they are written, before any type reads them.
    let written = toml::Value::deserialize(ValueDeserializer::from(model.clone())).map_err(malformed)?;
    if let Some(finding) = numbers::finding(&written) {
        return Err(fault(model, finding));
    }
    let entry = Entry::deserialize(ValueDeserializer::from(model.clone())).map_err(malformed)?;
    rules::finding(&entry).map_or(Ok(entry), |finding| Err(fault(model, finding)))
}

fn slug(model: &Spanned<DeValue<'_>>) -> String {
    model.get_ref().get("slug").and_then(|slug| slug.get_ref().as_str()).unwrap_or(NO_SLUG).to_owned()
}

fn fault(model: &Spanned<DeValue<'_>>, Finding { path, sentence, meant }: Finding) -> Fault {
    Fault { slug: slug(model), sentence, meant, at: span_of(model, &path) }
}

/// The bytes of what stands at `path`, such as `.pricing.credits`; where it is missing, those of what it should stand in.
fn span_of(value: &Spanned<DeValue<'_>>, path: &str) -> Range<usize> {
    let Some(rest) = path.strip_prefix('.') else { return value.span() };
    // A name may have a dot in it.
    let after =
        |name: &str| rest.strip_prefix(name).filter(|after| after.is_empty() || after.starts_with('.'));
    match value.get_ref() {
        DeValue::Table(table) => {
            let found = table.iter().filter_map(|(key, inner)| Some((key, inner, after(key.get_ref())?)));
            match found.max_by_key(|(key, ..)| key.get_ref().len()) {
                Some((key, _, "")) => key.span(),
                Some((_, inner, after)) => span_of(inner, after),
                None => value.span(),
            }
        }
        DeValue::Array(items) => {
            let found = items.iter().enumerate().find_map(|(index, item)| {
                let name = item.get_ref().get("name").and_then(|name| name.get_ref().as_str());
                Some((item, after(name.unwrap_or(&index.to_string()))?))
            });
            found.map_or_else(|| value.span(), |(item, after)| span_of(item, after))
        }
        _ => value.span(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    #[test]
    fn every_fault_is_found_where_it_stands() {
        let text = r#"
[[model]]
executor = "render"
slug = "a"
type = "image"
pricing = { credits = -1 }
input_schema = { parameters = [] }

[[model]]
executor = "render"
slug = "b"
type = "image"
pricing = { credits = 1 }
[[model.input_schema.parameters]]
name = "prompt"
type = "string"
minLenght = 3

[[model]]
executor = "render"
slug = "c"
type = "image"
prices = { credits = 1 }
input_schema = { parameters = [] }

[[model]]
slug = "d"
type = "image"

[[model]]
executor = "render"
slug = "e"
type = "image"
pricing = { credits = 1 }
input_schema = { parameters = [] }
"#;
        let table = DeTable::parse(text).unwrap().into_inner();
        let (entries, faults) = models(table.get("model").unwrap());
        assert_eq!(entries.iter().map(|(entry, _)| entry.model.slug.as_str()).collect::<Vec<_>>(), ["e"]);
        let line = |at: &Range<usize>| {
            text[..at.start].lines().count() + usize::from(text[..at.start].ends_with('\n'))
        };
        let found: Vec<_> = faults
            .iter()
            .map(|fault| (fault.slug.as_str(), line(&fault.at), fault.sentence.as_str(), fault.meant))
            .collect();
        assert_eq!(
            found,
            [
                ("a", 6, "`pricing.credits` must be from 0 to 1000000000; got -1", None),
                ("b", 17, "parameter `prompt`: `minLenght` is not a key of a parameter", Some("minLength")),
                ("c", 23, "`prices` is not a key of a model", Some("pricing")),
                ("d", 26, "missing field `executor`", None),
            ]
        );
    }
}
