//! The generated code of the Python package that depends on the error codes: the exceptions, their names in the package, and
//! the table of the binding.

use super::ErrorCode;
use crate::generate::document::QUEUE_SPEC;
use crate::generate::region::Region;
use crate::generate::{Generated, header};

const CLASSES: &str = "bindings/python/python/clipia_queue/_generated_exceptions.py";
const PACKAGE: &str = "bindings/python/python/clipia_queue/__init__.py";
const BINDING: &str = "bindings/python/src/generated_exceptions.rs";

pub(super) fn generate(codes: &[ErrorCode]) -> Vec<Generated> {
    // `ruff` sorts imports so.
    let mut names: Vec<String> = codes.iter().map(ErrorCode::class).collect();
    names.sort();
    vec![
        Generated::whole(CLASSES, classes(codes)),
        Generated::regions(
            PACKAGE,
            vec![Region::new("imports", imports(&names)), Region::new("names", exports(&names))],
        ),
        Generated::whole(BINDING, binding(codes)),
    ]
}

/// A class for each code.
fn classes(codes: &[ErrorCode]) -> String {
    let mut text = header("#", QUEUE_SPEC);
    text += "\"\"\"The exceptions of the error codes, a class for each code.\"\"\"\n\n\
             from clipia_queue._api_error import ClipiaApiError\n";
    for code in codes {
        let (class, summary, remedy) = (code.class(), code.summary(), &code.remedy);
        text +=
            &format!("\n\nclass {class}(ClipiaApiError):\n    \"\"\"{summary}\n\n    {remedy}\n    \"\"\"\n");
    }
    text
}

fn imports(names: &[String]) -> String {
    let names: String = names.iter().map(|name| format!("    {name},\n")).collect();
    // `ruff` wants the blank line before a comment.
    format!("from clipia_queue._generated_exceptions import (\n{names})\n\n")
}

fn exports(names: &[String]) -> String {
    let names: String = names.iter().map(|name| format!("    {name:?},\n")).collect();
    format!("__all__ += [\n{names}]\n")
}

/// The table of the binding: the exception of each variant of the SDK's error.
fn binding(codes: &[ErrorCode]) -> String {
    let imports: String = codes
        .iter()
        .map(|code| format!("import_exception!(clipia_queue._generated_exceptions, {});\n", code.class()))
        .collect();
    // A wrong input is one variant of the SDK's error. The binding chooses its exception by the code.
    let rows: String = codes
        .iter()
        .filter(|code| !code.input)
        .map(|code| format!("        Error::{}(_) => {}::new_err,\n", code.variant(), code.class()))
        .collect();
    let header = header("//", QUEUE_SPEC);
    format!(
        "{header}\
use crate::exceptions::Fields;
use clipia::Error;
use pyo3::{{PyErr, import_exception}};

{imports}
/// What makes the exception of an error that has a code of the API; `None` of another error.
pub(crate) fn of_code(error: &Error) -> Option<fn(Fields) -> PyErr> {{
    Some(match error {{
{rows}        _ => return None,
    }})
}}
"
    )
}
