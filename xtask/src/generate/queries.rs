//! A type for the query of each call, which the generator makes only arguments of.

use super::names::camel_case;
use anyhow::{Context, Result, bail};
use openapiv3::{
    AdditionalProperties, ObjectType, OpenAPI, Operation, Parameter, ParameterData, ParameterSchemaOrContent,
    ReferenceOr, Schema, SchemaData, SchemaKind, Type,
};

/// Adds the schema `<Operation>Query` of each operation that has parameters in its query. It is closed: a server refuses
/// what the document does not name.
pub(super) fn describe(spec: &mut OpenAPI) -> Result<()> {
    let mut schemas = Vec::new();
    for (path, method, operation) in spec.operations() {
        let id = operation.operation_id.as_deref().with_context(|| format!("{method} {path} has no name"))?;
        let mut query = ObjectType {
            additional_properties: Some(AdditionalProperties::Any(false)),
            ..Default::default()
        };
        for parameter in of_query(spec, operation)? {
            let name = &parameter.name;
            let ParameterSchemaOrContent::Schema(schema) = &parameter.format else {
                bail!("the parameter `{name}` of `{id}` has no schema");
            };
            let all_of = SchemaKind::AllOf { all_of: vec![schema.clone()] };
            let schema_data = described(parameter.description.clone());
            let schema = Schema { schema_data, schema_kind: all_of };
            query.properties.insert(name.clone(), ReferenceOr::Item(Box::new(schema)));
            if parameter.required {
                query.required.push(name.clone());
            }
        }
        if !query.properties.is_empty() {
            let schema_data = described(Some(format!("The query of `{} {path}`.", method.to_uppercase())));
            let schema = Schema { schema_data, schema_kind: SchemaKind::Type(Type::Object(query)) };
            schemas.push((format!("{}Query", camel_case(id)), ReferenceOr::Item(schema)));
        }
    }
    spec.components.get_or_insert_default().schemas.extend(schemas);
    Ok(())
}

fn described(description: Option<String>) -> SchemaData {
    SchemaData { description, ..SchemaData::default() }
}

/// The parameters of an operation that are in its query.
fn of_query<'a>(spec: &'a OpenAPI, operation: &'a Operation) -> Result<Vec<&'a ParameterData>> {
    let mut found = Vec::new();
    for parameter in &operation.parameters {
        let parameter = match parameter {
            ReferenceOr::Item(parameter) => parameter,
            ReferenceOr::Reference { reference } => {
                let name = reference.strip_prefix("#/components/parameters/");
                let components = spec.components.as_ref();
                let parameter = name.and_then(|name| components?.parameters.get(name)?.as_item());
                parameter.with_context(|| format!("there is no parameter `{reference}`"))?
            }
        };
        if let Parameter::Query { parameter_data, .. } = parameter {
            found.push(parameter_data);
        }
    }
    Ok(found)
}
