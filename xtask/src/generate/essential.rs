//! The fields without which a response cannot be read: only those that the spec calls essential.

use anyhow::{Context, Result, bail};
use openapiv3::{OpenAPI, ReferenceOr, SchemaKind, Type};
use syn::punctuated::Punctuated;
use syn::{Field, Fields, Item, ItemStruct, LitStr, Path, Token, parse_quote};

/// The extension of a schema that lists the fields that a client needs. `required` lists those that a server must send.
const ESSENTIAL: &str = "x-essential";

/// The field that keeps all fields that the spec does not name. Only objects of responses have it.
const EXTRA: &str = "extra";

/// Whole responses and deliveries: serde reads these leniently too. It reads their parts strictly, because a server's own
/// catalogue has such parts, and must not contain typing errors.
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

/// Types that some servers send in another shape, each with the function that renames the fields before they are read.
const FILLED: [(&str, &str); 1] = [("Model", "crate::model_names::fill")];

/// Replaces `required` of each schema with its `x-essential`, so that the types require only what a client needs.
pub(super) fn require(spec: &mut OpenAPI) -> Result<()> {
    let schemas = &mut spec.components.as_mut().context("the specification has no components")?.schemas;
    for (name, schema) in schemas {
        let ReferenceOr::Item(schema) = schema else { continue };
        let Some(essential) = schema.schema_data.extensions.get(ESSENTIAL) else { continue };
        let essential: Vec<String> = serde_json::from_value(essential.clone())
            .with_context(|| format!("`{ESSENTIAL}` of `{name}` is no list of names"))?;
        let SchemaKind::Type(Type::Object(object)) = &mut schema.schema_kind else {
            bail!("`{name}` has `{ESSENTIAL}` and is no object");
        };
        if let Some(other) = essential.iter().find(|field| !object.required.contains(field)) {
            bail!("`{other}` is essential in `{name}` and not required");
        }
        object.required = essential;
    }
    Ok(())
}

/// Replaces the derived `Serialize` of the response types with the macros of `crate::lenient`, which also read the types
/// leniently. Returns the calls of these macros.
pub(super) fn read_leniently(types: &mut [Item]) -> Result<String> {
    let mut text = String::new();
    for item in types {
        let Item::Struct(item) = item else { continue };
        if is_of_responses(item) {
            let name = item.ident.to_string();
            text += &format!("\n{}", reading(item));
            drop_serialize(item)?;
            // A field that a later version of the API adds breaks no client.
            item.attrs.push(parse_quote!(#[cfg_attr(not(feature = "literals"), non_exhaustive)]));
            if ANSWERS.contains(&name.as_str()) {
                item.attrs.push(parse_quote!(#[serde(remote = "Self")]));
                text += &format!("crate::lenient::response!({name});\n");
            }
        }
    }
    Ok(text)
}

fn drop_serialize(item: &mut ItemStruct) -> Result<()> {
    for attribute in item.attrs.iter_mut().filter(|attribute| attribute.path().is_ident("derive")) {
        let derives = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)?;
        let is_kept = |path: &Path| path.segments.last().is_none_or(|last| last.ident != "Serialize");
        let kept = derives.into_iter().filter(is_kept);
        *attribute = parse_quote!(#[derive(#(#kept),*)]);
    }
    Ok(())
}

fn is_of_responses(item: &ItemStruct) -> bool {
    item.fields.iter().any(|field| field.ident.as_ref().is_some_and(|name| name == EXTRA))
}

/// The call of `crate::lenient::object` for an object.
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
    let regular = match ANSWERS.contains(&name.as_str()) {
        true => format!("\n    regular: crate::types::{name}::deserialize,"),
        false => String::new(),
    };
    format!(
        "crate::lenient::object!({name} {{{fill}{regular}\n    essential: [{}],\n    other: [{}],\n}});\n",
        list(essential),
        list(other)
    )
}

/// Whether the object cannot be read without the field: the generator makes every other field an `Option` or gives it
/// a default.
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

/// The words of `#[serde(…)]`, each with its text if it has one.
fn serde_words(field: &Field) -> Vec<(String, Option<String>)> {
    let mut words = Vec::new();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // An attribute that cannot be parsed names neither `default` nor `rename`.
        let _ = attribute.parse_nested_meta(|meta| {
            let text =
                meta.value().ok().and_then(|value| value.parse::<LitStr>().ok()).map(|text| text.value());
            words.extend(meta.path.get_ident().map(|word| (word.to_string(), text)));
            Ok(())
        });
    }
    words
}
