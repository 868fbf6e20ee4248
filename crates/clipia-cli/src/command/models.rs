//! `clipia models`.

use crate::connection::Connection;
use crate::exit::Usage;
use crate::format::Format;
use crate::suggestion::with_suggestion;
use crate::{output, programs};
use anyhow::Context;
use clap::{Args, Subcommand};
use clipia::{Model, Pricing};
use clipia_server::{Config, ExecutorSettings, Mistake, Mistakes, ModelsFile, Order};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Lists the models, or shows one
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  clipia models
  clipia models nano-banana-2
  clipia models check"
)]
pub(crate) struct Options {
    /// The model to show
    slug: Option<String>,
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
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
    #[arg(long, default_value = Config::DATA, value_name = "DIR", env = "CLIPIA_SERVE_DATA")]
    data: PathBuf,
    /// Prints JSON; the default if stdout is not a terminal
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    if let Some(Action::Check(options)) = options.action {
        return check(options);
    }
    let clipia = options.connection.client()?;
    match options.slug {
        None => options.format.print(&clipia.models().await?, |models| list(models)),
        Some(slug) => {
            let model = with_suggestion(&clipia, &slug, clipia.model(&slug).await).await?;
            options.format.print(&model, one)
        }
    }
}

/// The models for people.
fn list(models: &[Model]) -> String {
    let rows = models.iter().map(|model| {
        let price = model.pricing.as_ref().map(price).unwrap_or_default();
        [model.slug.clone(), model.type_.to_string(), price, model.description.clone().unwrap_or_default()]
    });
    output::table(["MODEL", "TYPE", "PRICE", "DESCRIPTION"], rows)
}

/// One model for people, with its parameters.
fn one(model: &Model) -> String {
    let mut text = vec![("model", model.slug.clone()), ("type", model.type_.to_string())];
    text.extend(model.name.clone().map(|name| ("name", name)));
    text.extend(model.description.clone().map(|description| ("description", description)));
    text.extend(model.pricing.as_ref().map(|pricing| ("price", price(pricing))));
    let parameters = model.input_schema.iter().flat_map(|schema| &schema.parameters).map(|parameter| {
        let required = if parameter.required.unwrap_or_default() { "required" } else { "" };
        let default = parameter.default.as_ref().map(|value| format!("default {value}")).unwrap_or_default();
        let values: Vec<String> = parameter.options.iter().map(ToString::to_string).collect();
        let takes = [required.to_owned(), default, values.join(" ")];
        let takes: Vec<&str> = takes.iter().map(String::as_str).filter(|said| !said.is_empty()).collect();
        [
            parameter.name.clone(),
            parameter.type_.clone(),
            takes.join(", "),
            parameter.hint.clone().or_else(|| parameter.label.clone()).unwrap_or_default(),
        ]
    });
    let parameters = output::table(["PARAMETER", "TYPE", "TAKES", "MEANING"], parameters);
    format!("{}\n{parameters}", output::facts(text))
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
