//! `clipia work`: makes outputs for a server on another machine.

mod about;
mod directory;
mod program;

use crate::arguments::not_of_this_command;
use crate::connection::Http;
use crate::duration::duration;
use crate::exit::{Hint, NoWork, Usage};
use crate::log;
use crate::programs::with_keeper;
use crate::signals::Signals;
use anyhow::Context;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clipia_server::LogFormat;
use clipia_worker::Program;
use clipia_worker::remote::{HttpLine, Over, Settings, server_url};
use clipia_worker::work::{Pause, Preparation, Workers};
use directory::JobsDirectory;
use program::ProgramOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The variable with the worker's token.
const TOKEN: &str = "CLIPIA_WORKER_TOKEN";

/// The longest file of a token, in bytes: a longer one is another file.
const TOKEN_BYTES_MAX: u64 = 4 * 1024;

/// How long the end waits until requests that no worker has begun were given back.
const GIVING_BACK_MAX: Duration = Duration::from_secs(15);

/// Makes outputs for a server on another machine, with a program on this one
#[derive(Args)]
#[command(
    arg = not_of_this_command("key", "key", "a worker has a token, from `--token-file` or CLIPIA_WORKER_TOKEN"),
    arg = not_of_this_command("base_url", "base-url", "the server of a worker is named by `--server`"),
    after_help = "\
The token comes from `--token-file` or from the variable CLIPIA_WORKER_TOKEN. On the server, `clipia workers create` prints it.

The first SIGTERM or Ctrl-C lets what runs end, and claims nothing more. The second one gives the requests back: another worker makes \
them, and no attempt is spent.

Examples:
  clipia work --server https://queue.example --executor gpu --token-file token -- sd-cli -p {prompt} -o {out}/image.png
  clipia work --server https://queue.example --executor gpu --token-file token --warm --devices 0,1 -- python /opt/flux.py
  clipia work --server https://queue.example --executor gpu --token-file token --idle-exit 10m --max-jobs 50 -- /opt/model"
)]
pub(crate) struct Options {
    /// The server's URL
    #[arg(long, value_name = "URL")]
    server: String,
    /// The executor that this worker is, as `models.toml` of the server names it
    #[arg(long, value_name = "NAME")]
    executor: String,
    /// The file with the worker's token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Ends after one request; with `--idle-exit`, exit code 5 says that none came
    #[arg(long, conflicts_with = "max_jobs")]
    once: bool,
    /// Ends after so many requests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_jobs: Option<u64>,
    /// Ends once no request has come for so long, as `10m`; a program that loads is not idle
    #[arg(long, value_name = "TIME", value_parser = duration)]
    idle_exit: Option<Duration>,
    /// The log on stderr: text, json, or auto, which is text on a terminal and JSON elsewhere
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = log_format())]
    log_format: LogFormat,
    #[command(flatten)]
    program: ProgramOptions,
    #[command(flatten)]
    http: Http,
}

fn log_format() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(["auto", "text", "json"]).map(|word| match word.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        _ => LogFormat::Auto,
    })
}

impl Options {
    /// How many requests are claimed at most.
    fn jobs_max(&self) -> Option<usize> {
        let most = if self.once { Some(1) } else { self.max_jobs };
        most.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let server = server_url(&options.server, options.http.is_allowed());
    let server = server.map_err(|error| Usage::new(error.to_string()))?;
    let token = token(options.token_file.as_deref())?;
    let program = options.program.settings()?;
    log::start(options.log_format)?;
    // The handlers are set before the first claim, so that no signal is lost.
    let mut signals = Signals::new()?;
    let about = about::about(program.slots).await;
    let directory = JobsDirectory::new().context("making a directory for the jobs")?;
    let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
    let settings = Settings { server: server.clone(), token, executor: options.executor.clone(), about };
    let line = HttpLine::start(settings, drain.clone(), stop.clone())?;
    let slots = program.slots;
    let executor = with_keeper(Program::new(&options.executor, program, line.inputs(), directory.path()));
    let pause = Pause::new(&options.executor, Default::default());
    let workers =
        Workers::new(Arc::clone(&line) as _, Arc::new(executor), slots, pause, Preparation::default());
    let workers = Arc::new(match options.jobs_max() {
        Some(most) => workers.claim_at_most(most),
        None => workers,
    });
    tracing::info!(server, executor = options.executor, slots, "the worker claims requests");
    let session = Session { line, workers, drain, stop };
    let ended = session.work(&mut signals, &options).await;
    // The program has ended before its directory goes.
    drop(session);
    drop(directory);
    ended
}

/// A session under way.
struct Session {
    line: Arc<HttpLine>,
    workers: Arc<Workers>,
    drain: CancellationToken,
    stop: CancellationToken,
}

impl Session {
    /// Works until there is a reason to end, and then lets what runs end.
    async fn work(&self, signals: &mut Signals, options: &Options) -> anyhow::Result<()> {
        let mut running = tokio::spawn(Arc::clone(&self.workers).run(self.drain.clone(), self.stop.clone()));
        let idle = async {
            match options.idle_exit {
                Some(time) => {
                    self.line.ready().await;
                    self.workers.idle_for(time).await;
                }
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ran = &mut running => {
                self.end_line().await;
                return ran.context("the workers ended");
            }
            over = self.line.over() => Err(refused(over)),
            () = idle => match (options.once, self.workers.activity().borrow().claimed) {
                (true, 0) => Err(NoWork.into()),
                _ => {
                    tracing::info!("no request came for a while: the worker ends");
                    Ok(())
                }
            },
            () = signals.next() => Ok(()),
        };
        self.drain.cancel();
        let under_way = self.workers.activity().borrow().under_way;
        if under_way > 0 {
            tracing::info!(
                under_way,
                "the worker claims nothing more and waits for what runs; a second signal gives it back"
            );
        }
        let since = Instant::now();
        tokio::select! {
            ran = &mut running => ran.context("the workers ended")?,
            () = signals.next() => {
                tracing::warn!(waited_seconds = since.elapsed().as_secs(), "the worker gives back what runs");
                self.stop.cancel();
                tokio::select! {
                    ran = &mut running => ran.context("the workers ended")?,
                    () = signals.next() => anyhow::bail!(
                        "stopped before the requests were given back; the server queues them again once their leases have expired"
                    ),
                }
            }
        }
        self.end_line().await;
        ended
    }

    /// Ends the line: what was claimed and not begun is given back.
    async fn end_line(&self) {
        self.drain.cancel();
        let _ = tokio::time::timeout(GIVING_BACK_MAX, self.line.all_claims_given()).await;
    }
}

/// The error of a session that the server lets claim nothing more.
fn refused(over: Over) -> anyhow::Error {
    let hint = match &over {
        Over::Token(_) => "on the server, `clipia workers create` prints a new token",
        Over::Executor { .. } => {
            "on the server, `clipia workers list` shows what the worker may be, and `clipia models check` which executors there are"
        }
        Over::Refused(_) => "is the server of another version than this program?",
    };
    anyhow::Error::new(over).context(Hint::new(hint))
}

/// The worker's token. It is never an argument: other users of the machine see those.
fn token(file: Option<&Path>) -> anyhow::Result<String> {
    let token = match file {
        Some(path) => read_token(path).with_context(|| format!("reading `{}`", path.display()))?,
        None => std::env::var(TOKEN).unwrap_or_default(),
    };
    match token.trim() {
        "" => Err(Usage::new("there is no token for this worker".to_owned()))
            .context(Hint::new(format!("name its file with `--token-file`, or set {TOKEN}"))),
        token => Ok(token.to_owned()),
    }
}

fn read_token(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut token = String::new();
    std::fs::File::open(path)?.take(TOKEN_BYTES_MAX).read_to_string(&mut token)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        for text in ["", "10", "0s", "-5s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
