//! The rounds of a run, and the checks at its end.

use super::books::{Books, Seen};
use super::checks;
use super::client::{Caller, Canceler, Client, knows};
use super::place::{Place, Trouble, fork};
use super::receiver::{REFUSED, Receiver};
use super::trouble::{Troubles, Work};
use super::workers::Workers;
use crate::serve::{self, Ready, Serving};
use anyhow::{Context, Result, bail};
use comfy_table::{CellAlignment, Table, presets};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The number of clients at once.
const CLIENTS: usize = 6;

/// The credits of the first account: more than a run can spend.
const CREDITS: u64 = 1_000_000_000;

/// The pause between two checks whether a round is over.
const LOOK: Duration = Duration::from_millis(3);

/// The longest wait for a point. A round whose point is not reached by then kills the server anyway.
const REACHED_WITHIN: Duration = Duration::from_secs(4);

/// The longest wait for a server to take calls before its trouble.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The number of rounds in which the server must have been killed at every place. A shorter run on a busy machine may miss one.
const ALL_PLACES_FROM: u32 = 50;

pub(super) fn run(program: &Path, rounds: u32, seed: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let start = Instant::now();
    eprintln!("{rounds} rounds with the seed {seed}");
    let mut chaos = Chaos::new(program, &directory, seed)?;
    runtime.block_on(chaos.run(rounds))?;
    let violations = chaos.books.with(|seen| {
        println!("{}", chaos.table(seen, rounds, seed, start.elapsed()));
        seen.violations.len()
    });
    if violations > 0 {
        println!("the server's directory is kept: {}", directory.keep().display());
        // The lines above must be the last; an error of `main` would print another.
        std::process::exit(1);
    }
    Ok(())
}

/// A run.
struct Chaos {
    program: PathBuf,
    data: PathBuf,
    /// Where each server of the run listens, so that the workers elsewhere find the next one.
    listen: SocketAddr,
    log: PathBuf,
    /// The log of rounds with a trouble, which may contain errors.
    troubled_log: PathBuf,
    troubles: Troubles,
    random: StdRng,
    books: Arc<Books>,
    /// The number of kills at each place, and after each trouble.
    kills: BTreeMap<&'static str, u32>,
    /// The number of rounds whose point was not reached.
    unreached: u32,
    cancels: bool,
    /// The result of `clipia doctor`, if the program has the command.
    doctor: Option<bool>,
}

impl Chaos {
    fn new(program: &Path, directory: &TempDir, seed: u64) -> Result<Self> {
        let at = |name| directory.path().join(name);
        let program = std::path::absolute(program)?;
        // The port is free again when this statement has ended.
        let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let workers = Workers::new(&program, format!("http://{listen}"), directory.path());
        let troubles = Troubles::new(directory.path(), workers);
        troubles.programs.write_models(&at("data"))?;
        Ok(Self {
            cancels: knows(&program, &["requests", "cancel"]),
            program,
            data: at("data"),
            listen,
            log: at("server.log"),
            troubled_log: at("troubled.log"),
            troubles,
            random: StdRng::seed_from_u64(seed),
            books: Arc::default(),
            kills: BTreeMap::new(),
            unreached: 0,
            doctor: None,
        })
    }

    async fn run(&mut self, rounds: u32) -> Result<()> {
        let (serving, url) = (self.start(None)?, watch::Sender::new(Vec::new()));
        let first = serving.ready()?;
        self.troubles.workers.start(&self.data).await?;
        drop(serving);
        let secrets = first.secrets.context("the first start made no keys")?;
        let random = fork(&mut self.random);
        let receiver =
            Receiver::listen(&secrets.webhook_secret, Arc::clone(&self.books), random, REFUSED).await?;
        let books = Arc::clone(&self.books);
        let caller = Caller::new(url.subscribe(), books, secrets.live_key, secrets.test_key)?;
        let (stop, mut clients) = (watch::Sender::new(false), JoinSet::new());
        for _ in 0..CLIENTS {
            let random = fork(&mut self.random);
            let canceler = self
                .cancels
                .then(|| Canceler { program: self.program.clone(), data: vec![self.data.clone()] });
            let client = Client::new(caller.clone(), random, receiver.url.clone(), canceler);
            clients.spawn(client.run(stop.subscribe()));
        }
        for round in 0..rounds {
            self.round(round, &url, &receiver, &caller).await?;
            if (round + 1) % 25 == 0 {
                let submits = self.books.with(|seen| seen.requests.len());
                eprintln!("{} rounds, {submits} submits accepted", round + 1);
            }
        }
        let last = self.start(None)?;
        let Ready { url: at, .. } = last.ready()?;
        url.send_replace(vec![at]);
        stop.send_replace(true);
        clients.join_all().await;
        checks::settle(&self.books, &caller).await;
        self.check(&caller, rounds).await?;
        drop(last);
        Ok(())
    }

    fn start(&self, place: Option<Place>) -> Result<Serving> {
        let mut command = serve::command_at(&self.program, &self.data, self.listen);
        let trouble = match place {
            Some(Place::Trouble(trouble)) => Some(trouble),
            _ => None,
        };
        let log = if trouble.is_some() { &self.troubled_log } else { &self.log };
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.args(["--credits", &CREDITS.to_string()]).env("RUST_LOG", "warn").stderr(log);
        self.troubles.prepare(&mut command, trouble)?;
        if let Some(Place::Point(point, times)) = place {
            command.env("FAILPOINT", format!("{point}:{times}"));
        }
        Serving::spawn(command)
    }

    /// One round: starts the server, and kills it, after a trouble if the place says so.
    async fn round(
        &mut self,
        round: u32,
        url: &watch::Sender<Vec<String>>,
        receiver: &Receiver,
        caller: &Caller,
    ) -> Result<()> {
        let place = Place::draw(round, &mut self.random);
        let mut serving = self.start(Some(place))?;
        let reached = match place {
            Place::Trouble(trouble) => self.trouble(trouble, &mut serving, url, caller).await?,
            _ => self.reach(place, &mut serving, url, receiver).await?,
        };
        let ended = serving.has_ended()?;
        // Dropping the server kills it, unless it has ended by itself.
        drop(serving);
        url.send_replace(Vec::new());
        self.troubles.programs.are_gone(&self.books, "server").await;
        self.troubles.workers.look(&self.books)?;
        match place {
            Place::Trouble(_) if ended => {
                self.books
                    .violation(format!("the server ended by itself in round {round}, in trouble: {place}"));
            }
            Place::Moment(_) | Place::MidDelivery(_) if ended => {
                bail!("the server ended by itself in round {round} ({place}): {}", self.last_words());
            }
            _ => {}
        }
        if reached {
            *self.kills.entry(place.name()).or_default() += 1;
        } else {
            self.unreached += 1;
        }
        Ok(())
    }

    /// Waits until the server reaches the place of the round. Returns whether it did.
    async fn reach(
        &self,
        place: Place,
        serving: &mut Serving,
        url: &watch::Sender<Vec<String>>,
        receiver: &Receiver,
    ) -> Result<bool> {
        let mut sprung = match place {
            Place::MidDelivery(times) => Some(receiver.trap(times - 1)),
            _ => None,
        };
        let start = Instant::now();
        loop {
            if let Some(ready) = serving.ready_now() {
                url.send_replace(vec![ready.url]);
            }
            if serving.has_ended()? {
                return Ok(matches!(place, Place::Point(..)));
            }
            let trapped = sprung.as_mut().is_some_and(|sprung| sprung.try_recv().is_ok());
            if trapped || matches!(place, Place::Moment(after) if start.elapsed() >= after) {
                return Ok(true);
            }
            if start.elapsed() > REACHED_WITHIN {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the server takes calls, causes the trouble, and waits until the server has continued. Returns whether it did.
    async fn trouble(
        &mut self,
        trouble: Trouble,
        serving: &mut Serving,
        url: &watch::Sender<Vec<String>>,
        caller: &Caller,
    ) -> Result<bool> {
        let start = Instant::now();
        while serving.admin_url().is_none() {
            if let Some(ready) = serving.ready_now() {
                url.send_replace(vec![ready.url]);
            } else if serving.has_ended()? || start.elapsed() > READY_WITHIN {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        let work = Work { books: &self.books, caller };
        self.troubles.strike(trouble, serving, &work, &mut self.random).await?;
        work.continues(serving, trouble).await?;
        Ok(true)
    }

    /// Compares the books with what the server says now.
    async fn check(&mut self, caller: &Caller, rounds: u32) -> Result<()> {
        let books = Arc::clone(&self.books);
        checks::compare(&books, caller, CREDITS).await;
        if knows(&self.program, &["doctor"]) {
            self.doctor = Some(checks::doctor(&books, &self.program, &self.data)?);
        }
        let workers_log = self.troubles.workers.log();
        let logs = [
            (self.log.as_path(), "ERROR"),
            (&self.troubled_log, "panicked at"),
            (workers_log, "panicked at"),
        ];
        for (log, worst) in logs {
            checks::read_log(&books, log, worst);
        }
        if rounds >= ALL_PLACES_FROM {
            for name in Place::names().filter(|name| !self.kills.contains_key(name)) {
                books.violation(format!("the server was never killed at {name}"));
            }
        }
        Ok(())
    }

    fn last_words(&self) -> String {
        let log = [&self.log, &self.troubled_log]
            .map(|log| std::fs::read_to_string(log).unwrap_or_default())
            .concat();
        log.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
    }

    fn table(&self, seen: &Seen, rounds: u32, seed: u64, took: Duration) -> Table {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header(["chaos", ""]);
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut row = |name: &str, value: &dyn ToString| {
            table.add_row([name.to_owned(), value.to_string()]);
        };
        row("seed", &seed);
        row("rounds", &rounds);
        row("seconds", &took.as_secs());
        for name in Place::names() {
            row(&format!("killed at, or after: {name}"), &self.kills.get(name).copied().unwrap_or_default());
        }
        row("rounds whose point was not reached, killed then", &self.unreached);
        row("programs killed", &self.troubles.programs_killed);
        row("workers elsewhere killed", &self.troubles.workers.killed);
        row("responses to the clients", &seen.figures.responses);
        row("submits accepted", &seen.requests.len());
        row("submits whose response was lost, repeated", &seen.figures.unanswered);
        row("submits repeated after their response", &seen.figures.repeated);
        row(
            "successful cancels",
            match self.cancels {
                true => &seen.figures.cancels,
                false => &"the program has no `clipia requests cancel`",
            },
        );
        for status in ["COMPLETED", "FAILED", "CANCELED"] {
            row(&format!("ended as {status}"), &seen.ended(status));
        }
        row("requests delivered", &seen.deliveries.len());
        let times: u64 = seen.deliveries.values().map(|delivered| delivered.times).sum();
        row("of these deliveries repeated", &(times - seen.deliveries.len() as u64));
        row(
            "`clipia doctor`",
            match self.doctor {
                Some(true) => &"content",
                Some(false) => &"not content",
                None => &"the program has none",
            },
        );
        row("violations", &seen.violations.len());
        table
    }
}
