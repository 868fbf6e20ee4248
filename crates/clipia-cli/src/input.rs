//! The model and the input of a generation, read from the options. A value of `--set` may be a file, which is uploaded.

use crate::exit;
use anyhow::Context;
use clap::{ArgGroup, Args};
use clipia::{Clipia, Upload};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

/// 2⁶³. Integers of 64 bits are from −2⁶³ to 2 × 2⁶³ − 1.
const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;

/// What to generate.
#[derive(Args)]
#[group(skip)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["input", "prompt", "set"]))]
pub(crate) struct What {
    /// The model; `clipia models` lists them
    pub(crate) model: String,
    /// The whole input, a JSON object
    #[arg(long, value_name = "JSON", conflicts_with = "prompt")]
    input: Option<String>,
    /// The input's `prompt`
    #[arg(short, long, value_name = "PROMPT")]
    prompt: Option<String>,
    /// One key of the input; the value is JSON, or else a string, or `@FILE` for a file, which `generate` uploads (`@@` for a
    /// string that begins with `@`)
    #[arg(long, value_name = "KEY=VALUE", value_parser = assignment)]
    set: Vec<(String, Assigned)>,
}

/// A value of `--set`.
#[derive(Clone, Debug, PartialEq)]
enum Assigned {
    Value(Value),
    /// The path of a file.
    File(PathBuf),
}

/// A file that cannot be uploaded. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("`--set {key}=@{}`: cannot read the file: {source}", .path.display())]
struct NoFile {
    key: String,
    path: PathBuf,
    source: io::Error,
}

impl What {
    /// The input that the options describe. Files are uploaded, one after the other, once all of them are known to be readable.
    /// `uploaded` is told of each, with its key.
    pub(crate) async fn input(
        &self,
        clipia: &Clipia,
        mut uploaded: impl FnMut(&str, &Path, &Upload),
    ) -> anyhow::Result<Map<String, Value>> {
        let mut input = self.without_files()?;
        for (key, path) in self.files()? {
            let upload = clipia.upload(path).await?;
            uploaded(key, path, &upload);
            input.insert(key.to_owned(), Value::from(upload.url));
        }
        Ok(input)
    }

    /// The input that the options describe, for a price: nothing is uploaded, and a URL of no file is in place of each.
    pub(crate) fn input_to_estimate(&self) -> anyhow::Result<Map<String, Value>> {
        let mut input = self.without_files()?;
        for (key, _) in self.files()? {
            input.insert(key.to_owned(), Value::from(NO_FILE));
        }
        Ok(input)
    }

    /// The files among the values of `--set`, by key. The last value of a key counts.
    fn files(&self) -> anyhow::Result<Vec<(&str, &Path)>> {
        let mut files = Vec::new();
        for (index, (key, value)) in self.set.iter().enumerate() {
            let Assigned::File(path) = value else { continue };
            if self.set[index + 1..].iter().any(|(later, _)| later == key) {
                continue;
            }
            readable(path).map_err(|source| NoFile { key: key.clone(), path: path.clone(), source })?;
            files.push((key.as_str(), path.as_path()));
        }
        Ok(files)
    }

    /// The input without the values that are files.
    fn without_files(&self) -> anyhow::Result<Map<String, Value>> {
        let mut input = match &self.input {
            Some(text) => whole(text)?,
            None => Map::new(),
        };
        if let Some(prompt) = &self.prompt {
            input.insert("prompt".to_owned(), Value::from(prompt.as_str()));
        }
        for (key, value) in &self.set {
            match value {
                Assigned::Value(value) => input.insert(key.clone(), value.clone()),
                Assigned::File(_) => input.remove(key),
            };
        }
        Ok(input)
    }
}

/// The URL in place of a file in an input that is only priced. The name exists nowhere (RFC 2606).
const NO_FILE: &str = "https://upload.invalid/file";

/// Checks that a file is there and may be read.
fn readable(path: &Path) -> io::Result<()> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    std::fs::File::open(path).map(drop)
}

/// The value of `--input`, such as `{"prompt": "a fox"}`.
fn whole(text: &str) -> anyhow::Result<Map<String, Value>> {
    let input: Map<String, Value> = match read(text) {
        Ok(input) => input,
        Err(Fault::Unfit(reason)) => {
            return Err(exit::Usage::new(format!("`--input` {reason}")).into());
        }
        Err(Fault::Malformed(error)) => {
            return Err(exit::Usage::new(format!("`--input` must be a JSON object: {error}")))
                .context(exit::Hint::new("write it in single quotes: '{\"prompt\": \"a fox\"}'"));
        }
    };
    for (key, value) in &input {
        exact(key, value).map_err(|fault| exit::Usage::new(format!("`--input`: {fault}")))?;
    }
    Ok(input)
}

/// A value of `--set`, such as `duration=5`, `prompt=a fox` or `image_url=@fox.png`.
fn assignment(text: &str) -> Result<(String, Assigned), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    if key.is_empty() {
        return Err("write it as KEY=VALUE".to_owned());
    }
    if let Some(rest) = value.strip_prefix('@') {
        return match rest {
            "" => Err(format!("`{key}` names no file: write the path after the `@`")),
            _ if rest.starts_with('@') => Ok((key.to_owned(), Assigned::Value(Value::from(rest)))),
            path => Ok((key.to_owned(), Assigned::File(path.into()))),
        };
    }
    let value = match read(value) {
        Ok(value) => value,
        Err(Fault::Malformed(_)) => Value::from(value),
        Err(Fault::Unfit(reason)) => return Err(format!("`{key}` {reason}")),
    };
    exact(key, &value)?;
    Ok((key.to_owned(), Assigned::Value(value)))
}

/// Why a text is not a value of an input.
enum Fault {
    /// The text is not JSON, or not JSON of the expected type.
    Malformed(serde_json::Error),
    /// The text is JSON, but JSON parsers refuse it: it nests too deep, or a number is too large.
    Unfit(String),
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| {
        // `IgnoredAny` keeps nothing, so that serde_json limits neither the depth nor the size of numbers.
        let json = error.is_syntax() && serde_json::from_str::<IgnoredAny>(text).is_ok();
        if !json {
            return Fault::Malformed(error);
        }
        Fault::Unfit(format!("cannot be sent: {error} (values nest 127 deep at most, numbers have 64 bits)"))
    })
}

/// Refuses an integer of more than 64 bits: parsing has rounded it to a float.
fn exact(place: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            Some(float) if (-TWO_POW_63 < float) && (float < 2.0 * TWO_POW_63) => Ok(()),
            _ => Err(format!("`{place}` is a number of more than 64 bits, which would be rounded")),
        },
        Value::Array(values) => (0..)
            .zip(values)
            .try_for_each(|(index, value): (usize, _)| exact(&format!("{place}[{index}]"), value)),
        Value::Object(entries) => {
            entries.iter().try_for_each(|(key, value)| exact(&format!("{place}.{key}"), value))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_exact_or_refused_with_its_key() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for (text, value) in [
            ("5", Ok(json!(5))),
            ("18446744073709551615", Ok(json!(u64::MAX))),
            ("-9223372036854775808", Ok(json!(i64::MIN))),
            ("0.1", Ok(json!(0.1))),
            ("1e18", Ok(json!(1e18))),
            ("\"18446744073709551616\"", Ok(json!("18446744073709551616"))),
            ("a fox", Ok(json!("a fox"))),
            ("007", Ok(json!("007"))),
            ("[1,", Ok(json!("[1,"))),
            ("[[[", Ok(json!("[[["))),
            ("", Ok(json!(""))),
            ("[1, {\"b\": null}]", Ok(json!([1, { "b": null }]))),
            ("18446744073709551616", Err("`a` is a number of more than 64 bits")),
            ("-9223372036854775809", Err("`a` is a number of more than 64 bits")),
            ("{\"b\": [0, 100000000000000000000]}", Err("`a.b[1]` is a number of more than 64 bits")),
            ("1e400", Err("`a` cannot be sent: number out of range")),
            ("[-1e400]", Err("`a` cannot be sent: number out of range")),
            ("\"\\ud800\"", Err("`a` cannot be sent: ")),
            (&deep, Err("`a` cannot be sent: recursion limit exceeded")),
        ] {
            let set = assignment(&format!("a={text}"));
            let whole = whole(&format!("{{\"a\": {text}}}"));
            match value {
                Ok(value) => {
                    assert_eq!(set, Ok(("a".to_owned(), Assigned::Value(value.clone()))), "{text}");
                    // Only `--set` takes text that is not JSON, as a string.
                    if serde_json::from_str::<Value>(text).is_ok() {
                        assert_eq!(whole.unwrap().get("a"), Some(&value), "{text}");
                    }
                }
                Err(said) => {
                    assert!(set.unwrap_err().starts_with(said));
                    let refusal = whole.unwrap_err();
                    assert!(refusal.is::<exit::Usage>());
                    let said = if said.contains("cannot") {
                        "`--input` cannot be sent: "
                    } else {
                        &format!("`--input`: {said}")
                    };
                    assert!(refusal.to_string().starts_with(said), "{refusal}");
                }
            }
        }
    }

    #[test]
    fn a_value_that_begins_with_an_at_sign_is_a_file() {
        for (text, value) in [
            ("a=@fox.png", Ok(Assigned::File("fox.png".into()))),
            ("a=@/tmp/my fox.png", Ok(Assigned::File("/tmp/my fox.png".into()))),
            ("a=@@fox", Ok(Assigned::Value(json!("@fox")))),
            ("a=\"@fox\"", Ok(Assigned::Value(json!("@fox")))),
            ("a=fox@example", Ok(Assigned::Value(json!("fox@example")))),
            ("a=@", Err("`a` names no file: write the path after the `@`")),
        ] {
            let value = value.map(|value| ("a".to_owned(), value)).map_err(str::to_owned);
            assert_eq!(assignment(text), value, "{text}");
        }
    }

    #[test]
    fn a_file_must_be_readable_and_is_not_needed_for_a_price() {
        let directory = tempfile::tempdir().unwrap();
        let fox = directory.path().join("fox.png");
        let what = |set: &[String]| What {
            model: "m".to_owned(),
            input: None,
            prompt: None,
            set: set.iter().map(|text| assignment(text).unwrap()).collect(),
        };
        let named = [format!("image_url=@{}", fox.display()), "seed=7".to_owned()];
        let refused = what(&named).input_to_estimate().unwrap_err().to_string();
        assert!(
            refused.contains("`--set image_url=@") && refused.contains("cannot read the file"),
            "{refused}"
        );
        std::fs::write(&fox, "a fox").unwrap();
        let input = what(&named).input_to_estimate().unwrap();
        assert_eq!(Value::Object(input), json!({"image_url": NO_FILE, "seed": 7}));
        let later = [named[0].clone(), "image_url=https://example.com/fox.png".to_owned()];
        let input = what(&later).input_to_estimate().unwrap();
        assert_eq!(Value::Object(input), json!({"image_url": "https://example.com/fox.png"}));
        let folder = [format!("image_url=@{}", directory.path().display())];
        let refused = what(&folder).input_to_estimate().unwrap_err().to_string();
        assert!(refused.ends_with("it is no regular file"), "{refused}");
    }
}
