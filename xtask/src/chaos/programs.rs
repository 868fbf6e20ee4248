//! The programs behind the server that is killed, and the kills of programs.

use super::books::Books;
use anyhow::Result;
use rand::Rng;
use rand::seq::IndexedRandom;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The models that programs make.
pub(super) const MODELS: [&str; 3] = ["program", "warm-program", REMOTE_MODEL];

/// The model that workers on other machines make, and the name of its executor.
pub(super) const REMOTE_MODEL: &str = "remote-program";

/// The longest life of a program whose server or worker was killed.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// The pause between two looks for programs.
const LOOK: Duration = Duration::from_millis(20);

/// A program that takes 0 to 90 ms for a job.
pub(super) const PROGRAM: &str = r#"sleep 0.0$(($$ % 10)); echo made > "$CLIPIA_OUT/made.txt""#;

/// The same as a warm program. A shell has no JSON: the paths are taken from the line by their names.
pub(super) const WARM_PROGRAM: &str = r#"
path() { printf %s "$line" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
echo '{"ready": true, "protocol": 1}' >> "$CLIPIA_EVENTS"
while read -r line; do
    case "$line" in *'"events":'*) ;; *) continue ;; esac
    sleep 0.0$(($$ % 10))
    echo made > "$(path out)/made.txt"
    echo '{"done": true}' >> "$(path events)"
done
"#;

/// The programs of the servers of a run, or of a worker. They are known by a variable of their environment.
#[derive(Clone)]
pub(super) struct Programs {
    mark: String,
}

impl Programs {
    pub(super) fn new() -> Self {
        Self { mark: format!("CHAOS={:032x}", rand::random::<u128>()) }
    }

    /// The variable of their environment, with its value.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Writes the models to the data directory `data`, which need not exist.
    pub(super) fn write_models(&self, data: &Path) -> Result<()> {
        std::fs::create_dir_all(data)?;
        let mark = self.mark.trim_start_matches("CHAOS=");
        let models = MODELS.into_iter().zip([Some(PROGRAM), Some(WARM_PROGRAM), None]).map(|(name, script)| {
            let program = script.map(|script| {
                let warm = script == WARM_PROGRAM;
                format!(
                    "command = ['sh', '-c', '''{script}''']\nwarm = {warm}\nslots = 2\ngrace_seconds = 1\n\
                     env = {{ CHAOS = '{mark}' }}\n"
                )
            });
            let program = program.unwrap_or_default();
            format!(
                "[[executor]]\nname = '{name}'\n{program}\n\
                 [[model]]\nexecutor = '{name}'\nslug = '{name}'\ntype = 'image'\npricing = {{ credits = 3 }}\n\
                 input_schema = {{ parameters = [{{ name = 'prompt', type = 'string', required = true }}] }}\n\n"
            )
        });
        Ok(std::fs::write(data.join("models.toml"), models.collect::<String>())?)
    }

    /// Kills one of the programs that run, or of the processes that they have started. Returns whether one ran.
    pub(super) fn kill_one(&self, random: &mut impl Rng) -> bool {
        // A process may have ended by itself since it was seen.
        let pid = self.running().choose(random).and_then(|pid| Pid::from_raw(*pid));
        pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
    }

    /// Waits until no program runs: the process that started them, a server or a worker, was killed. Records a violation if one goes
    /// on.
    pub(super) async fn are_gone(&self, books: &Books, of: &str) {
        let start = Instant::now();
        loop {
            let running = self.running();
            if running.is_empty() {
                return;
            }
            if start.elapsed() > GONE_WITHIN {
                books.violation(format!("the processes {running:?} outlive their {of}"));
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The processes of the programs. Elsewhere than on Linux nothing is found.
    fn running(&self) -> Vec<i32> {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let number = |process: PathBuf| process.file_name()?.to_str()?.parse().ok();
        let is_program = |process: &PathBuf| {
            // A process that has ended, and whose parent has not looked, has no environment.
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == self.mark.as_bytes())
        };
        processes.map(|entry| entry.path()).filter(is_program).filter_map(number).collect()
    }
}
