//! The programs that tests run: `clipia`, the examples, and cargo.

use super::serving::isolated;
use super::{DEADLINE, repository};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;

/// The environment variable that names another program to test, such as a release build. The program needs the feature
/// `failpoints`, as the one built here has it: some tests set its clock.
const PROGRAM: &str = "CLIPIA_TEST_PROGRAM";

/// The program `clipia`, built once in a run of the tests.
///
/// Cargo builds for an integration test only the programs of its own package, and this package has none.
fn clipia() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        if let Some(program) = std::env::var_os(PROGRAM) {
            return program.into();
        }
        let status = cargo()
            .args(["build", "--quiet", "--package", "clipia-cli", "--all-features", "--bin", "clipia"])
            .status();
        assert!(status.expect("cargo runs").success(), "`clipia` does not build");
        let program =
            target_directory().join("debug").join(format!("clipia{}", std::env::consts::EXE_SUFFIX));
        assert!(program.is_file(), "cargo built no {}", program.display());
        program
    })
}

/// An example of the SDK.
pub(crate) fn example(name: &str) -> Command {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        // The build has the features of the workspace's tests: if Cargo has built those, nothing is left to do.
        let status =
            cargo().args(["build", "--quiet", "--workspace", "--all-features", "--examples"]).status();
        assert!(status.expect("cargo runs").success(), "the examples do not build");
    });
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    isolated(&target_directory().join("debug/examples").join(file))
}

/// A command of the program, without the caller's settings.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = isolated(clipia());
    command.args(arguments);
    command
}

/// The same command with a limit on the size of a file. A larger file is an error for the program, not a signal.
pub(crate) fn with_largest_file(command: &Command, bytes: u64) -> Command {
    let mut shell = Command::new("sh");
    let blocks = bytes / 512;
    shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Runs a command to its end, within the deadline: a server that should refuse to start might run for ever.
pub(crate) fn output(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    ended(command, child)
}

/// As [`output`], with a terminal for stdout.
pub(crate) fn output_on_terminal(command: &mut Command) -> Output {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let screen = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.as_bytes())).unwrap();
    let child = command.stdout(screen).stderr(Stdio::piped()).spawn().unwrap();
    // Only the child holds the terminal now, so that reading ends when the child does.
    command.stdout(Stdio::null());
    let reading = thread::spawn(move || {
        let mut shown = Vec::new();
        // A closed terminal is an error on Linux, and the end of the file elsewhere.
        let _ = File::from(terminal).read_to_end(&mut shown);
        String::from_utf8(shown).unwrap().replace("\r\n", "\n")
    });
    let output = ended(command, child);
    Output { stdout: reading.join().unwrap().into_bytes(), ..output }
}

fn ended(command: &Command, child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(DEADLINE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = kill_process(pid, Signal::KILL);
            panic!("{command:?} still runs after {DEADLINE:?}");
        }
    }
}

/// Cargo, in this checkout.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository()).arg("--locked");
    // The target directory is that of this test, whatever the environment says.
    cargo.env("CARGO_TARGET_DIR", target_directory());
    // What Cargo says of the package of this test: build scripts depend on it, so that half of the workspace would be built anew.
    let said = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(said) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The target directory. This test is in `<target>/<profile>/deps/`.
fn target_directory() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).expect("cargo puts tests three levels below its target directory").to_path_buf()
}
