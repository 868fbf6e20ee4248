//! What the types of answers need of an answer: only what the specification calls essential.

use anyhow::{Context, Result};
use openapiv3::{OpenAPI, ReferenceOr, SchemaKind, Type};
use syn::{Field, Fields, Item, ItemStruct, LitStr, parse_quote};

/// Beside `required`, which says what a server must send: what a client cannot go on without.
const ESSENTIAL: &str = "x-essential";

/// The field of all that an object holds beside what the specification names. Objects of answers have it.
const EXTRA: &str = "extra";

/// The answers and deliveries, which serde reads leniently, too. Parts of them serde reads strictly: a server's own
/// catalogue is made of such parts, and a typing error in it must not pass.
const ANSWERS: [&str; 8] = [
    "Account",
    "ErrorEnvelope",
    "EstimateResponse",
    "ModelList",
    "ResultResponse",
    "StatusResponse",
    "SubmitResponse",
    "WebhookDelivery",
];

/// Types whose fields are put in order before they are read.
const FILLED: [(&str, &str); 1] = [("Model", "crate::model_names::fill")];

/// Requires of each schema what is essential, in place of all that a server must send.
pub(super) fn require(spec: &mut OpenAPI) -> Result<()> {
    let schemas = &mut spec.components.as_mut().context("the specification has no components")?.schemas;
    for (name, schema) in schemas {
        let ReferenceOr::Item(schema) = schema else { continue };
        let Some(essential) = schema.schema_data.extensions.get(ESSENTIAL) else { continue };
        let essential: Vec<String> = serde_json::from_value(essential.clone())
            .with_context(|| format!("`{ESSENTIAL}` of `{name}` is no list of names"))?;
        let SchemaKind::Type(Type::Object(object)) = &mut schema.schema_kind else {
            anyhow::bail!("`{name}` has `{ESSENTIAL}` and is no object");
        };
        if let Some(other) = essential.iter().find(|field| !object.required.contains(field)) {
            anyhow::bail!("`{other}` is essential in `{name}` and not required");
        }
        object.required = essential;
    }
    Ok(())
}

/// Takes from the types of answers what serde derives and they have by `crate::lenient`, and returns the text that gives
/// it to them.
pub(super) fn read_leniently(types: &mut [Item]) -> String {
    let mut text = String::new();
    for item in types {
        let Item::Struct(item) = item else { continue };
        if is_of_answers(item) {
            let name = item.ident.to_string();
            text += &format!("\n{}", reading(item));
            item.attrs.retain(|attribute| !attribute.path().is_ident("derive"));
            let derives: syn::Attribute = match name.as_str() {
                // What a generation made may be nothing.
                "Output" => parse_quote!(#[derive(::serde::Deserialize, Clone, Debug, Default, PartialEq)]),
                _ => parse_quote!(#[derive(::serde::Deserialize, Clone, Debug, PartialEq)]),
            };
            item.attrs.push(derives);
            if ANSWERS.contains(&name.as_str()) {
                item.attrs.push(parse_quote!(#[serde(try_from = "::serde_json::Value")]));
                text += &format!("crate::lenient::answer!({name});\n");
            }
        }
    }
    text
}

fn is_of_answers(item: &ItemStruct) -> bool {
    item.fields.iter().any(|field| field.ident.as_ref().is_some_and(|name| name == EXTRA))
}

/// How an object is read and written.
fn reading(item: &ItemStruct) -> String {
    let Fields::Named(fields) = &item.fields else { return String::new() };
    let fields = fields.named.iter().filter_map(|field| Some((field, field.ident.as_ref()?.to_string())));
    let fields = fields.filter(|(_, name)| name != EXTRA);
    let (essential, other): (Vec<_>, Vec<_>) = fields.partition(|(field, _)| is_essential(field));
    let list = |fields: Vec<(&Field, String)>| {
        let fields =
            fields.iter().map(|(field, name)| format!("\n        {name} = {:?},", wire_name(field, name)));
        let list = fields.collect::<String>();
        if list.is_empty() { list } else { format!("{list}\n    ") }
    };
    let name = item.ident.to_string();
    let fill = FILLED.iter().find(|(filled, _)| *filled == name);
    let fill = fill.map_or(String::new(), |(_, path)| format!("\n    fill: {path},"));
    format!(
        "crate::lenient::object!({name} {{{fill}\n    essential: [{}],\n    other: [{}],\n}});\n",
        list(essential),
        list(other)
    )
}

/// Whether the object is none without the field: the generator gives every other one a value to begin with.
fn is_essential(field: &Field) -> bool {
    let is_option = matches!(&field.ty, syn::Type::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == "Option"));
    !is_option && !serde_words(field).iter().any(|(word, _)| word == "default")
}

/// The name of a field on the wire.
fn wire_name(field: &Field, name: &str) -> String {
    let renamed = serde_words(field).into_iter().find(|(word, _)| word == "rename");
    renamed.and_then(|(_, name)| name).unwrap_or_else(|| name.to_owned())
}

/// The words of `#[serde(…)]`, with their texts.
fn serde_words(field: &Field) -> Vec<(String, Option<String>)> {
    let mut words = Vec::new();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // What cannot be parsed says nothing to this.
        let _ = attribute.parse_nested_meta(|meta| {
            let text =
                meta.value().ok().and_then(|value| value.parse::<LitStr>().ok()).map(|text| text.value());
            words.extend(meta.path.get_ident().map(|word| (word.to_string(), text)));
            Ok(())
        });
    }
    words
}
