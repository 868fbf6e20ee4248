//! Schemas that are another schema and some fields more: `allOf` of a reference and an object. The generator would copy the
//! fields of the other type; a field that serde flattens has the type itself.

use openapiv3::{OpenAPI, ReferenceOr, SchemaKind, Type};
use syn::{Fields, Item, parse_quote};

/// A type that extends another one, and the field that holds the other one.
pub(super) struct Extended {
    name: String,
    field: String,
}

/// Makes the reference of each such schema a field of its object.
pub(super) fn nest(spec: &mut OpenAPI) -> Vec<Extended> {
    let mut extended = Vec::new();
    for (name, schema) in &mut spec.components.get_or_insert_default().schemas {
        let ReferenceOr::Item(schema) = schema else { continue };
        let SchemaKind::AllOf { all_of } = &schema.schema_kind else { continue };
        let [ReferenceOr::Reference { reference }, ReferenceOr::Item(object)] = all_of.as_slice() else {
            continue;
        };
        let SchemaKind::Type(Type::Object(object)) = &object.schema_kind else { continue };
        let (field, mut object) = (last_word(reference), object.clone());
        object.properties.insert(field.clone(), ReferenceOr::Reference { reference: reference.clone() });
        object.required.push(field.clone());
        schema.schema_kind = SchemaKind::Type(Type::Object(object));
        extended.push(Extended { name: name.clone(), field });
    }
    extended
}

/// Has serde write and read the fields of the other type in place of the field that holds it.
pub(super) fn flatten(types: &mut [Item], extended: &[Extended]) {
    for item in types {
        let Item::Struct(item) = item else { continue };
        let Some(Extended { field, .. }) = extended.iter().find(|extended| item.ident == extended.name)
        else {
            continue;
        };
        let Fields::Named(fields) = &mut item.fields else { continue };
        for holder in
            fields.named.iter_mut().filter(|holder| holder.ident.as_ref().is_some_and(|name| name == field))
        {
            holder.attrs.push(parse_quote!(#[serde(flatten)]));
        }
    }
}

/// The last word of a name in CamelCase, in lower case.
fn last_word(name: &str) -> String {
    name[name.rfind(|c: char| c.is_ascii_uppercase()).unwrap_or(0)..].to_ascii_lowercase()
}
