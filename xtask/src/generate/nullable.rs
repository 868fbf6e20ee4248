//! Fields that a document requires and that may be null. The generated type refuses an object without them; whoever leaves
//! one out means null.

use syn::{Attribute, Fields, Item};

/// Has a missing field read as null.
pub(super) fn read_missing(types: &mut [Item]) {
    for item in types {
        let Item::Struct(item) = item else { continue };
        let Fields::Named(fields) = &mut item.fields else { continue };
        for field in &mut fields.named {
            // Without this attribute serde itself reads a missing `Option` as nothing.
            field.attrs.retain(|attribute| !refuses_missing(attribute));
        }
    }
}

/// Whether it is `#[serde(deserialize_with = "…")]` and nothing else.
fn refuses_missing(attribute: &Attribute) -> bool {
    let mut only = attribute.path().is_ident("serde");
    let _ = attribute.parse_nested_meta(|meta| {
        only &= meta.path.is_ident("deserialize_with");
        meta.value()?.parse::<syn::LitStr>().map(drop)
    });
    only
}
