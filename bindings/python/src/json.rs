//! JSON from Python objects: an input, or the dict of a response.
//!
//! The reader keeps the arrays and objects around a value in a list, and not on the stack of the thread, so
//! that deep nesting does not crash the process. [`form`] finds the JSON form of one Python object, [`data_url`] writes
//! bytes.

mod data_url;
mod form;

use crate::exceptions::ClipiaValueError;
use form::Form;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyTuple};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Levels of arrays and objects in an input. It is less than JSON readers accept (128 in `serde_json`), and ends the
/// reading of an object that contains itself.
pub(crate) const INPUT_DEPTH_MAX: usize = 100;

/// Levels of arrays and objects in a response, which `serde_json` has read before.
pub(crate) const RESPONSE_DEPTH_MAX: usize = 128;

/// Values in one document. A list of ten references to a list of ten … is small in Python, and huge in JSON.
const VALUES_MAX: usize = 1_000_000;

/// Bytes of texts and keys in one document, files included. The server of this repository accepts 6 MiB.
const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Keys and indices in the path of a message; further ones are left out.
const STEPS_NAMED_MAX: usize = 8;

/// Characters of a key in a message.
const KEY_CHARS_NAMED_MAX: usize = 40;

/// Why an object has no JSON form.
enum Fault {
    /// The reason, worded to follow the path of the object: "is NaN".
    Unfit(String),
    /// An exception of the object itself while it was read.
    Raised(PyErr),
}

impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// Reads a Python object as JSON. Messages call the object `name`.
///
/// # Errors
/// `ClipiaValueError`, which names the value by its path. An exception that ends programs, such as `KeyboardInterrupt`,
/// is passed on.
pub(crate) fn read(object: &Bound<'_, PyAny>, name: &str, depth_max: usize) -> PyResult<Value> {
    let mut reader = Reader { depth_max, open: Vec::new(), whole: Value::Null, values: 0, text_bytes: 0 };
    let reading = reader.read(object);
    match reading {
        Ok(()) => Ok(reader.whole),
        Err(fault) => Err(reader.refusal(object.py(), name, fault)),
    }
}

/// An array or object that is not completely read.
enum Open<'py> {
    Array {
        rest: Bound<'py, PyIterator>,
        values: Vec<Value>,
    },
    Object {
        /// An iterator of pairs.
        rest: Bound<'py, PyIterator>,
        /// The key of the value that is being read.
        key: Option<String>,
        entries: Map<String, Value>,
    },
}

struct Reader<'py> {
    depth_max: usize,
    /// The arrays and objects around the value that is being read, the outermost first.
    open: Vec<Open<'py>>,
    whole: Value,
    values: usize,
    text_bytes: usize,
}

impl<'py> Reader<'py> {
    fn read(&mut self, object: &Bound<'py, PyAny>) -> Result<(), Fault> {
        self.begin(object)?;
        while !self.open.is_empty() {
            match self.next()? {
                Some(object) => self.begin(&object)?,
                None => self.close(),
            }
        }
        Ok(())
    }

    /// Reads a value, or opens an array or object.
    fn begin(&mut self, object: &Bound<'py, PyAny>) -> Result<(), Fault> {
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(too_many_values());
        }
        match Form::of(object)? {
            Form::Value(value) => {
                if let Value::String(text) = &value {
                    self.count(text.len())?;
                }
                self.put(value);
            }
            Form::DataUrl(url) => {
                self.count(url.len())?;
                self.put(Value::String(url));
            }
            Form::Array(rest) => self.open(Open::Array { rest, values: Vec::new() })?,
            Form::Object(rest) => self.open(Open::Object { rest, key: None, entries: Map::new() })?,
        }
        Ok(())
    }

    fn open(&mut self, open: Open<'py>) -> Result<(), Fault> {
        if self.open.len() == self.depth_max {
            let reason = format!("is nested more than {} deep, or holds itself", self.depth_max);
            return Err(Fault::Unfit(reason));
        }
        self.open.push(open);
        Ok(())
    }

    /// The next object of the innermost array or object.
    fn next(&mut self) -> Result<Option<Bound<'py, PyAny>>, Fault> {
        let (object, text_bytes) = match self.open.last_mut() {
            None => return Ok(None),
            Some(Open::Array { rest, .. }) => (rest.next().transpose()?, 0),
            Some(Open::Object { rest, key, entries }) => {
                *key = None;
                let Some(pair) = rest.next().transpose()? else { return Ok(None) };
                let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
                    pair.cast_into::<PyTuple>().map_err(PyErr::from)?.extract()?;
                let name = form::key(&name)?;
                if entries.contains_key(&name) {
                    return Err(Fault::Unfit(format!("has two keys that are both written {}", named(&name))));
                }
                let text_bytes = name.len();
                *key = Some(name);
                (Some(value), text_bytes)
            }
        };
        self.count(text_bytes)?;
        Ok(object)
    }

    fn close(&mut self) {
        match self.open.pop() {
            None => {}
            Some(Open::Array { values, .. }) => self.put(Value::Array(values)),
            Some(Open::Object { entries, .. }) => self.put(Value::Object(entries)),
        }
    }

    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.whole = value,
            Some(Open::Array { values, .. }) => values.push(value),
            Some(Open::Object { key, entries, .. }) => {
                entries.insert(key.take().unwrap_or_default(), value);
            }
        }
    }

    fn count(&mut self, text_bytes: usize) -> Result<(), Fault> {
        self.text_bytes += text_bytes;
        if self.text_bytes > TEXT_BYTES_MAX { Err(too_long()) } else { Ok(()) }
    }

    fn refusal(&self, py: Python<'_>, name: &str, fault: Fault) -> PyErr {
        let (reason, cause) = match fault {
            Fault::Unfit(reason) => (reason, None),
            Fault::Raised(error) if !error.is_instance_of::<PyException>(py) => return error,
            Fault::Raised(error) => (format!("cannot be read: {error}"), Some(error)),
        };
        let refusal = ClipiaValueError::new_err(format!("{} {reason}", self.path(name)));
        refusal.set_cause(py, cause);
        refusal
    }

    /// The path of the value that is being read: `input["shots"][0]["seed"]`.
    fn path(&self, name: &str) -> String {
        let mut path = name.to_owned();
        for open in self.open.iter().take(STEPS_NAMED_MAX) {
            // Writing to a string cannot fail.
            let _ = match open {
                Open::Array { values, .. } => write!(path, "[{}]", values.len()),
                Open::Object { key: Some(key), .. } => write!(path, "[{}]", named(key)),
                Open::Object { key: None, .. } => Ok(()),
            };
        }
        if self.open.len() > STEPS_NAMED_MAX {
            path.push_str(" …");
        }
        path
    }
}

fn too_many_values() -> Fault {
    Fault::Unfit(format!("is one value too many: there may be {VALUES_MAX}"))
}

fn too_long() -> Fault {
    Fault::Unfit(format!("is too long: texts and files may have {} MiB in all", TEXT_BYTES_MAX >> 20))
}

/// A key in a message.
fn named(key: &str) -> String {
    match key.char_indices().nth(KEY_CHARS_NAMED_MAX) {
        None => format!("{key:?}"),
        Some((end, _)) => format!("{:?}…", &key[..end]),
    }
}
