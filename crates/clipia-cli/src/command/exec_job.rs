//! `clipia exec-job`: the keeper of a program that makes a model's outputs. The server calls it.
//!
//! The keeper starts the program in a process group, and waits until it has ended. Then it ends all that the program started,
//! and ends as the program did. A line `terminate` on its stdin asks the group to end. Once its stdin is closed, as when the server
//! was killed, it ends everything at once. Other lines are passed on to the program.
//!
//! On Linux the keeper is the parent of orphans among its descendants, so that it finds processes that left the group. The program
//! itself is started by a second call of this command, which sets its limits and lets it die with the keeper.

use anyhow::Context;
use clap::Args;
use rustix::io::{Errno, ioctl_fionread};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getpid, getppid, getrlimit, kill_process,
    kill_process_group, setrlimit, waitid,
};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The name of this command.
pub(crate) const NAME: &str = "exec-job";

/// The Python package with this program.
const MODULE: &str = "clipia_queue";

/// What the server says when the program should end.
const TERMINATE: &str = "terminate";

/// The exit code if the program cannot be started.
const UNSTARTED: u8 = 127;

/// The bytes that an empty pipe has room for at least: a page.
const PIPE_ROOM: usize = 4_096;

/// How many lines wait for a program that does not read its stdin. The server sends a few for each job.
const LINES_MAX: usize = 64;

/// The most open files of a program. The server has raised its own limit, and a program that closes all numbers up to the limit at
/// its start takes seconds for a million.
const OPEN_FILES_MAX: u64 = 65_536;

/// The pause before the remaining descendants are looked for again.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// How often they are looked for: one that hangs in a call to a dead disk cannot be ended.
const LOOKS_MAX: u32 = 1_000;

/// Runs a program for the server
#[derive(Args)]
pub(crate) struct Options {
    /// The file that the program reads on stdin; without it, the lines that come on stdin
    #[arg(long)]
    stdin: Option<PathBuf>,
    /// The file to write why the program cannot be started
    #[arg(long)]
    unstarted: PathBuf,
    /// Becomes the program, which ends with the process of this number
    #[arg(long, value_name = "KEEPER")]
    becomes: Option<i32>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<String>,
}

/// Becomes the program, or keeps it to its end. Returns the exit code.
pub(crate) fn run(options: &Options) -> u8 {
    let code = match options.becomes {
        Some(keeper) => become_program(options, keeper),
        None => keep(options),
    };
    code.unwrap_or_else(|error| {
        // Without the file the server shows the exit code.
        let _ = std::fs::write(&options.unstarted, format!("{error:#}"));
        UNSTARTED
    })
}

/// Sets what the program must have from its start, and becomes the program.
fn become_program(options: &Options, keeper: i32) -> anyhow::Result<u8> {
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // A keeper that died before that call sends no signal.
        let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
        anyhow::ensure!(parent == Some(keeper), "its keeper has ended");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = keeper;
    limit(Resource::Nofile, OPEN_FILES_MAX)?;
    let (program, arguments) = split(&options.program)?;
    Err(Command::new(program).args(arguments).exec().into())
}

/// Lowers a limit of this process to `most`.
fn limit(resource: Resource, most: u64) -> anyhow::Result<()> {
    let limit = getrlimit(resource);
    let lower = |current: Option<u64>| Some(current.map_or(most, |current| current.min(most)));
    // The size of a file has no limit: it would hold for the weights that a program downloads too. The server measures instead.
    setrlimit(resource, Rlimit { current: lower(limit.current), maximum: limit.maximum })?;
    Ok(())
}

fn split(program: &[String]) -> anyhow::Result<(&String, &[String])> {
    program.split_first().context("there is no program")
}

/// Starts the program, and waits until it and all its descendants have ended.
fn keep(options: &Options) -> anyhow::Result<u8> {
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(getpid())).context("cannot adopt orphans")?;
    limit(Resource::Core, 0)?;
    let mut child = start(options)?;
    let group = Arc::new(Group::of(&child));
    let forwarded = child.stdin.take();
    let listened = Arc::clone(&group);
    std::thread::spawn(move || listen(&listened, forwarded));
    wait(group.pid)?;
    group.end();
    let status = child.wait()?;
    end_descendants();
    if let Some(signal) = status.signal().and_then(Signal::from_named_raw) {
        // The server reads from the keeper how the program ended. The first SIGSEGV only ends the handler that Rust has for it.
        for _ in 0..2 {
            let _ = kill_process(getpid(), signal);
        }
    }
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}

/// The command line of a keeper, as far as the server's own program is concerned.
pub(crate) fn keeper() -> std::io::Result<Vec<String>> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let program = own_program(&arguments)?;
    let mut keeper = vec![program.to_string_lossy().into_owned()];
    if is_interpreter(&program) {
        keeper.extend(["-m", MODULE].map(str::to_owned));
    }
    keeper.push(NAME.to_owned());
    Ok(keeper)
}

/// The program of this process. The path of a Python as it was called leads to its packages; its real path may not.
fn own_program(arguments: &[OsString]) -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    match arguments.first() {
        Some(called) if is_interpreter(&program) => Ok(called.into()),
        _ => Ok(program),
    }
}

fn is_interpreter(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
}

/// Calls this command again, which becomes the program.
fn start(options: &Options) -> anyhow::Result<Child> {
    let arguments: Vec<_> = std::env::args_os().collect();
    // The command line up to the options of the keeper calls this program, also where an interpreter runs it.
    let own =
        arguments.iter().position(|argument| argument == NAME).context("the keeper is called by its name")?;
    let mut command = Command::new(own_program(&arguments)?);
    command.args(arguments.get(1..=own).unwrap_or_default());
    command
        .arg("--becomes")
        .arg(std::process::id().to_string())
        .arg("--unstarted")
        .arg(&options.unstarted)
        .arg("--")
        .args(&options.program);
    command.stdin(match &options.stdin {
        Some(path) => File::open(path)?.into(),
        None => Stdio::piped(),
    });
    command.process_group(0);
    Ok(command.spawn()?)
}

/// Waits until the process `program` has ended, and leaves it to be reaped: its number stays its own. Orphans that end
/// meanwhile are reaped.
fn wait(program: Pid) -> anyhow::Result<()> {
    loop {
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) if has_ended(program)? => return Ok(()),
            Ok(_) => reap(program),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn has_ended(program: Pid) -> anyhow::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(program), options)?.is_some())
}

/// Reaps the children that have ended, but not `program`.
fn reap(program: Pid) {
    for child in children() {
        if child != program {
            // One that still runs is left.
            let _ = waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

/// The group of the program.
struct Group {
    pid: Pid,
    /// Whether the program has ended: from then on its number may be another's.
    ended: Mutex<bool>,
}

impl Group {
    fn of(child: &Child) -> Self {
        Self { pid: Pid::from_child(child), ended: Mutex::new(false) }
    }

    fn signal(&self, signal: Signal) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if !*ended {
            // A group that is gone needs no signal.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Kills what is left of the group.
    fn end(&self) {
        self.signal(Signal::KILL);
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// Does what the server says on stdin, and passes other lines on to the program.
fn listen(group: &Group, program: Option<ChildStdin>) {
    let lines = program.map(Forward::to);
    for line in BufReader::new(std::io::stdin()).split(b'\n') {
        let Ok(line) = line else { break };
        if line == TERMINATE.as_bytes() {
            group.signal(Signal::TERM);
        } else if lines.as_ref().is_some_and(|lines| !lines.pass_on(line)) {
            // It has read nothing for many jobs.
            break;
        }
    }
    group.signal(Signal::KILL);
}

/// Passes lines on to a program. One that does not read must not keep the keeper from its stdin: what its pipe has no room for
/// is written by a thread.
struct Forward {
    program: Arc<ChildStdin>,
    waiting: SyncSender<Vec<u8>>,
    /// How many lines the thread has not written yet.
    unwritten: Arc<AtomicUsize>,
}

impl Forward {
    fn to(program: ChildStdin) -> Self {
        let (program, unwritten) = (Arc::new(program), Arc::new(AtomicUsize::new(0)));
        let (waiting, lines) = sync_channel::<Vec<u8>>(LINES_MAX);
        let (to, written) = (Arc::clone(&program), Arc::clone(&unwritten));
        std::thread::spawn(move || {
            for line in lines {
                if (&*to).write_all(&line).is_err() {
                    return;
                }
                written.fetch_sub(1, Ordering::Release);
            }
        });
        Self { program, waiting, unwritten }
    }

    /// Returns whether there was room for the line.
    fn pass_on(&self, mut line: Vec<u8>) -> bool {
        line.push(b'\n');
        if self.unwritten.load(Ordering::Acquire) == 0 && self.has_room_for(line.len()) {
            // A program that has closed its stdin is told nothing.
            let _ = (&*self.program).write_all(&line);
            return true;
        }
        self.unwritten.fetch_add(1, Ordering::Relaxed);
        !matches!(self.waiting.try_send(line), Err(TrySendError::Full(_)))
    }

    /// Whether so many bytes can be written without a wait: an empty pipe has room for a few.
    fn has_room_for(&self, bytes: usize) -> bool {
        cfg!(target_os = "linux") && bytes <= PIPE_ROOM && ioctl_fionread(&*self.program) == Ok(0)
    }
}

/// Ends the processes that left the group: they are orphans, and so children of the keeper.
fn end_descendants() {
    for _ in 0..LOOKS_MAX {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            // Its number is its own until it is reaped here.
            let _ = kill_process(child, Signal::KILL);
        }
        while let Ok(Some(_)) = waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {}
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// The children of this process.
#[cfg(target_os = "linux")]
fn children() -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().get();
    let is_own = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may have any character. State and parent follow it.
        let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?;
        (parent.parse() == Ok(own)).then_some(pid)
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    numbers.filter_map(is_own).filter_map(Pid::from_raw).collect()
}

/// Elsewhere an orphan is not adopted, and is not found.
#[cfg(not(target_os = "linux"))]
fn children() -> Vec<Pid> {
    Vec::new()
}
