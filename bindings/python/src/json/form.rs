//! The JSON form of one Python object: the form of `json.dumps`, and for other objects that of a sensible `default`. No
//! package is required for this: a class of a package is recognised only if the program has loaded its module, or by
//! its methods.

use super::{Fault, VALUES_MAX, data_url, too_many_values};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyIterator, PyList, PyMapping,
    PyMemoryView, PySequence, PySet, PyString, PyTuple, PyType,
};
use pyo3::{IntoPyObjectExt, intern};
use serde_json::{Number, Value};

/// Stand-ins, such as the value of an enum, that are followed from one object. The bound ends the reading of an object
/// that stands in for itself.
const STAND_INS_MAX: usize = 8;

pub(super) enum Form<'py> {
    Value(Value),
    /// Bytes, a file or an image.
    DataUrl(String),
    Array(Bound<'py, PyIterator>),
    /// An iterator of pairs.
    Object(Bound<'py, PyIterator>),
}

/// The form of an object, or a stand-in that has the same form.
enum Found<'py> {
    Form(Form<'py>),
    StandIn(Bound<'py, PyAny>),
}

impl<'py> Form<'py> {
    pub(super) fn of(object: &Bound<'py, PyAny>) -> Result<Self, Fault> {
        let mut stand_in = match found(object)? {
            Found::Form(form) => return Ok(form),
            Found::StandIn(other) => other,
        };
        for _ in 1..STAND_INS_MAX {
            match found(&stand_in)? {
                Found::Form(form) => return Ok(form),
                Found::StandIn(other) => stand_in = other,
            }
        }
        Err(without_form(object))
    }
}

/// A key in the form of `json.dumps`.
pub(super) fn key(object: &Bound<'_, PyAny>) -> Result<String, Fault> {
    match Form::of(object) {
        Ok(Form::Value(Value::String(text))) => Ok(text),
        // Python and Rust write large and small numbers differently, so Python writes them.
        Ok(Form::Value(Value::Number(number))) if number.is_f64() => {
            Ok(number.as_f64().into_bound_py_any(object.py())?.to_string())
        }
        Ok(Form::Value(value)) => Ok(value.to_string()),
        Ok(_) => Err(Fault::Unfit(format!("has a key of type `{}`", type_name(object)))),
        Err(Fault::Unfit(reason)) => Err(Fault::Unfit(format!("has a key that {reason}"))),
        Err(raised) => Err(raised),
    }
}

fn found<'py>(object: &Bound<'py, PyAny>) -> Result<Found<'py>, Fault> {
    let form = if let Ok(text) = object.cast::<PyString>() {
        Form::Value(Value::from(self::text(text)?))
    } else if let Ok(dict) = object.cast::<PyDict>() {
        // The pairs are copied, because reading a value may change the dict. A subclass may define its own pairs.
        Form::Object(dict.as_mapping().items()?.try_iter()?)
    } else if object.is_none() {
        Form::Value(Value::Null)
    } else if let Ok(truth) = object.cast::<PyBool>() {
        Form::Value(Value::Bool(truth.is_true()))
    } else if let Ok(number) = object.cast::<PyInt>() {
        Form::Value(integer(number)?)
    } else if let Ok(number) = object.cast::<PyFloat>() {
        Form::Value(float(number.value())?)
    } else if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        Form::Array(object.try_iter()?)
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Form::DataUrl(data_url::of_bytes(bytes.as_bytes())?)
    } else if object.is_instance_of::<PyByteArray>() || object.is_instance_of::<PyMemoryView>() {
        return Ok(Found::StandIn(object.py().get_type::<PyBytes>().call1((object,))?));
    } else if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
        return Ok(Found::StandIn(set(object)?));
    } else if let Ok(mapping) = object.cast::<PyMapping>() {
        Form::Object(mapping.items()?.try_iter()?)
    } else if object.is_instance_of::<PyType>() {
        return Err(without_form(object));
    } else if object.cast::<PySequence>().is_ok() || is_a(object, "collections.abc", "Set")? {
        Form::Array(object.try_iter()?)
    } else {
        return of_class(object);
    };
    Ok(Found::Form(form))
}

/// The form of an object by its class or its methods.
fn of_class<'py>(object: &Bound<'py, PyAny>) -> Result<Found<'py>, Fault> {
    let py = object.py();
    if is_a(object, "enum", "Enum")? {
        return Ok(Found::StandIn(object.getattr(intern!(py, "value"))?));
    }
    if is_a(object, "uuid", "UUID")? {
        return Ok(Found::StandIn(object.str()?.into_any()));
    }
    if is_a(object, "decimal", "Decimal")? {
        return decimal(object).map(Found::StandIn);
    }
    if is_a(object, "PIL.Image", "Image")? {
        return data_url::of_image(object).map(Form::DataUrl).map(Found::Form);
    }
    if is_a(object, "numpy", "ndarray")? || is_a(object, "numpy", "generic")? {
        return numpy(object).map(Found::StandIn);
    }
    if let Some(dump) = object.getattr_opt(intern!(py, "model_dump"))? {
        let options = PyDict::new(py);
        options.set_item(intern!(py, "mode"), intern!(py, "json"))?;
        return Ok(Found::StandIn(dump.call((), Some(&options))?));
    }
    if object.hasattr(intern!(py, "__dataclass_fields__"))? {
        let pairs = PyList::empty(py);
        for field in py.import("dataclasses")?.call_method1("fields", (object,))?.try_iter()? {
            let name = field?.getattr(intern!(py, "name"))?.cast_into::<PyString>().map_err(PyErr::from)?;
            pairs.append((&name, object.getattr(&name)?))?;
        }
        return Ok(Found::Form(Form::Object(pairs.try_iter()?)));
    }
    if let Some(path) = object.getattr_opt(intern!(py, "__fspath__"))? {
        return Ok(Found::StandIn(path.call0()?));
    }
    if let Some(write) = object.getattr_opt(intern!(py, "isoformat"))? {
        // The `NaT` of pandas differs from itself, as NaN does.
        if object.ne(object)? {
            return Err(no_time());
        }
        return Ok(Found::StandIn(write.call0()?));
    }
    if let Some(list) = object.getattr_opt(intern!(py, "tolist"))? {
        return Ok(Found::StandIn(list.call0()?));
    }
    if let Some(read) = object.getattr_opt(intern!(py, "read"))? {
        return data_url::of_file(object, &read).map(Form::DataUrl).map(Found::Form);
    }
    Err(without_form(object))
}

fn text<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Fault> {
    let surrogate = "holds a lone surrogate (`\\ud800` to `\\udfff`), which is no character";
    text.to_str().map_err(|_| Fault::Unfit(surrogate.to_owned()))
}

/// The exact integer. Integers of more than 64 bits are refused, because servers would read them as the nearest float.
fn integer(number: &Bound<'_, PyInt>) -> Result<Value, Fault> {
    if let Ok(number) = number.extract::<i64>() {
        return Ok(Value::from(number));
    }
    match number.extract::<u64>() {
        Ok(number) => Ok(Value::from(number)),
        Err(_) => Err(beyond_64_bits()),
    }
}

fn float(number: f64) -> Result<Value, Fault> {
    let finite = Number::from_f64(number).map(Value::Number);
    finite.ok_or_else(|| Fault::Unfit(format!("is {number}, which is no number in JSON")))
}

/// A decimal number: an integer if it is one, otherwise the nearest float.
fn decimal<'py>(number: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Fault> {
    let py = number.py();
    if !number.call_method0("is_finite")?.is_truthy()? {
        return Err(Fault::Unfit(format!("is {number}, which is no number in JSON")));
    }
    // Checked before conversion, because the integer `Decimal("1e999999999")` would take all memory.
    if number.call_method0("adjusted")?.extract::<i64>()? >= 20 {
        return Err(beyond_64_bits());
    }
    if number.call_method0("to_integral_value")?.eq(number)? {
        return Ok(py.get_type::<PyInt>().call1((number,))?);
    }
    Ok(py.get_type::<PyFloat>().call1((number,))?)
}

/// The array of a set, sorted if its elements can be, so that the same set is the same input in every process.
fn set<'py>(set: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let list = PyList::empty(set.py());
    for element in set.try_iter()? {
        list.append(element?)?;
    }
    // Elements that cannot be sorted stay in the order of the set.
    let _ = list.sort();
    Ok(list.into_any())
}

/// The Python value of a NumPy array or scalar.
fn numpy<'py>(array: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Fault> {
    if array.getattr("size")?.extract::<usize>()? > VALUES_MAX {
        return Err(too_many_values());
    }
    match array.getattr("dtype")?.getattr("kind")?.extract::<String>()?.as_str() {
        // Python times have microseconds. For nanoseconds `tolist` would return integers.
        "M" if array
            .py()
            .import("numpy")?
            .call_method1("isnat", (array,))?
            .call_method0("any")?
            .is_truthy()? =>
        {
            Err(no_time())
        }
        "M" => Ok(array.call_method1("astype", ("datetime64[us]",))?.call_method0("tolist")?),
        "m" => Err(without_form(array)),
        _ => Ok(array.call_method0("tolist")?),
    }
}

/// Whether an object is an instance of a class. It cannot be if the program has not loaded the module of the class.
fn is_a(object: &Bound<'_, PyAny>, module: &str, class: &str) -> PyResult<bool> {
    let modules = object.py().import(intern!(object.py(), "sys"))?.getattr("modules")?;
    let Some(module) = modules.cast_into::<PyDict>()?.get_item(module)? else { return Ok(false) };
    match module.getattr_opt(class)? {
        Some(class) => object.is_instance(&class),
        None => Ok(false),
    }
}

fn beyond_64_bits() -> Fault {
    Fault::Unfit("is an integer of more than 64 bits, which JSON readers would round".to_owned())
}

fn no_time() -> Fault {
    Fault::Unfit("holds NaT, which is no time".to_owned())
}

fn without_form(object: &Bound<'_, PyAny>) -> Fault {
    Fault::Unfit(format!("is of type `{}`, which has no form in JSON", type_name(object)))
}

pub(super) fn type_name(object: &Bound<'_, PyAny>) -> String {
    let name = object.get_type().fully_qualified_name();
    name.map_or_else(|_| "?".to_owned(), |name| name.to_string())
}
