//! What the commands do with a generation that has ended: they save its files, open them, and print the result.

use crate::format::Format;
use crate::output::{facts, say, time};
use clap::Args;
use clipia::{Error, Outcome, Output, ResultResponse};
use std::path::{Path, PathBuf};

/// What is opened once a generation has ended.
#[derive(Args, Clone, Copy)]
pub(crate) struct Open {
    /// Opens the first file with the program of this machine for it
    #[arg(long)]
    pub(crate) open: bool,
}

/// The files of a generation that were saved, or why they were not; nothing where there are none, or no directory for them.
pub(crate) type Saved = Option<Result<Vec<PathBuf>, Error>>;

/// Saves the files of a completed generation in `directory`, if one is named.
pub(crate) async fn save(outcome: &Outcome, directory: Option<&Path>) -> Saved {
    match (outcome, directory) {
        (Outcome::Completed(completed), Some(directory)) => Some(completed.download(directory).await),
        _ => None,
    }
}

/// Prints the result of a generation that was saved to `saved`, and opens its first file if that is wanted.
///
/// The files are saved before the result is printed: they are paid for, and stdout may have no reader.
pub(crate) fn print(
    result: &ResultResponse,
    saved: Saved,
    format: Format,
    Open { open }: Open,
) -> anyhow::Result<()> {
    let printed = format.print(result, text);
    let saved = saved.transpose()?.unwrap_or_default();
    for path in &saved {
        say(format_args!("saved {}", path.display()));
    }
    let first = saved.first().map(|path| path.as_os_str().to_owned());
    let first = first.or_else(|| result.output.as_ref().and_then(urls_first).map(Into::into));
    if open && let Some(first) = first {
        // A program that cannot be started is no failure: the file is there.
        if let Err(error) = open::that_detached(&first) {
            say(format_args!("note: cannot open {}: {error}", first.display()));
        }
    }
    printed
}

/// The result for people.
pub(crate) fn text(result: &ResultResponse) -> String {
    let mut rows = vec![("request", result.request_id.to_string())];
    rows.extend(result.model.clone().map(|model| ("model", model)));
    rows.push(("status", result.status.to_string()));
    rows.extend(result.queue_position.map(|ahead| ("queue", format!("{ahead} ahead"))));
    rows.extend(result.progress.map(|progress| ("progress", format!("{} %", progress.percent()))));
    rows.extend(result.cost.map(|cost| ("credits", cost.to_string())));
    rows.extend(result.created_at.map(|at| ("created", time(Some(at)))));
    rows.extend(result.completed_at.map(|at| ("ended", time(Some(at)))));
    let error = result.error.as_ref();
    rows.extend(
        error
            .map(|error| ("error", error.message.clone().or_else(|| error.code.clone()).unwrap_or_default())),
    );
    rows.extend(result.output.iter().flat_map(urls).map(|url| ("file", url)));
    facts(rows)
}

fn urls_first(output: &Output) -> Option<String> {
    urls(output).into_iter().next()
}

/// The files of an output in full quality.
fn urls(output: &Output) -> Vec<String> {
    let images = output.images.iter().map(|image| image.original_url.as_ref().unwrap_or(&image.url).clone());
    let video = output.video.iter().map(|video| video.original_url.as_ref().unwrap_or(&video.url).clone());
    let sounds = output.audio.iter().chain(&output.audios).map(|audio| audio.url.clone());
    let mut urls: Vec<String> =
        images.chain(video).chain(sounds).chain(output.files.iter().map(|file| file.url.clone())).collect();
    // `audio` and `audios` may name the same file.
    let mut seen = std::collections::HashSet::new();
    urls.retain(|url| seen.insert(url.clone()));
    urls
}
