//! The operations of a document as an enum: a server that matches on it has a handler for each, and for nothing else.

use super::names::camel_case;
use openapiv3::OpenAPI;

/// The code of the enum. Every operation has a name (`queries` sees to it).
pub(super) fn list(spec: &OpenAPI) -> String {
    let (mut variants, mut names, mut paths) = (String::new(), String::new(), String::new());
    let mut count = 0;
    for (path, method, operation) in spec.operations() {
        let name = camel_case(operation.operation_id.as_deref().unwrap_or_default());
        variants += &format!("    /// `{} {path}`\n    {name},\n", method.to_uppercase());
        names += &format!("        Self::{name},\n");
        paths += &format!("            Self::{name} => \"{path}\",\n");
        count += 1;
    }
    format!(
        "/// A call, as the document describes it.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq)]\n\
         pub enum Operation {{\n{variants}}}\n\n\
         impl Operation {{\n\
         \x20   /// Every call, in the order of the document.\n\
         \x20   pub const ALL: [Self; {count}] = [\n{names}    ];\n\n\
         \x20   /// Its path; a variable segment is a name in braces.\n\
         \x20   pub const fn path(self) -> &'static str {{\n\
         \x20       match self {{\n{paths}        }}\n\
         \x20   }}\n\
         }}\n"
    )
}
