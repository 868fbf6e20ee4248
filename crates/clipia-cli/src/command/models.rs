//! `clipia models`.

use crate::arguments::Connection;
use crate::exit::Usage;
use crate::{output, programs};
use anyhow::Context;
use clap::{Args, Subcommand};
use clipia::{Model, Pricing};
use clipia_server::{Config, ExecutorSettings, Mistake, Mistakes, ModelsFile, Order};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Lists the models, or shows one
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    /// The model to show
    slug: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Says what a server on this machine would serve with a `models.toml`, and everything that is wrong with the file
    Check(Check),
}

#[derive(Args)]
struct Check {
    /// The file; by default `models.toml` in the data directory
    file: Option<PathBuf>,
    /// The server's data directory
    #[arg(long, default_value = Config::DATA, value_name = "DIR")]
    data: PathBuf,
    /// Prints JSON; the default if stdout is not a terminal
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(connection: Connection, options: Options) -> anyhow::Result<()> {
    match (options.action, options.slug) {
        (Some(Action::Check(options)), _) => check(options),
        (None, None) => output::json(&connection.client()?.models().await?),
        (None, Some(slug)) => output::json(&connection.client()?.model(&slug).await?),
    }
}

fn check(Check { file, data, json }: Check) -> anyhow::Result<()> {
    let path = file.unwrap_or_else(|| data.join(ModelsFile::NAME));
    let read = programs::server(Config::new(data)).check_models(&path);
    let ModelsFile { catalogue, executors, mistakes, warnings } =
        read.with_context(|| format!("reading `{}`", path.display()))?;
    let is_served = mistakes.is_empty();
    let served = Served {
        models: catalogue
            .iter()
            .filter(|_| is_served)
            .map(|entry| ServedModel::new(&entry.executor, &entry.model))
            .collect(),
        executors: executors.into_iter().filter(|_| is_served).map(ServedExecutor::new).collect(),
        mistakes: &mistakes,
        warnings: &warnings,
    };
    if is_served || json {
        output::text_or_json(&served, json, text)?;
    }
    for warning in &warnings {
        output::say(format_args!("warning: `{}`: {warning}", path.display()));
    }
    if is_served { Ok(()) } else { Err(refused(&path, mistakes)) }
}

fn refused(path: &Path, mistakes: Vec<Mistake>) -> anyhow::Error {
    Usage::new(format!("`{}`: {}", path.display(), Mistakes(mistakes))).into()
}

/// What a server would serve.
#[derive(Serialize)]
struct Served<'a> {
    models: Vec<ServedModel>,
    executors: Vec<ServedExecutor>,
    mistakes: &'a [Mistake],
    warnings: &'a [Mistake],
}

#[derive(Serialize)]
struct ServedModel {
    slug: String,
    r#type: String,
    executor: String,
    price: String,
}

#[derive(Serialize)]
struct ServedExecutor {
    name: String,
    slots: usize,
    /// The order of its queue.
    order: Order,
    /// The program and its arguments; null for an executor that the server brings, and for one that waits for workers on other
    /// machines.
    command: Option<Vec<String>>,
    warm: bool,
    devices: Vec<String>,
}

impl ServedModel {
    fn new(executor: &str, model: &Model) -> Self {
        Self {
            slug: model.slug.clone(),
            r#type: model.type_.to_string(),
            executor: executor.to_owned(),
            price: model.pricing.as_ref().map(price).unwrap_or_default(),
        }
    }
}

impl ServedExecutor {
    fn new((name, ExecutorSettings { slots, order, program, .. }): (String, ExecutorSettings)) -> Self {
        let (command, warm, devices) = match program {
            Some(program) => (Some(program.command), program.warm, program.devices),
            None => (None, false, Vec::new()),
        };
        Self { name, slots, order: order.unwrap_or_default(), command, warm, devices }
    }
}

/// The price of a model, in words.
fn price(pricing: &Pricing) -> String {
    let credits = |credits: f64| format!("{credits} credit{}", if credits == 1.0 { "" } else { "s" });
    if let Some(flat) = pricing.credits {
        return credits(flat);
    }
    let mut price = credits(pricing.credits_base.unwrap_or_default());
    match (pricing.billing_unit.as_deref(), pricing.unit_size.filter(|size| *size != 1.0)) {
        (None | Some("generation"), _) => {}
        (Some(unit), None) => price += &format!(" for each {unit}"),
        (Some(unit), Some(size)) => price += &format!(" for {size} {unit}s"),
    }
    if !pricing.multipliers.is_empty() {
        let names: Vec<&str> = pricing.multipliers.keys().map(String::as_str).collect();
        price += &format!(" by {}", names.join(" and "));
    }
    if let Some(least) = pricing.minimum_credits {
        price += &format!(", at least {least}");
    }
    price
}

fn text(served: &Served<'_>) -> String {
    let models = served.models.iter().map(|ServedModel { slug, r#type, executor, price }| {
        [slug.clone(), r#type.clone(), executor.clone(), price.clone()]
    });
    let executors = served.executors.iter().map(|executor| {
        let runs = match &executor.command {
            Some(command) => command.join(" "),
            None if executor.slots == 0 => format!("waits for `clipia work --executor {}`", executor.name),
            None => "built in".to_owned(),
        };
        let mut how = match executor.slots {
            0 => vec!["on other machines".to_owned()],
            slots => vec![format!("{slots} at once")],
        };
        how.extend((executor.order == Order::Fifo).then(|| "first in first out".to_owned()));
        how.extend(executor.warm.then(|| "warm".to_owned()));
        how.extend((!executor.devices.is_empty()).then(|| format!("on {}", executor.devices.join(", "))));
        [executor.name.clone(), how.join(", "), runs]
    });
    let models = output::table(["MODEL", "TYPE", "EXECUTOR", "PRICE"], models);
    format!("{models}\n{}", output::table(["EXECUTOR", "SLOTS", "RUNS"], executors))
}
