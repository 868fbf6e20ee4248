//! `cargo xtask bench executors`: how fast programs get through a queue, and what a large file costs.
//!
//! The program that is measured is this one, as [`Part`]: it does nothing, so that what is left is the cost of the queue. What a large file
//! costs is measured on a server of its own, which has done nothing else.

mod memory;
mod program;

pub(in crate::bench) use program::Part;

use super::server::calls::{Line, Request};
use super::target::Targets;
use crate::serve::{self, Serving};
use anyhow::{Context, Result, bail};
use axum::body::Bytes;
use clipia_admin::Administration;
use clipia_admin::types::{KeyLimits, KeyOrder, Scopes, WorkerOrder};
use comfy_table::{CellAlignment, Table, presets};
use memory::Memory;
use serde::Deserialize;
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The slots of each measured executor.
const SLOTS: [usize; 2] = [1, 8];

/// The number of generations that wait when the pace is measured.
const QUEUED: usize = 20_000;

/// The number of submits under way at once.
const SUBMITS_AT_ONCE: usize = 64;

/// The number of generations whose start is timed, each when nothing else runs.
const STARTS: usize = 500;

/// The bytes of the large file.
const LARGE_BYTES: u64 = 1 << 30;

/// The most memory that the large file may cost, in bytes.
const MEMORY_MAX: u64 = 32 << 20;

/// Where a program runs.
#[derive(Clone, Copy)]
enum Place {
    /// Beside the server.
    Here,
    /// With `clipia work`, which calls the server over loopback.
    Elsewhere,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Elsewhere => "over HTTP",
        }
    }

    /// The least number of completed generations in a second.
    fn pace_min(self) -> f64 {
        match self {
            Self::Here => 2_000.0,
            Self::Elsewhere => 500.0,
        }
    }

    /// The longest time from submit to start, for 99 of 100 generations.
    fn start_max(self) -> Duration {
        match self {
            Self::Here => Duration::from_millis(5),
            Self::Elsewhere => Duration::from_millis(20),
        }
    }
}

/// The figures of an executor with some slots.
struct Row {
    place: Place,
    slots: usize,
    each_second: f64,
    /// From submit to start, sorted.
    starts: Vec<Duration>,
}

#[derive(Deserialize)]
struct Submitted {
    request_id: Uuid,
}

#[derive(Deserialize)]
struct Status {
    status: String,
    queue_position: Option<u64>,
}

/// The memory that a large file costs, in bytes.
struct Cost {
    place: Place,
    process: &'static str,
    bytes: u64,
}

/// The running server, and what calls it need.
struct Server {
    url: String,
    key: Arc<str>,
    process: Serving,
    data: tempfile::TempDir,
}

pub(super) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (rows, costs) = runtime.block_on(measure())?;
    let mut table = Table::new();
    let header = ["program", "slots", "completed a second", "start p50 ms", "p99"];
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    table.column_iter_mut().for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    let ms = |time: Duration| format!("{:.2}", 1e3 * time.as_secs_f64());
    for row in &rows {
        let (p50, p99) = (row.starts[STARTS / 2], row.starts[STARTS * 99 / 100]);
        let place = row.place.name().to_owned();
        table.add_row([place, row.slots.to_string(), format!("{:.0}", row.each_second), ms(p50), ms(p99)]);
    }
    println!("{table}");
    for Cost { place, process, bytes } in &costs {
        let mebibytes = *bytes as f64 / f64::from(1 << 20);
        println!(
            "a file of 1 GiB that is made {} costs {process} {mebibytes:.1} MiB of memory",
            place.name()
        );
    }
    let mut targets = Targets::default();
    for row in &rows {
        let (place, slots) = (row.place.name(), row.slots);
        let (pace_min, start_max) = (row.place.pace_min(), row.place.start_max());
        targets.hold(row.each_second >= pace_min, || {
            format!(
                "{place}, {slots} slots complete {:.0} a second; the target is {pace_min}",
                row.each_second
            )
        });
        let start = row.starts[STARTS * 99 / 100];
        targets.hold(start <= start_max, || {
            format!("{place}, {slots} slots: a start takes {} ms; the target is {}", ms(start), ms(start_max))
        });
    }
    for Cost { place, process, bytes } in &costs {
        targets.hold(*bytes <= MEMORY_MAX, || {
            format!(
                "{}: a file of 1 GiB costs {process} {bytes} bytes; the target is {MEMORY_MAX}",
                place.name()
            )
        });
    }
    targets.report();
    Ok(())
}

async fn measure() -> Result<(Vec<Row>, Vec<Cost>)> {
    let server = Server::start().await?;
    let mut rows = Vec::new();
    for slots in SLOTS {
        eprintln!("{slots} slots");
        rows.push(server.row(Place::Here, slots, &format!("warm-{slots}")).await?);
    }
    for slots in SLOTS {
        eprintln!("{slots} slots over HTTP");
        let name = format!("remote-{slots}");
        let worker = server.start_worker(&name, slots, &["nothing"]).await?;
        rows.push(server.row(Place::Elsewhere, slots, &name).await?);
        drop(worker);
    }
    drop(server);
    Ok((rows, measure_memory().await?))
}

/// What a large file costs the processes that it passes.
async fn measure_memory() -> Result<Vec<Cost>> {
    let server = Server::start().await?;
    eprintln!("a file of 1 GiB");
    server.generate("warm-1").await?;
    let before = Memory::of(server.process.id())?;
    server.generate("large").await?;
    let mut costs = vec![Cost { place: Place::Here, process: "the server", bytes: before.cost()? }];
    eprintln!("a file of 1 GiB over HTTP");
    let small = server.start_worker("remote-1", 1, &["nothing"]).await?;
    server.generate("remote-1").await?;
    drop(small);
    let worker = server.start_worker("remote-large", 1, &["file", &LARGE_BYTES.to_string()]).await?;
    // It has its program, and nothing runs.
    worker.claims(&server, "remote-large").await?;
    let (of_server, of_worker) = (Memory::of(server.process.id())?, Memory::of(worker.0.id())?);
    server.generate("remote-large").await?;
    for (process, before) in [("the server", of_server), ("the worker", of_worker)] {
        costs.push(Cost { place: Place::Elsewhere, process, bytes: before.cost()? });
    }
    Ok(costs)
}

impl Server {
    async fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        std::fs::write(data.path().join("models.toml"), models()?)?;
        let mut command = serve::command(&super::program()?, data.path());
        command.args(["--credits", "1000000000"]).stderr(Stdio::null());
        let process = Serving::spawn(command)?;
        let url = process.ready()?.url;
        let administration = Administration::of(data.path())?;
        let account = administration.accounts().await?.pop().context("there is no account")?;
        let order = KeyOrder {
            account_id: account.account_id,
            sandbox: false,
            scopes: Scopes { generate: true },
            limits: KeyLimits { in_flight_max: Some(0), ..KeyLimits::default() },
        };
        let key = administration.create_key(&order).await?.key.reveal().into();
        Ok(Self { url, key, process, data })
    }

    /// Starts the worker of the executor `name` as on another machine.
    async fn start_worker(&self, name: &str, slots: usize, part: &[&str]) -> Result<Worker> {
        let order = WorkerOrder { name: name.to_owned(), executors: vec![name.to_owned()] };
        let made = Administration::of(self.data.path())?.create_worker(&order).await?;
        let mut work = Command::new(super::program()?);
        work.args(["work", "--server", &self.url, "--executor", name, "--warm"])
            .args(["--slots", &slots.to_string(), "--"])
            .arg(std::env::current_exe()?)
            .args(["bench", "executors"])
            .args(part)
            .env("CLIPIA_WORKER_TOKEN", made.token.reveal())
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Ok(Worker(work.spawn().context("running `clipia work`")?))
    }

    /// The figures of a model.
    async fn row(&self, place: Place, slots: usize, model: &str) -> Result<Row> {
        // The program is started, and its files are in the memory of the system.
        self.generate(model).await?;
        let mut starts = Vec::with_capacity(STARTS);
        let mut line = Line::to(&self.url).await?;
        for _ in 0..STARTS {
            starts.push(self.start_of_one(&mut line, model).await?);
        }
        starts.sort_unstable();
        Ok(Row { place, slots, each_second: self.pace(model).await?, starts })
    }

    /// Generates once, and returns the output.
    async fn generate(&self, model: &str) -> Result<Value> {
        self.generate_over(&mut Line::to(&self.url).await?, model).await
    }

    async fn generate_over(&self, line: &mut Line, model: &str) -> Result<Value> {
        let id = submit(line, &self.key, model).await?;
        self.wait(line, id).await?;
        let result = line.call(Request::get(&self.key, &format!("/v1/requests/{id}"))).await?;
        let mut result: Value = serde_json::from_slice(&result)?;
        Ok(result["output"].take())
    }

    /// The time from a submit to the moment that the program has the job.
    async fn start_of_one(&self, line: &mut Line, model: &str) -> Result<Duration> {
        let submitted = program::now();
        let output = self.generate_over(line, model).await?;
        let started = output[program::STARTED].as_u64().context("the output has no time")?;
        Ok(Duration::from_micros(started.saturating_sub(submitted)))
    }

    /// Completed generations in a second, while many wait.
    async fn pace(&self, model: &str) -> Result<f64> {
        let mut submits = tokio::task::JoinSet::new();
        for _ in 0..SUBMITS_AT_ONCE {
            let (url, key, model) = (self.url.clone(), Arc::clone(&self.key), model.to_owned());
            submits.spawn(async move {
                let mut line = Line::to(&url).await?;
                for _ in 0..QUEUED / SUBMITS_AT_ONCE {
                    submit(&mut line, &key, &model).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = submits.join_next().await {
            ended??;
        }
        let mut line = Line::to(&self.url).await?;
        let last = submit(&mut line, &self.key, model).await?;
        let (ahead, start) =
            (self.status(&mut line, last).await?.queue_position.unwrap_or(0), Instant::now());
        self.wait(&mut line, last).await?;
        Ok(ahead as f64 / start.elapsed().as_secs_f64())
    }

    async fn wait(&self, line: &mut Line, id: Uuid) -> Result<()> {
        loop {
            match self.status(line, id).await?.status.as_str() {
                "COMPLETED" => return Ok(()),
                "IN_QUEUE" | "IN_PROGRESS" => tokio::time::sleep(Duration::from_millis(5)).await,
                other => bail!("a generation ended as {other}"),
            }
        }
    }

    async fn status(&self, line: &mut Line, id: Uuid) -> Result<Status> {
        let status = line.call(Request::get(&self.key, &format!("/v1/requests/{id}/status"))).await?;
        Ok(serde_json::from_slice(&status)?)
    }
}

/// A running worker. It is killed when this value is dropped.
struct Worker(Child);

impl Worker {
    /// Waits until the worker `name` claims.
    async fn claims(&self, server: &Server, name: &str) -> Result<()> {
        let administration = Administration::of(server.data.path())?;
        loop {
            let workers = administration.list_workers().await?;
            if workers.iter().any(|worker| worker.name == name && !worker.sessions.is_empty()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both calls fail if the process has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn submit(line: &mut Line, key: &str, model: &str) -> Result<Uuid> {
    // The submit has no idempotency key, which would keep the request for a day.
    let body = Bytes::from_static(br#"{"input": {"prompt": "fox"}}"#);
    let response = line.call(Request::submit(key, &format!("/v1/models/{model}"), body)).await?;
    let Submitted { request_id } = serde_json::from_slice(&response)?;
    Ok(request_id)
}

/// A model of the executor `name`, with the same name.
fn model(name: &str) -> String {
    format!(
        "[[model]]\nexecutor = '{name}'\nslug = '{name}'\ntype = 'image'\npricing = {{ credits = 1 }}\n\
         input_schema = {{ parameters = [{{ name = 'prompt', type = 'string', required = true }}] }}\n\n"
    )
}

/// Adds an executor whose workers are elsewhere.
fn add_elsewhere(models: &mut String, name: &str) {
    *models += &format!("[[executor]]\nname = '{name}'\n\n{}", model(name));
}

/// The models: one that does nothing for each number of slots, and one that makes the large file.
fn models() -> Result<String> {
    let program = std::env::current_exe()?;
    let mut models = String::new();
    let mut add = |name: &str, slots: usize, part: &str| {
        models += &format!(
            "[[executor]]\nname = '{name}'\ncommand = ['{}', 'bench', 'executors', {part}]\nwarm = true\nslots = {slots}\n\n{}",
            program.display(),
            model(name)
        );
    };
    for slots in SLOTS {
        add(&format!("warm-{slots}"), slots, "'nothing'");
    }
    add("large", 1, &format!("'file', '{LARGE_BYTES}'"));
    for slots in SLOTS {
        let name = format!("remote-{slots}");
        add_elsewhere(&mut models, &name);
    }
    add_elsewhere(&mut models, "remote-large");
    Ok(models)
}
