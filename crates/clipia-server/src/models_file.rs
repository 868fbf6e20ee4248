//! The operator's own models, in `models.toml` of the data directory.

use crate::lines::Lines;
use crate::private;
use clipia_queue::catalogue::{Catalogue, Entry, Invalid};
use std::io::{self, Write};
use std::path::Path;

/// What the file holds when a server first makes it: how to add a model.
const TEMPLATE: &str = include_str!("models.toml");

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelsFileError {
    /// It cannot be read or made.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It says something impossible.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A model is to be made by something that is not there.
    #[error("model `{slug}`: there is no executor `{executor}`; there is {there}")]
    Executor {
        /// The model.
        slug: String,
        /// What should make it.
        executor: String,
        /// Those that there are.
        there: String,
    },
}

/// The built-in models that the server has an executor for, and those of the file in `data`, which is made where it is missing.
pub(crate) fn load(data: &Path, lines: &Lines) -> Result<Catalogue, ModelsFileError> {
    let path = data.join("models.toml");
    if !path.exists() {
        private::create_new(&path)?.write_all(TEMPLATE.as_bytes())?;
    }
    let made = |entry: &Entry| lines.names().any(|name| name == entry.executor);
    let catalogue = Catalogue::built_in().only(made).with(&std::fs::read_to_string(path)?)?;
    if let Some(entry) = catalogue.iter().find(|entry| !made(entry)) {
        let (slug, executor) = (entry.model.slug.clone(), entry.executor.clone());
        let there = lines.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(ModelsFileError::Executor { slug, executor, there });
    }
    Ok(catalogue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_adds_nothing_until_its_example_is_taken() {
        assert_eq!(Catalogue::built_in().with(TEMPLATE).unwrap(), Catalogue::built_in());
        let example: String = TEMPLATE
            .lines()
            .filter_map(|line| line.strip_prefix("#: "))
            .map(|line| format!("{line}\n"))
            .collect();
        let catalogue = Catalogue::built_in().with(&example).unwrap();
        assert!(catalogue.get("house-style").is_some());
    }
}
