//! The rules of an executor's command that need more than its own table: the models that use it, and the machine.

use super::executor::Program;
use super::machine::Machine;
use clipia_queue::catalogue::Entry;
use clipia_queue::mistakes::Notes;
use clipia_queue::suggestion::{did_you_mean, nearest};
use clipia_worker::placeholders;
use std::ops::Range;
use std::path::Path;

/// The placeholders that stand for paths of the job.
const PATHS: [&str; 3] = ["in", "out", "job"];

/// The shells, whose option `-c` takes a text as commands.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "fish"];

/// Notes the placeholders of a command that nothing fills, and those that a shell would read as commands. `users` are the models
/// that the executor makes.
pub(super) fn check_placeholders(executor: &str, program: &Program, users: &[&Entry], notes: &mut Notes<'_>) {
    let parameters = || {
        let schemas = users.iter().filter_map(|user| user.model.input_schema.as_ref());
        schemas.flat_map(|schema| &schema.parameters)
    };
    let mut command_of_shell = false;
    let shell = program.settings.command.first().and_then(|program| Path::new(program).file_name()?.to_str());
    let is_shell = shell.is_some_and(|name| SHELLS.contains(&name));
    for (argument, at) in program.settings.command.iter().zip(&program.arguments) {
        for name in placeholders(argument) {
            if PATHS.contains(&name) {
                continue;
            }
            let Some(parameter) = parameters().find(|parameter| parameter.name == name) else {
                let message = format!(
                    "executor `{executor}`: `{{{name}}}` is neither {{in}}, {{out}} or {{job}} nor a parameter of a model that uses \
                     the executor"
                );
                let known = PATHS.into_iter().chain(parameters().map(|parameter| parameter.name.as_str()));
                notes.mistake(at, message, did_you_mean(nearest(known, name)));
                continue;
            };
            if command_of_shell && parameter.type_ == "string" {
                let message = format!(
                    "executor `{executor}`: a shell would read `{{{name}}}` as commands, whatever a caller puts there"
                );
                let hint = format!(
                    "give it as an argument: [\"{}\", \"-c\", \"… \\\"$1\\\" …\", \"-\", \"{{{name}}}\"]",
                    shell.unwrap_or("sh")
                );
                notes.mistake(at, message, Some(hint));
            }
            check_users(executor, name, at, users, notes);
        }
        // The option may stand with others, as in `-euc`.
        command_of_shell =
            is_shell && argument.starts_with('-') && !argument.starts_with("--") && argument.ends_with('c');
    }
}

/// Notes the models whose input may have no value for the placeholder `name`.
fn check_users(executor: &str, name: &str, at: &Range<usize>, users: &[&Entry], notes: &mut Notes<'_>) {
    for user in users {
        let slug = &user.model.slug;
        let mut parameters = user.model.input_schema.iter().flat_map(|schema| &schema.parameters);
        match parameters.find(|parameter| parameter.name == name) {
            None => {
                let message = format!(
                    "executor `{executor}`: model `{slug}` has no parameter `{name}`, and `{{{name}}}` stays as it is"
                );
                notes.warning(at, message, None);
            }
            Some(parameter) if parameter.required != Some(true) && parameter.default.is_none() => {
                let message = format!(
                    "executor `{executor}`: `{{{name}}}` is empty where an input of model `{slug}` leaves it out"
                );
                let hint = format!("give the parameter `{name}` a default, or make it required");
                notes.warning(at, message, Some(hint));
            }
            Some(_) => {}
        }
    }
}

/// Notes what a command needs of the machine and does not find there. Another machine, or a later moment, may have it: these are
/// warnings.
pub(super) fn check_machine(executor: &str, program: &Program, machine: &dyn Machine, notes: &mut Notes<'_>) {
    let mut arguments = program.settings.command.iter().zip(&program.arguments);
    if let Some((name, at)) = arguments.next() {
        if name.contains('/') && !Path::new(name).is_absolute() {
            let message = format!(
                "executor `{executor}`: `{name}` is a relative path, and each job runs in a directory of its own"
            );
            notes.mistake(at, message, Some("write the whole path, or a name that is on PATH".to_owned()));
        } else if !machine.has_program(name) {
            notes.warning(
                at,
                format!("executor `{executor}`: there is no program `{name}` on this machine"),
                None,
            );
        }
    }
    for (argument, at) in arguments {
        if let Some(path) = machine.relative_file(argument) {
            let message = format!(
                "executor `{executor}`: `{argument}` is a relative path, and each job runs in a directory of its own"
            );
            notes.warning(at, message, Some(format!("write `{}`", path.display())));
        }
    }
    for (name, at) in program.settings.env_from.iter().zip(&program.env_from) {
        if !machine.has_variable(name) {
            let message = format!("executor `{executor}`: the environment has no variable `{name}`");
            notes.warning(at, message, Some("set it before the server starts".to_owned()));
        }
    }
}
