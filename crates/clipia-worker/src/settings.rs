//! How a program is run.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a program is run as an executor: an `[[executor]]` of `models.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramSettings {
    /// The program and its arguments. `{name}` in an argument is replaced by that input of the job, `{in}`, `{out}` and `{job}` by
    /// the paths of its directories and of its JSON. No shell reads it.
    pub command: Vec<String>,
    /// Whether the program is started once, and gets one job after the other. If not, each job starts it.
    pub warm: bool,
    /// How many jobs run at once, each in a process of its own. At least 1.
    pub slots: usize,
    /// The devices, one a slot, as the value of `CUDA_VISIBLE_DEVICES`. Empty for a program without one.
    pub devices: Vec<String>,
    /// How long a warm program may take until it is ready.
    pub start_max: Duration,
    /// Variables of its environment, beside PATH, HOME, LANG and TMPDIR.
    pub env: BTreeMap<String, String>,
    /// Variables that it gets from the environment of this process. Their values are secret.
    pub env_from: Vec<String>,
    /// The time from SIGTERM to SIGKILL of its process group.
    pub grace: Duration,
    /// The most bytes of all files of one output.
    pub output_bytes_max: u64,
    /// After how many jobs a warm program is started again. None: never.
    pub fresh_after: Option<u64>,
    /// After which time without a job a warm program is stopped. None: never.
    pub idle: Option<Duration>,
}

impl ProgramSettings {
    /// The settings of a program for which nothing but its command is said.
    pub fn new(command: Vec<String>) -> Self {
        Self {
            command,
            warm: false,
            slots: 1,
            devices: Vec::new(),
            start_max: Duration::from_secs(300),
            env: BTreeMap::new(),
            env_from: Vec::new(),
            grace: Duration::from_secs(10),
            output_bytes_max: 2 << 30,
            fresh_after: None,
            idle: None,
        }
    }
}
