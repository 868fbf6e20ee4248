//! `clipia serve` as a child process.

use super::serving::{Ready, Secrets, first_line};
use super::{DEADLINE, Raw, program, until};
use clipia_tests_postgres::Database;
use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The size of a pipe without a reader, in bytes: small, so that a few lines fill it.
const SMALL_PIPE: usize = 4_096;

/// The options of a server.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Whether webhooks may use http and loopback addresses.
    pub(crate) dev: bool,
    /// Requests a minute of a key; 0 for no limit, for tests that poll often.
    pub(crate) rpm: Option<u32>,
    /// The credits of the first account.
    pub(crate) credits: Option<u64>,
    /// Further arguments of `clipia serve`.
    pub(crate) arguments: Vec<String>,
    /// The destination of its log.
    pub(crate) stderr: Stderr,
    /// The value of `RUST_LOG`, if not the default.
    pub(crate) log: Option<&'static str>,
    /// Further environment variables.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// The `models.toml` of its data directory, if not the commented one.
    pub(crate) models: Option<String>,
    /// Whether the server has the umask 000 and a data directory that everybody can read.
    pub(crate) wide: bool,
}

/// The destination of the log of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stderr {
    /// [`Server::log`].
    Read,
    /// A full disk.
    Full,
    /// A pipe without a reader from when the server is ready until [`Server::read_log`].
    Gone,
    /// A small pipe whose reader reads nothing until [`Server::read_log`].
    Unread,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dev: true,
            rpm: Some(0),
            credits: None,
            arguments: Vec::new(),
            stderr: Stderr::Read,
            log: None,
            environment: Vec::new(),
            models: None,
            wide: false,
        }
    }
}

impl Options {
    /// These options with further arguments.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }
}

/// A running `clipia serve` with its own data directory. Dropping the value kills the server and removes the directory.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) admin_url: String,
    pub(crate) live_key: String,
    pub(crate) test_key: String,
    pub(crate) webhook_secret: String,
    /// The options of the next start.
    pub(crate) options: Options,
    data: TempDir,
    process: Process,
    /// Removed after the process has ended.
    _database: Option<Database>,
}

/// The environment variable by which the tests are told which store their servers have: one in their data directories, or
/// "postgres".
const STORE: &str = "CLIPIA_TEST_STORE";

/// A database with an empty store, for a server of its own, where the tests run on PostgreSQL and it is installed.
fn of_its_own() -> Option<Database> {
    /// The database with an empty store that the others are copies of.
    const TEMPLATE: &str = "template_of_servers";
    static SERVER: LazyLock<Option<&clipia_tests_postgres::Server>> = LazyLock::new(|| {
        let server = clipia_tests_postgres::Server::shared()?;
        server.run(&format!("CREATE DATABASE {TEMPLATE}"));
        let url = server.url(TEMPLATE);
        let made = program::output(&mut program::command(&["migrate", "--database-url", &url]));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(server)
    });
    if std::env::var_os(STORE)? != "postgres" {
        return None;
    }
    SERVER.map(|server| server.database(TEMPLATE))
}

impl Server {
    /// Starts a server on a new data directory.
    pub(crate) fn start(options: Options) -> Self {
        let database = of_its_own();
        let options = match &database {
            Some(database) => options.with(&["--database-url", &database.url()]),
            None => options,
        };
        let (data, process, ready) = Self::start_on_new(&options);
        let Some(secrets) = ready.secrets else {
            panic!("the first start shows no keys");
        };
        let Secrets { live_key, test_key, webhook_secret } = secrets;
        let (url, admin_url) = (ready.url, ready.admin_url);
        Self {
            url,
            admin_url,
            live_key,
            test_key,
            webhook_secret,
            options,
            data,
            process,
            _database: database,
        }
    }

    /// Starts another server on the database of this one, with a new data directory of its own.
    pub(crate) fn join(&self, options: Options) -> Self {
        let (data, process, ready) = Self::start_on_new(&options);
        assert!(ready.secrets.is_none(), "the store has keys");
        Self {
            url: ready.url,
            admin_url: ready.admin_url,
            live_key: self.live_key.clone(),
            test_key: self.test_key.clone(),
            webhook_secret: self.webhook_secret.clone(),
            options,
            data,
            process,
            _database: None,
        }
    }

    fn start_on_new(options: &Options) -> (TempDir, Process, Ready) {
        let data = tempfile::tempdir().unwrap();
        if let Some(models) = &options.models {
            std::fs::write(data.path().join("models.toml"), models).unwrap();
        }
        let (process, ready) = Process::start(options, &data, None);
        (data, process, ready)
    }

    /// Starts again on the same data directory, after [`Server::kill9`] or [`Server::terminate`]. The port is another.
    pub(crate) fn restart(&mut self) {
        self.start_again(None);
    }

    /// Like [`Server::restart`], with a limit on the size of a file.
    pub(crate) fn restart_with_largest_file(&mut self, bytes: u64) {
        self.start_again(Some(bytes));
    }

    fn start_again(&mut self, largest_file: Option<u64>) {
        assert!(self.process.child.try_wait().unwrap().is_some(), "it still runs");
        let (process, ready) = Process::start(&self.options, &self.data, largest_file);
        assert!(ready.secrets.is_none(), "a later start shows the keys again");
        (self.process, self.url, self.admin_url) = (process, ready.url, ready.admin_url);
    }

    /// Kills the process (SIGKILL).
    pub(crate) fn kill9(&mut self) {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
    }

    /// The directory where the server stages media.
    pub(crate) fn staging(&self) -> PathBuf {
        let name = std::fs::read_to_string(self.data().join("node")).unwrap();
        self.data().join("media/.new").join(name)
    }

    /// Asks the process to end (SIGTERM) and waits until it has.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.ask_to_end();
        self.ended()
    }

    /// Asks the process to end (SIGTERM).
    pub(crate) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.child), signal).unwrap();
    }

    /// Waits until the process has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Runs another command of the program, such as `clipia keys list`, on this server's data directory.
    #[track_caller]
    pub(crate) fn administer(&self, arguments: &[&str]) -> Value {
        let mut command = program::command(arguments);
        let output = program::output(command.arg("--data").arg(self.data()));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        if output.stdout.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The result of a live request, once it has ended.
    pub(crate) async fn result(&self, id: &str) -> Value {
        let path = format!("/v1/requests/{id}");
        until("the result", async || {
            let response = self.live().get(&path).await;
            (response.status == 200).then(|| response.json())
        })
        .await
    }

    /// The credits that the first account can spend.
    pub(crate) async fn balance(&self) -> u64 {
        self.live().get("/v1/account").await.expect(200).json()["balance"]["credits"].as_u64().unwrap()
    }

    /// The memory peak of the process, in MiB; 0 if the system does not report it.
    pub(crate) fn memory_peak(&self) -> u64 {
        super::memory_peak(&self.process.child)
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.process.log.lock().unwrap().clone()
    }

    /// Starts to read a log without a reader.
    pub(crate) fn read_log(&mut self) {
        self.process.log = match self.process.unread.take() {
            Some(pipe) => collect(pipe),
            None => collect(File::open(fifo(&self.data)).unwrap()),
        };
    }

    /// A client with the live key.
    pub(crate) fn live(&self) -> Raw {
        Raw::new(&self.url).key(&self.live_key)
    }

    /// A client with the sandbox key.
    pub(crate) fn sandbox(&self) -> Raw {
        Raw::new(&self.url).key(&self.test_key)
    }
}

/// The child process and its log.
struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    unread: Option<ChildStderr>,
}

impl Process {
    fn start(options: &Options, data: &TempDir, largest_file: Option<u64>) -> (Self, Ready) {
        let mut serve = program::command(&["serve", "--listen", "127.0.0.1:0", "--json", "--data"]);
        serve.arg(data.path());
        if options.dev {
            serve.arg("--dev");
        }
        if let Some(rpm) = options.rpm {
            serve.args(["--rpm", &rpm.to_string()]);
        }
        if let Some(credits) = options.credits {
            serve.args(["--credits", &credits.to_string()]);
        }
        // Tests search the log as text. An option `--log-format` overrides this.
        serve.env("CLIPIA_SERVE_LOG_FORMAT", "text");
        if let Some(log) = options.log {
            serve.env("RUST_LOG", log);
        }
        serve.args(&options.arguments).envs(options.environment.iter().cloned());
        if options.wide {
            std::fs::set_permissions(data.path(), PermissionsExt::from_mode(0o755)).unwrap();
            serve = wide(&serve);
        }
        if let Some(bytes) = largest_file {
            serve = program::with_largest_file(&serve, bytes);
        }
        serve.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut reader = None;
        match options.stderr {
            Stderr::Full => drop(serve.stderr(File::options().write(true).open("/dev/full").unwrap())),
            Stderr::Gone => {
                let path = fifo(data);
                assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
                // Opening one end alone would wait for the other, so this file is opened for both.
                reader = Some(File::options().read(true).write(true).open(&path).unwrap());
                serve.stderr(File::options().write(true).open(&path).unwrap());
            }
            Stderr::Read | Stderr::Unread => {}
        }
        let mut child = serve.spawn().unwrap();
        let mut unread = child.stderr.take();
        if options.stderr == Stderr::Unread {
            fcntl_setpipe_size(unread.as_ref().unwrap(), SMALL_PIPE).unwrap();
        }
        let log = match options.stderr {
            Stderr::Read => unread.take().map(collect).unwrap_or_default(),
            Stderr::Full | Stderr::Gone | Stderr::Unread => Arc::default(),
        };
        let line = first_line(child.stdout.take().unwrap());
        let line = line.recv_timeout(DEADLINE).unwrap_or_default();
        drop((reader, serve.stderr(Stdio::null())));
        let mut process = Self { child, log, unread };
        match serde_json::from_str(&line) {
            Ok(ready) => (process, ready),
            Err(error) => {
                // The log explains more than the JSON error.
                thread::sleep(Duration::from_millis(100));
                let end = process.child.try_wait().unwrap();
                panic!("{serve:?} printed {line:?} ({error}); ended: {end:?}");
            }
        }
    }

    fn ended(&mut self) -> ExitStatus {
        let since = Instant::now();
        while since.elapsed() < DEADLINE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it still runs {DEADLINE:?} after it was asked to end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both calls fail if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- stderr of `clipia serve` ---\n{}", self.log.lock().unwrap());
        }
    }
}

/// The same command with the umask 000.
fn wide(command: &Command) -> Command {
    let mut wide = Command::new("sh");
    wide.args(["-c", "umask 000 && exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wide.env(name, value),
            None => wide.env_remove(name),
        };
    }
    wide.stdin(Stdio::null());
    wide
}

/// The path of the pipe of [`Stderr::Gone`].
fn fifo(data: &TempDir) -> PathBuf {
    data.path().join("stderr")
}

fn collect(stderr: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let log = Arc::new(Mutex::new(String::new()));
    let filling = Arc::clone(&log);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = filling.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
    log
}
