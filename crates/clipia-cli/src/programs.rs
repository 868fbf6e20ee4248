//! The server of this program: it brings the built-in model, and runs the programs of `models.toml`.

#[cfg(unix)]
use crate::command::exec_job;
use clipia_server::executors::{Executor, Inputs, ProgramSettings};
use clipia_server::{Builder, Config, Programs, Service};
use clipia_worker::Program;
use std::path::PathBuf;
use std::sync::Arc;

/// A server that brings everything that `models.toml` may name.
pub(crate) fn server(config: Config) -> Builder {
    Service::builder(config).render().programs(Arc::new(LocalPrograms))
}

/// Programs on this machine.
struct LocalPrograms;

impl Programs for LocalPrograms {
    fn executor(
        &self,
        name: &str,
        settings: ProgramSettings,
        inputs: Arc<dyn Inputs>,
        directory: PathBuf,
    ) -> Arc<dyn Executor> {
        Arc::new(with_keeper(Program::new(name, settings, inputs, directory)))
    }
}

/// Lets this program watch what `program` starts.
pub(crate) fn with_keeper(program: Program) -> Program {
    #[cfg(unix)]
    let program = match exec_job::keeper() {
        Ok(keeper) => program.with_keeper(keeper),
        Err(error) => {
            tracing::warn!(%error, "this program does not find itself: programs that it starts may outlive it");
            program
        }
    };
    program
}
