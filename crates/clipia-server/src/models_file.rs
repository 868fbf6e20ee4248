//! The file of the operator's own models: `models.toml` in the data directory.

use crate::private;
use crate::queues::Queues;
use clipia_queue::catalogue::{Catalogue, Entry, Invalid};
use std::io::{self, Write};
use std::path::Path;

/// The content of a new file: an example, commented out.
const TEMPLATE: &str = include_str!("models.toml");

/// Why `models.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelsFileError {
    /// The file cannot be read or created.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The file is not valid TOML, or a model in it is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A model names an executor that the server does not have.
    #[error("model `{slug}`: there is no executor `{executor}`; there is {there}")]
    Executor {
        /// The model.
        slug: String,
        /// The executor that the model names.
        executor: String,
        /// The executors of the server.
        there: String,
    },
}

/// The models that the server offers: the built-in models with an executor, and the models of the file in `data`. A missing
/// file is created.
pub(crate) fn load(data: &Path, queues: &Queues) -> Result<Catalogue, ModelsFileError> {
    let path = data.join("models.toml");
    if !path.exists() {
        private::create_new(&path)?.write_all(TEMPLATE.as_bytes())?;
    }
    let has_executor = |entry: &Entry| queues.names().any(|name| name == entry.executor);
    let catalogue = Catalogue::built_in().only(has_executor).with(&std::fs::read_to_string(path)?)?;
    if let Some(entry) = catalogue.iter().find(|entry| !has_executor(entry)) {
        let (slug, executor) = (entry.model.slug.clone(), entry.executor.clone());
        let there = queues.names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(ModelsFileError::Executor { slug, executor, there });
    }
    Ok(catalogue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_adds_no_model_until_its_example_is_uncommented() {
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
