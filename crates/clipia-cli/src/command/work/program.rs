//! The program of a worker, as the command line says it: the options are the keys of an `[[executor]]`.

use crate::exit::Usage;
use clap::Args;
use clipia_worker::{ProgramSettings, size};
use std::time::Duration;

/// The variable that `--devices` sets.
const DEVICES_VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// The beginning of the variables that the contract of a job sets.
const CONTRACT_VARIABLES: &str = "CLIPIA_";

/// The heading of the options in the help.
const PROGRAM: &str = "Program";

/// How the program is run.
#[derive(Args)]
#[command(next_help_heading = PROGRAM)]
pub(super) struct ProgramOptions {
    /// How many jobs run at once; by default one, or one a device
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    slots: Option<u32>,
    /// The devices, one slot each: the values of CUDA_VISIBLE_DEVICES
    #[arg(long, value_name = "DEVICES", value_delimiter = ',')]
    devices: Vec<String>,
    /// Starts the program once; it gets one job after the other
    #[arg(long)]
    warm: bool,
    /// How long a warm program may take until it is ready, in seconds; default 300
    #[arg(long, value_name = "N", requires = "warm", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    start_seconds_max: Option<u64>,
    /// After how many jobs a warm program is started again
    #[arg(long, value_name = "N", requires = "warm", value_parser = clap::value_parser!(u64).range(1..))]
    fresh_after: Option<u64>,
    /// After how many seconds without a job a warm program is stopped
    #[arg(long, value_name = "N", requires = "warm", value_parser = clap::value_parser!(u64).range(1..=2_592_000))]
    idle_seconds: Option<u64>,
    /// How long the program may take to end when it is asked to, in seconds; default 10
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=3_600))]
    grace_seconds: Option<u64>,
    /// The most bytes of all files of one output, as `500MB`; default 2GiB
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    output_bytes_max: Option<u64>,
    /// A variable for the program, beside PATH, HOME, LANG and TMPDIR
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// A variable that the program gets from the environment; its value is hidden in log lines
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = name)]
    env_from: Vec<String>,
    /// The program and its arguments; `{prompt}`, `{in}`, `{out}` and `{job}` are filled in, and no shell reads them
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn bytes(text: &str) -> Result<u64, String> {
    let bytes = size::bytes(text).filter(|bytes| (1..=1 << 40).contains(bytes));
    bytes.ok_or_else(|| "write a number of bytes or a size such as 2GiB, at most 1 TiB".to_owned())
}

fn name(name: &str) -> Result<String, String> {
    let is_spelled = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match name {
        _ if !is_spelled => Err("it cannot be the name of a variable".to_owned()),
        name if name.starts_with(CONTRACT_VARIABLES) => {
            Err("variables that begin with `CLIPIA_` are the worker's".to_owned())
        }
        name => Ok(name.to_owned()),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (variable, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name(variable)?, value.to_owned()))
}

impl ProgramOptions {
    /// The settings of the program.
    ///
    /// # Errors
    /// [`Usage`] for options that do not go together.
    pub(super) fn settings(&self) -> Result<ProgramSettings, Usage> {
        let mut settings = ProgramSettings::new(self.command.clone());
        settings.warm = self.warm;
        settings.devices.clone_from(&self.devices);
        settings.slots = self.slot_count()?;
        settings.env = self.env.iter().cloned().collect();
        settings.env_from.clone_from(&self.env_from);
        let is_set = |name: &str| self.env.iter().any(|(variable, _)| variable == name);
        if !self.devices.is_empty() && is_set(DEVICES_VARIABLE) {
            return Err(Usage::new(format!("`--devices` sets `{DEVICES_VARIABLE}` already")));
        }
        if let Some(twice) = self.env_from.iter().find(|name| is_set(name)) {
            return Err(Usage::new(format!("`{twice}` stands in both `--env` and `--env-from`")));
        }
        if let Some(missing) = self.env_from.iter().find(|name| std::env::var_os(name).is_none()) {
            return Err(Usage::new(format!("the environment has no `{missing}`, which `--env-from` names")));
        }
        if let Some(seconds) = self.start_seconds_max {
            settings.start_max = Duration::from_secs(seconds);
        }
        if let Some(seconds) = self.grace_seconds {
            settings.grace = Duration::from_secs(seconds);
        }
        if let Some(bytes) = self.output_bytes_max {
            settings.output_bytes_max = bytes;
        }
        settings.fresh_after = self.fresh_after;
        settings.idle = self.idle_seconds.map(Duration::from_secs);
        Ok(settings)
    }

    /// How many jobs run at once: as many as there are devices, or what the option says.
    fn slot_count(&self) -> Result<usize, Usage> {
        let slots = self.slots.and_then(|slots| usize::try_from(slots).ok());
        match (slots, self.devices.len()) {
            (None, devices) => Ok(devices.max(1)),
            (Some(slots), 0) => Ok(slots),
            (Some(slots), devices) if slots == devices => Ok(slots),
            (Some(slots), devices) => Err(Usage::new(format!(
                "`--slots` is {slots} and there are {devices} devices: each slot has a device of its own; leave `--slots` out, \
                 and name a device twice for two slots on it"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

    fn settings(line: &str) -> Result<ProgramSettings, String> {
        let command = ProgramOptions::augment_args(Command::new("work"));
        let matches = command.try_get_matches_from(line.split(' ')).map_err(|error| error.to_string())?;
        let options = ProgramOptions::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        options.settings().map_err(|error| error.to_string())
    }

    #[test]
    fn the_options_are_the_keys_of_an_executor() {
        let line = "work --warm --devices 0,1 --start-seconds-max 60 --fresh-after 50 --idle-seconds 600 --grace-seconds 3 \
                    --output-bytes-max 5MB --env HF_HOME=/models --env-from PATH -- python flux.py --steps 4";
        let settings = settings(line).unwrap();
        let command = ["python", "flux.py", "--steps", "4"].map(str::to_owned).to_vec();
        let expected = ProgramSettings {
            warm: true,
            slots: 2,
            devices: ["0", "1"].map(str::to_owned).to_vec(),
            start_max: Duration::from_secs(60),
            fresh_after: Some(50),
            idle: Some(Duration::from_secs(600)),
            grace: Duration::from_secs(3),
            output_bytes_max: 5_000_000,
            env: [("HF_HOME".to_owned(), "/models".to_owned())].into(),
            env_from: vec!["PATH".to_owned()],
            ..ProgramSettings::new(command)
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for (line, why) in [
            ("work --slots 3 --devices 0,1 -- a", "each slot has a device"),
            ("work --env PATH=/ --env-from PATH -- a", "stands in both"),
            ("work --devices 0 --env CUDA_VISIBLE_DEVICES=1 -- a", "already"),
            ("work --env-from NO_SUCH_VARIABLE_ANYWHERE -- a", "has no `NO_SUCH"),
            ("work --env-from CLIPIA_WORKER_TOKEN -- a", "are the worker's"),
            ("work --fresh-after 3 -- a", "--warm"),
            ("work --output-bytes-max much -- a", "a size such as"),
            ("work --slots 0 -- a", "0 is not in 1..=256"),
            ("work", "required"),
        ] {
            let refused = settings(line).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
    }
}
