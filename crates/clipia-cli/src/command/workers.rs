//! `clipia workers`.

use crate::arguments::Server;
use crate::output::{ago, facts, table};
use clap::{Args, Subcommand};
use clipia_admin::types::{WorkerListing, WorkerOrder, WorkerSession};
use jiff::Timestamp;

/// Creates, lists, quiets and revokes the workers on other machines that work for a server on this machine
#[derive(Args)]
#[command(after_help = "\
Examples:
  clipia workers create gpu-1 --executors gpu
  clipia workers list")]
pub(crate) struct Options {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Creates a worker and prints its token; it is not shown again
    Create {
        /// The worker's name, of letters, digits, `-`, `_` and `.`
        name: String,
        /// The executors that it may be, as `clipia queues list` shows them
        #[arg(long, value_delimiter = ',', required = true, value_name = "EXECUTOR")]
        executors: Vec<String>,
    },
    /// Lists the workers and the machines that work with their tokens
    List,
    /// Has a worker claim nothing more, also over restarts; what it runs it completes
    Quiet {
        /// The worker's name, as `clipia workers list` shows it
        name: String,
    },
    /// Has a quiet worker claim again
    Resume {
        /// The worker's name, as `clipia workers list` shows it
        name: String,
    },
    /// Revokes a worker at once; what it runs is queued again
    Revoke {
        /// The worker's name, as `clipia workers list` shows it
        name: String,
    },
}

pub(crate) async fn run(Options { server, action }: Options) -> anyhow::Result<()> {
    let administration = server.administration()?;
    match action {
        Action::Create { name, executors } => {
            let order = WorkerOrder { name, executors };
            server.print(&administration.create_worker(&order).await?, |made| {
                let facts = facts([
                    ("name", made.name.clone()),
                    ("executors", made.executors.join(",")),
                    ("token", made.token.reveal().to_owned()),
                ]);
                let executor = made.executors.first().map_or("NAME", String::as_str);
                format!(
                    "{facts}\nThe token is not shown again: keep it in a file on the worker's machine, and run there\n\n  \
                     clipia work --server URL --token-file FILE --executor {executor} -- PROGRAM\n"
                )
            })
        }
        Action::List => {
            let now = Timestamp::now();
            server.print(&administration.list_workers().await?, |workers| {
                table(
                    ["NAME", "EXECUTORS", "HOST", "GPU", "SLOTS", "RUNNING", "LAST WORD", "STATE"],
                    workers.0.iter().flat_map(|worker| rows(worker, now)),
                )
            })
        }
        Action::Quiet { name } => server.print(&administration.quiet_worker(&name).await?, |worker| {
            let running = running(worker);
            format!("{} is quiet: it claims nothing more, and {running} requests still run\n", worker.name)
        }),
        Action::Resume { name } => server.print(&administration.resume_worker(&name).await?, |worker| {
            format!("{} claims again\n", worker.name)
        }),
        Action::Revoke { name } => server.print(&administration.revoke_worker(&name).await?, |revoked| {
            format!("revoked {}: {} requests were taken back\n", revoked.name, revoked.taken_back)
        }),
    }
}

/// How many requests the sessions of a worker have.
fn running(worker: &WorkerListing) -> u64 {
    worker.sessions.iter().map(|session| session.running).sum()
}

/// A row for each session; one row for a worker that has none.
fn rows(worker: &WorkerListing, now: Timestamp) -> Vec<[String; 8]> {
    let row = |session: Option<&WorkerSession>| {
        let fact = |of: fn(&WorkerSession) -> String| session.map_or_else(|| "-".to_owned(), of);
        [
            worker.name.clone(),
            session.map_or_else(|| worker.executors.join(","), |session| session.executor.clone()),
            fact(|session| session.host.clone()),
            fact(|session| session.gpu.clone().unwrap_or_else(|| "-".to_owned())),
            fact(|session| session.slots.to_string()),
            fact(|session| session.running.to_string()),
            session.map_or_else(|| "-".to_owned(), |session| ago(session.seen_at, now)),
            state(worker).to_owned(),
        ]
    };
    match worker.sessions.as_slice() {
        [] => vec![row(None)],
        sessions => sessions.iter().map(|session| row(Some(session))).collect(),
    }
}

const fn state(worker: &WorkerListing) -> &'static str {
    match worker {
        WorkerListing { revoked_at: Some(_), .. } => "revoked",
        WorkerListing { quiet: true, .. } => "quiet",
        _ => "-",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_has_a_row_for_each_machine() {
        let listed: WorkerListing = serde_json::from_str(include_str!(
            "../../../../spec/examples-administration/WorkerListing.quiet.json"
        ))
        .unwrap();
        let now: Timestamp = "2026-01-31T12:02:00Z".parse().unwrap();
        let shown = rows(&listed, now);
        assert_eq!(
            shown[0],
            [
                "gpu-box-1",
                "gpu",
                "gpu-box-1.internal",
                "NVIDIA H100 80GB HBM3",
                "2",
                "1",
                "2 min ago",
                "quiet"
            ]
        );
        assert_eq!((shown.len(), shown[1][3].as_str()), (2, "-"));
        assert_eq!(running(&listed), 1);
        let alone = WorkerListing { sessions: Vec::new(), quiet: false, ..listed };
        assert_eq!(rows(&alone, now), [["gpu-box-1", "gpu,cpu", "-", "-", "-", "-", "-", "-"]]);
    }
}
