//! Several servers over one database: processes of `clipia serve`, with their kills and pauses.

use super::books::Books;
use super::programs::Programs;
use super::proxy::Proxy;
use crate::serve::{self, Ready, Secrets, Serving};
use anyhow::{Context, Result, bail, ensure};
use rand::{Rng, RngExt};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::sync::watch;

/// The number of servers.
const NODES: usize = 3;

/// The pause between two looks whether a server is ready.
const LOOK: Duration = Duration::from_millis(5);

/// The servers.
pub(super) struct Nodes {
    program: PathBuf,
    database_url: String,
    nodes: Vec<Node>,
    /// Where calls go: the URLs of those that run and are not paused.
    urls: watch::Sender<Vec<String>>,
}

struct Node {
    data: PathBuf,
    listen: SocketAddr,
    log: PathBuf,
    /// The programs that it starts.
    programs: Programs,
    running: Option<(Serving, Ready)>,
    is_paused: bool,
}

impl Nodes {
    /// Makes the store in a database behind `proxy`, and starts servers on it. Returns the first keys, too.
    pub(super) async fn start(
        program: &Path,
        directory: &Path,
        proxy: &Proxy,
        database: &str,
        credits: u64,
    ) -> Result<(Self, Secrets)> {
        let database_url = proxy.url(database);
        let mut migrate = Command::new(program);
        let migrated = migrate.args(["migrate", "--database-url", &database_url]).output()?;
        ensure!(migrated.status.success(), "`clipia migrate`: {}", String::from_utf8_lossy(&migrated.stderr));
        let program = program.to_owned();
        let mut nodes =
            Self { program, database_url, nodes: Vec::new(), urls: watch::Sender::new(Vec::new()) };
        let mut secrets = None;
        for number in 0..NODES {
            let data = directory.join(format!("node-{number}"));
            let programs = Programs::new();
            programs.write_models(&data)?;
            nodes.nodes.push(Node {
                data,
                // The port is free again when this statement has ended.
                listen: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?,
                log: directory.join(format!("node-{number}.log")),
                programs,
                running: None,
                is_paused: false,
            });
            let first = nodes.run(number, credits).await?;
            secrets = secrets.or(first);
        }
        Ok((nodes, secrets.context("the first start made no keys")?))
    }

    /// Starts a server that does not run. Returns the first keys, if it made them.
    async fn run(&mut self, number: usize, credits: u64) -> Result<Option<Secrets>> {
        let node = &mut self.nodes[number];
        let mut command = serve::command_at(&self.program, &node.data, node.listen);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&node.log)?;
        command.args(["--database-url", &self.database_url, "--database-listen-url", &self.database_url]);
        command.args(["--credits", &credits.to_string()]).env("RUST_LOG", "warn").stderr(log);
        let mut serving = Serving::spawn(command)?;
        let ready = loop {
            if let Some(ready) = serving.ready_now() {
                break ready;
            }
            if serving.has_ended()? {
                bail!("node {number} did not start; see {}", node.log.display());
            }
            tokio::time::sleep(LOOK).await;
        };
        let secrets = ready.secrets.clone();
        node.running = Some((serving, ready));
        self.publish();
        Ok(secrets)
    }

    /// Where calls go.
    pub(super) fn urls(&self) -> watch::Receiver<Vec<String>> {
        self.urls.subscribe()
    }

    /// The data directories.
    pub(super) fn data(&self) -> Vec<PathBuf> {
        self.nodes.iter().map(|node| node.data.clone()).collect()
    }

    /// The logs.
    pub(super) fn logs(&self) -> impl Iterator<Item = &Path> {
        self.nodes.iter().map(|node| node.log.as_path())
    }

    /// The URL of the first server, also while it does not run.
    pub(super) fn first_url(&self) -> String {
        format!("http://{}", self.nodes[0].listen)
    }

    /// Any of the servers.
    pub(super) fn draw(&self, random: &mut impl Rng) -> usize {
        random.random_range(0..self.nodes.len())
    }

    /// The number of servers.
    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Kills a server, and looks whether its programs end with it.
    pub(super) async fn kill(&mut self, number: usize, books: &Books) {
        let node = &mut self.nodes[number];
        node.running = None;
        let programs = node.programs.clone();
        self.publish();
        programs.are_gone(books, "server").await;
    }

    /// Starts each server that does not run.
    pub(super) async fn start_all(&mut self) -> Result<()> {
        for number in 0..self.nodes.len() {
            if self.nodes[number].running.is_none() {
                self.run(number, 0).await?;
            }
        }
        Ok(())
    }

    /// Stops a server for `time`, as a suspended machine would. No more calls go to it meanwhile.
    pub(super) async fn pause(&mut self, number: usize, time: Duration) -> Result<()> {
        self.nodes[number].is_paused = true;
        self.publish();
        if let Some((serving, _)) = &self.nodes[number].running {
            serving.stop_for(time).await?;
        }
        self.nodes[number].is_paused = false;
        self.publish();
        Ok(())
    }

    /// Looks whether the servers run. One that ended by itself is a violation.
    pub(super) fn look(&mut self, books: &Books) -> Result<()> {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            if let Some((serving, _)) = &mut node.running
                && serving.has_ended()?
            {
                books.violation(format!("node {number} ended by itself; see {}", node.log.display()));
                node.running = None;
            }
        }
        self.publish();
        Ok(())
    }

    /// A counter of a server since its start; 0 if it does not run.
    pub(super) async fn counter(&self, number: usize, name: &str) -> Result<u64> {
        match &self.nodes[number].running {
            Some((_, ready)) => serve::counter(&ready.admin_url, name).await,
            None => Ok(0),
        }
    }

    fn publish(&self) {
        let called = self.nodes.iter().filter(|node| !node.is_paused);
        let urls = called.filter_map(|node| node.running.as_ref().map(|(_, ready)| ready.url.clone()));
        self.urls.send_replace(urls.collect());
    }
}
