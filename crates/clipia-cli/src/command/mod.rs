//! The commands, one file each: the help text, the arguments, and what the command does.

mod account;
mod accounts;
mod audit;
mod backup;
mod cancel;
mod completions;
mod credits;
mod dashboard;
mod demo;
mod doctor;
mod emulate;
mod estimate;
#[cfg(unix)]
pub(crate) mod exec_job;
mod export;
mod generate;
mod health;
mod import;
mod keys;
mod log_level;
mod login;
mod mcp;
mod migrate;
mod models;
mod queues;
mod requests;
mod restore;
mod result;
mod serve;
mod status;
mod wait;
mod webhooks;
mod work;
mod workers;

use crate::pauses;
use clap::Subcommand;
use std::ffi::OsStr;

/// The commands, in the order of the help.
#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(demo::Options),
    Serve(serve::Options),
    Health(health::Options),
    Emulate(Box<emulate::Options>),
    Dashboard(dashboard::Options),
    Work(Box<work::Options>),
    Mcp(Box<mcp::Options>),
    Generate(Box<generate::Options>),
    Wait(wait::Options),
    Status(status::Options),
    Result(result::Options),
    Cancel(cancel::Options),
    Estimate(estimate::Options),
    Models(models::Options),
    Account(account::Options),
    Login(login::Login),
    Logout(login::Logout),
    Profiles(login::List),
    Keys(keys::Options),
    Accounts(accounts::Options),
    Credits(credits::Options),
    Requests(requests::Options),
    Queues(queues::Options),
    Workers(workers::Options),
    Webhooks(webhooks::Options),
    Audit(audit::Options),
    LogLevel(log_level::Options),
    Doctor(doctor::Options),
    Migrate(migrate::Options),
    Backup(backup::Options),
    Restore(restore::Options),
    Export(export::Options),
    Import(import::Options),
    Completions(completions::Completions),
    Man(completions::Man),
    #[cfg(unix)]
    #[command(hide = true)]
    ExecJob(exec_job::Options),
}

impl Command {
    /// Runs the command. `typed` is the name that the program was called by.
    pub(crate) async fn run(self, typed: &OsStr) -> anyhow::Result<()> {
        if !matches!(self, Self::Demo(_) | Self::Serve(_) | Self::Emulate(_) | Self::Work(_) | Self::Mcp(_)) {
            pauses::start();
        }
        match self {
            Self::Demo(options) => demo::run(options, typed).await,
            Self::Serve(options) => serve::run(options, typed).await,
            Self::Health(options) => health::run(options).await,
            Self::Emulate(options) => emulate::run(*options).await,
            Self::Dashboard(options) => dashboard::run(options).await,
            Self::Work(options) => work::run(*options).await,
            Self::Mcp(options) => mcp::run(*options).await,
            Self::Generate(options) => generate::run(*options).await,
            Self::Wait(options) => wait::run(options).await,
            Self::Cancel(options) => cancel::run(options).await,
            Self::Login(options) => login::run(options).await,
            Self::Logout(options) => login::forget(options),
            Self::Profiles(options) => login::list(options),
            Self::Completions(options) => completions::print(options),
            Self::Man(options) => completions::man(options),
            Self::Status(options) => status::run(options).await,
            Self::Result(options) => result::run(options).await,
            Self::Estimate(options) => estimate::run(options).await,
            Self::Models(options) => models::run(options).await,
            Self::Account(options) => account::run(options).await,
            Self::Keys(options) => keys::run(options).await,
            Self::Accounts(options) => accounts::run(options).await,
            Self::Credits(options) => credits::run(options).await,
            Self::Requests(options) => requests::run(options).await,
            Self::Queues(options) => queues::run(options).await,
            Self::Workers(options) => workers::run(options).await,
            Self::Webhooks(options) => webhooks::run(options).await,
            Self::Audit(options) => audit::run(options).await,
            Self::LogLevel(options) => log_level::run(options).await,
            Self::Doctor(options) => doctor::run(options).await,
            Self::Migrate(options) => migrate::run(options).await,
            Self::Backup(options) => backup::run(options).await,
            Self::Restore(options) => restore::run(options),
            Self::Export(options) => export::run(options).await,
            Self::Import(options) => import::run(options).await,
            #[cfg(unix)]
            Self::ExecJob(options) => std::process::exit(exec_job::run(&options).into()),
        }
    }
}
