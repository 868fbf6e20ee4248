//! The file of the operator's own models and executors: `models.toml` in the data directory.

mod command;
mod executor;
mod machine;

use crate::private;
use clipia_queue::catalogue::{self, Catalogue, Entry, Fault};
use clipia_queue::mistakes::{Mistake, Mistakes, Notes};
use clipia_queue::position::Order;
use clipia_queue::suggestion::{did_you_mean, nearest};
use clipia_worker::ProgramSettings;
use executor::{Declared, Maker};
use machine::{Machine, ThisMachine};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::DeTable;

/// The content of a new file: examples, commented out.
const TEMPLATE: &str = include_str!("models.toml");

/// The key of the executors, each an `[[executor]]`.
const EXECUTOR: &str = "executor";

/// Why `models.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelsFileError {
    /// The file cannot be read or created.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The file has mistakes.
    #[error(transparent)]
    Invalid(#[from] Mistakes),
}

/// What a server would serve with a `models.toml`, and what is wrong with the file.
#[derive(Clone, Debug)]
pub struct ModelsFile {
    /// The models: those of the file, and the built-in ones that have an executor.
    pub catalogue: Catalogue,
    /// The executors by name: those of the file, and those that the server brings.
    pub executors: BTreeMap<String, ExecutorSettings>,
    /// The mistakes. A server does not start with one.
    pub mistakes: Vec<Mistake>,
    /// What a server starts with, and what is most likely not meant.
    pub warnings: Vec<Mistake>,
}

/// How an executor runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorSettings {
    /// How many jobs run at once on this server: 0 for an executor that workers on other machines alone make.
    pub slots: usize,
    /// The order of its queue; none where the file leaves it to the server.
    pub order: Option<Order>,
    /// The program; none for an executor that the server brings, and for one that workers on other machines alone make.
    pub program: Option<ProgramSettings>,
    /// The most bytes of all files of one output.
    pub output_bytes_max: u64,
}

/// The most bytes of all files of one output, unless the file says otherwise.
fn output_bytes_max() -> u64 {
    ProgramSettings::new(Vec::new()).output_bytes_max
}

/// What a server brings, whatever the file says.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    /// Its executors, each with its number of slots.
    pub(crate) executors: BTreeMap<String, usize>,
    /// Whether it runs programs.
    pub(crate) runs_programs: bool,
}

impl ModelsFile {
    /// The name of the file in a data directory.
    pub const NAME: &str = "models.toml";

    /// Reads the file in `data`. A missing file is created.
    ///
    /// # Errors
    /// [`ModelsFileError`], also if the file has mistakes.
    pub(crate) fn load(data: &Path, brought: &Brought) -> Result<Self, ModelsFileError> {
        let path = data.join(Self::NAME);
        if !path.exists() {
            private::create_new(&path)?.write_all(TEMPLATE.as_bytes())?;
        }
        let file = Self::read(&path, brought)?;
        match file.mistakes.is_empty() {
            true => Ok(file),
            false => Err(Mistakes(file.mistakes).into()),
        }
    }

    /// Reads the file at `path`, whatever mistakes it has.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(path: &Path, brought: &Brought) -> io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        Ok(Self::parse(&text, brought, &ThisMachine { directory }))
    }

    fn parse(text: &str, brought: &Brought, machine: &dyn Machine) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut notes = Notes::new(text);
        for error in &errors {
            notes.mistake(
                &error.span().unwrap_or_default(),
                format!("this is not TOML: {}", error.message()),
                None,
            );
        }
        let table = document.into_inner();
        // What is read of a file that is not TOML would be wrong for no fault of its own.
        let mut file = match errors.is_empty() {
            true => Reader { table: &table, brought, machine, notes: &mut notes }.read(),
            false => Self::nothing(),
        };
        file.mistakes = notes.mistakes;
        file.warnings = notes.warnings;
        file.mistakes.sort_by_key(|mistake| mistake.line);
        file.warnings.sort_by_key(|warning| warning.line);
        file
    }

    fn nothing() -> Self {
        let catalogue = Catalogue::built_in().only(|_| false);
        Self { catalogue, executors: BTreeMap::new(), mistakes: Vec::new(), warnings: Vec::new() }
    }
}

/// The reader of a file that is TOML.
struct Reader<'r, 't, 'd> {
    table: &'r DeTable<'d>,
    brought: &'r Brought,
    machine: &'r dyn Machine,
    notes: &'r mut Notes<'t>,
}

impl Reader<'_, '_, '_> {
    fn read(mut self) -> ModelsFile {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            let known = [Catalogue::KEY, EXECUTOR];
            if !known.contains(&name) {
                let hint = did_you_mean(nearest(known, name));
                let message = format!("`{name}` is neither `[[model]]` nor `[[executor]]`");
                self.notes.mistake(&key.span(), message, hint);
            }
        }
        let list = self.table.get(EXECUTOR);
        let declared = list.map(|list| executor::executors(list, self.notes)).unwrap_or_default();
        let executors = self.executors(&declared);
        let list = self.table.get(Catalogue::KEY);
        let (entries, faults) = list.map(catalogue::models).unwrap_or_default();
        for Fault { slug, sentence, meant, at } in &faults {
            self.notes.mistake(at, format!("model `{slug}`: {sentence}"), did_you_mean(*meant));
        }
        for (entry, at) in &entries {
            self.check_executor(entry, at, &executors);
        }
        let catalogue = Catalogue::built_in()
            .only(|entry| executors.contains_key(&entry.executor))
            .and(entries.into_iter().map(|(entry, _)| entry));
        for executor in &declared {
            self.check(executor, &catalogue, faults.is_empty());
        }
        ModelsFile { catalogue, executors, mistakes: Vec::new(), warnings: Vec::new() }
    }

    /// The executors of the server: what it brings, as the file configures it, the programs of the file, and those that workers
    /// elsewhere make.
    fn executors(&mut self, declared: &[Declared]) -> BTreeMap<String, ExecutorSettings> {
        let brought = self.brought.executors.iter();
        let mut executors: BTreeMap<_, _> = brought
            .map(|(name, slots)| {
                let output_bytes_max = output_bytes_max();
                let settings =
                    ExecutorSettings { slots: *slots, order: None, program: None, output_bytes_max };
                (name.clone(), settings)
            })
            .collect();
        for Declared { name, at, slots, slots_at, output_bytes_max, order, maker } in declared {
            let usual = executors.get(name).map_or(1, |executor| executor.slots);
            let mut slots = slots.unwrap_or(usual);
            let program = match maker {
                Maker::Program(program) => {
                    if !self.brought.runs_programs {
                        let message = format!("executor `{name}`: this server runs no programs");
                        self.notes.mistake(at, message, None);
                    }
                    Some(program.settings.clone())
                }
                Maker::Server if !executors.contains_key(name) => {
                    self.check_elsewhere(name, at, slots_at.as_ref());
                    slots = 0;
                    None
                }
                Maker::Server | Maker::Unclear => None,
            };
            let output_bytes_max = output_bytes_max.unwrap_or_else(self::output_bytes_max);
            let settings = ExecutorSettings { slots, order: *order, program, output_bytes_max };
            executors.insert(name.clone(), settings);
        }
        executors
    }

    /// Checks an executor that workers elsewhere make.
    fn check_elsewhere(&mut self, name: &str, at: &Range<usize>, slots: Option<&Range<usize>>) {
        if let Some(slots) = slots {
            let message =
                format!("executor `{name}`: `slots` has a meaning only beside a `command`, which is missing");
            let hint = format!(
                "add a `command`, or take it away: `clipia work --executor {name} --slots N` says it"
            );
            self.notes.mistake(slots, message, Some(hint));
        }
        let known = self.brought.executors.keys().map(String::as_str);
        if let Some(meant) = nearest(known, name) {
            let message = format!(
                "executor `{name}`: it has no `command`, so that it waits for `clipia work --executor {name}`"
            );
            self.notes.warning(at, message, did_you_mean(Some(meant)));
        }
    }

    /// Notes a model whose executor is not there. `at` has the bytes of the model.
    fn check_executor(
        &mut self,
        entry: &Entry,
        at: &Range<usize>,
        executors: &BTreeMap<String, ExecutorSettings>,
    ) {
        if executors.contains_key(&entry.executor) {
            return;
        }
        let models = self.table.get(Catalogue::KEY).and_then(|list| list.get_ref().as_array());
        let model = models.and_then(|models| models.iter().find(|model| model.span() == *at));
        let named =
            model.and_then(|model| model.get_ref().get(EXECUTOR)).map_or_else(|| at.clone(), Spanned::span);
        let message = format!("model `{}`: there is no executor `{}`", entry.model.slug, entry.executor);
        let names = || executors.keys().map(String::as_str);
        let hint = did_you_mean(nearest(names(), &entry.executor)).or_else(|| {
            let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            (!names.is_empty()).then(|| format!("there is {}", names.join(", ")))
        });
        self.notes.mistake(&named, message, hint);
    }

    /// Checks an executor of the file beside the models that use it, and the machine. Without all models it is not known what
    /// uses it.
    fn check(&mut self, executor: &Declared, catalogue: &Catalogue, has_all_models: bool) {
        let users: Vec<&Entry> = catalogue.iter().filter(|entry| entry.executor == executor.name).collect();
        if has_all_models && users.is_empty() {
            let message = format!("executor `{}`: no model uses it", executor.name);
            let hint = format!("name it in a model: `executor = \"{}\"`", executor.name);
            self.notes.warning(&executor.at, message, Some(hint));
        }
        let Maker::Program(program) = &executor.maker else { return };
        if has_all_models && !users.is_empty() {
            command::check_placeholders(&executor.name, program, &users, self.notes);
        }
        command::check_machine(&executor.name, program, self.machine, self.notes);
    }
}

#[cfg(test)]
mod tests;
