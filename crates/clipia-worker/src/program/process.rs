//! A process with all that it starts: its start, its stop, its end.
//!
//! The process leads a group. With a [keeper](super::Program::with_keeper) it is watched by a process of ours, which ends all its
//! descendants with it, also when this process is killed. Without one, a descendant that leaves the group is not found.

use super::environment::Environment;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// The keeper's word for: ask the program to end.
const TERMINATE: &[u8] = b"terminate\n";

/// The exit code of a keeper that could not start the program. The file `unstarted` says why.
const UNSTARTED: i32 = 127;

/// What is started.
pub(super) struct Launch<'l> {
    /// The program and its arguments.
    pub(super) command: Vec<String>,
    pub(super) environment: &'l Environment,
    /// The working directory.
    pub(super) directory: PathBuf,
    pub(super) stdin: Input,
    /// The command of the keeper.
    pub(super) keeper: Option<&'l [String]>,
    /// Where the keeper says why it could not start the program.
    pub(super) unstarted: PathBuf,
}

/// What a program reads on stdin.
pub(super) enum Input {
    /// A file, so that a program that does not read it holds nobody up.
    File(PathBuf),
    /// Lines that come while it runs.
    Lines,
}

/// A running process.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    kept: bool,
    group: Group,
    unstarted: PathBuf,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
}

impl Process {
    /// Starts a process.
    ///
    /// # Errors
    /// If the program, or its keeper, cannot be started.
    pub(super) fn start(launch: Launch<'_>) -> io::Result<Self> {
        let Launch { command, environment, directory, stdin, keeper, unstarted } = launch;
        let mut all: Vec<String> = Vec::new();
        if let Some(keeper) = keeper {
            all.extend_from_slice(keeper);
            all.push("--unstarted".to_owned());
            all.push(unstarted.to_string_lossy().into_owned());
            if let Input::File(path) = &stdin {
                all.push("--stdin".to_owned());
                all.push(path.to_string_lossy().into_owned());
            }
            all.push("--".to_owned());
        }
        all.extend(command);
        let (program, arguments) = all
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no command"))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).env_clear();
        command.envs(environment.variables().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A keeper that is killed would leave the program: it ends all by itself once its stdin is closed.
        command.kill_on_drop(keeper.is_none());
        match (&stdin, keeper) {
            (Input::File(path), None) => command.stdin(std::fs::File::open(path)?),
            // The keeper is told on its stdin what to do, and ends all when it is closed.
            _ => command.stdin(Stdio::piped()),
        };
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn()?;
        let (stdin, group) = (child.stdin.take(), Group::of(&child));
        Ok(Self { child, stdin, kept: keeper.is_some(), group, unstarted })
    }

    /// The streams that it prints to. The first call returns them.
    pub(super) fn streams(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Sends a line to its stdin.
    ///
    /// # Errors
    /// If it reads no more.
    pub(super) async fn send(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        // One write wakes its reader once.
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
        stdin.flush().await
    }

    /// Asks the process and its group to end, by SIGTERM.
    pub(super) async fn terminate(&mut self) {
        if !self.kept {
            self.group.terminate(&mut self.child);
        } else if let Some(stdin) = &mut self.stdin {
            // A keeper that is gone has ended all.
            let _ = stdin.write_all(TERMINATE).await;
            let _ = stdin.flush().await;
        }
    }

    /// Ends the process and its group, by SIGKILL.
    pub(super) fn kill(&mut self) {
        match self.kept {
            true => drop(self.stdin.take()),
            false => self.group.kill(&mut self.child),
        }
    }

    /// Waits until the process has ended, and with it all that it started. Cancel safe.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub(super) async fn wait(&mut self) -> io::Result<Exit> {
        let exit = Exit::of(self.child.wait().await?);
        if !self.kept {
            self.group.end().await;
        }
        Ok(exit)
    }

    /// Why the program could not be started, if the process that ended with `exit` was only its keeper.
    pub(super) fn unstarted(&self, exit: Exit) -> Option<String> {
        let failed = self.kept && exit == Exit::Code(UNSTARTED);
        failed.then(|| std::fs::read_to_string(&self.unstarted).ok()).flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has ended has no group left.
        if self.child.id().is_some() {
            self.kill();
        }
    }
}

impl Exit {
    #[cfg(unix)]
    fn of(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }

    #[cfg(not(unix))]
    fn of(status: ExitStatus) -> Self {
        Self::Code(status.code().unwrap_or_default())
    }

    /// How it ended, in words.
    pub(super) fn words(self) -> String {
        match self {
            Self::Code(code) => format!("it ended with exit code {code}"),
            // What the kernel sends when memory runs out.
            Self::Signal(9) => "it was killed (SIGKILL), as the system does when memory runs out".to_owned(),
            Self::Signal(signal) => format!("it died of {}", signal_name(signal)),
        }
    }
}

/// The names of the signals that programs die of. Their numbers are the same on all systems.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(unix)]
use unix::Group;

#[cfg(unix)]
mod unix {
    use rustix::process::{Pid, Signal, kill_process_group};
    use std::time::Duration;
    use tokio::process::Child;

    /// How often it is looked whether a group is gone.
    const LOOK_INTERVAL: Duration = Duration::from_millis(5);

    /// How often at most: a process that is killed may hang in a call to a dead disk.
    const LOOKS_MAX: u32 = 200;

    /// The group that a process leads.
    pub(super) struct Group(Option<Pid>);

    impl Group {
        pub(super) fn of(child: &Child) -> Self {
            Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
        }

        pub(super) fn terminate(&self, _: &mut Child) {
            self.signal(Signal::TERM);
        }

        pub(super) fn kill(&self, _: &mut Child) {
            self.signal(Signal::KILL);
        }

        /// Kills what is left of the group once its leader has ended, and waits until it is gone.
        pub(super) async fn end(&mut self) {
            let Some(group) = self.0 else {
                return;
            };
            for _ in 0..LOOKS_MAX {
                if kill_process_group(group, Signal::KILL).is_err() {
                    self.0 = None;
                    return;
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            tracing::warn!(group = group.as_raw_nonzero().get(), "processes of a program do not end");
            self.0 = None;
        }

        fn signal(&self, signal: Signal) {
            if let Some(group) = self.0 {
                // A group that is gone needs no signal.
                let _ = kill_process_group(group, signal);
            }
        }
    }
}

#[cfg(not(unix))]
use elsewhere::Group;

#[cfg(not(unix))]
mod elsewhere {
    use tokio::process::Child;

    /// Elsewhere than on Unix only the process itself is ended.
    pub(super) struct Group;

    impl Group {
        pub(super) fn of(_: &Child) -> Self {
            Self
        }

        pub(super) fn terminate(&self, child: &mut Child) {
            self.kill(child);
        }

        pub(super) fn kill(&self, child: &mut Child) {
            // A process that has ended cannot be killed.
            let _ = child.start_kill();
        }

        pub(super) async fn end(&mut self) {}
    }
}
