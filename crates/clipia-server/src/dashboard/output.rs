//! The output of a request: its pictures, clips, sounds and files, from this server alone.

use super::visit::Visit;
use crate::media::PATH;
use crate::store::RequestOutput;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::media_address::urls;
use clipia_worker::content_type;
use maud::{Markup, html};
use std::collections::HashMap;

/// What a file is shown as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Picture,
    Clip,
    Sound,
    Name,
}

impl Shown {
    fn of(url: &str) -> Self {
        match content_type(url).split('/').next() {
            Some("image") if !url.ends_with(".svg") => Self::Picture,
            Some("video") => Self::Clip,
            Some("audio") => Self::Sound,
            _ => Self::Name,
        }
    }
}

/// The address of a file on the dashboard; nothing of a file elsewhere.
fn address(visit: &Visit, url: &str) -> Option<String> {
    let name = url.strip_prefix(PATH)?.strip_prefix('/')?;
    Some(visit.link(format_args!("/media/{name}")))
}

/// The files that an output shows first: of a picture with its original, the smaller one.
fn first_files(output: &Output) -> impl Iterator<Item = &str> {
    let images = output.images.iter().map(|image| image.url.as_str());
    let video = output.video.iter().map(|video| video.url.as_str());
    let audio = output.audio.iter().chain(&output.audios).map(|audio| audio.url.as_str());
    images.chain(video).chain(audio).chain(output.files.iter().map(|file| file.url.as_str()))
}

/// The outputs of requests, for their thumbnails.
pub(super) async fn of(
    visit: &Visit,
    ids: impl IntoIterator<Item = RequestId>,
) -> Result<HashMap<RequestId, Output>, crate::store::StoreError> {
    let outputs = visit.store().outputs(ids.into_iter().collect()).await?;
    Ok(outputs.into_iter().filter_map(|RequestOutput { id, output, .. }| Some((id, output?))).collect())
}

/// A small picture of an output, or a word for what it is.
pub(super) fn thumbnail(visit: &Visit, output: Option<&Output>, class: &str) -> Markup {
    let file = output.and_then(|output| first_files(output).next());
    let at = file.and_then(|file| Some((Shown::of(file), address(visit, file)?)));
    html! {
        @match at {
            Some((Shown::Picture, at)) => { img.(class) src=(at) alt="" loading="lazy" decoding="async"; },
            Some((Shown::Clip, at)) => { video.(class) src=(at) preload="metadata" muted playsinline {} },
            Some((Shown::Sound, _)) => span.(class) { "sound" },
            Some((Shown::Name, _)) => span.(class) { "file" },
            None => span.(class) {},
        }
    }
}

/// The whole output.
pub(super) fn whole(visit: &Visit, output: &Output) -> Markup {
    html! {
        div.output {
            @for url in first_files(output) {
                @match (Shown::of(url), address(visit, url)) {
                    (Shown::Picture, Some(at)) => { a href=(at) { img src=(at) alt="The picture that was made"; } },
                    (Shown::Clip, Some(at)) => { video src=(at) controls loop playsinline {} },
                    (Shown::Sound, Some(at)) => { audio src=(at) controls {} },
                    (_, Some(at)) => a href=(at) download { (name(url)) },
                    (_, None) => code { (url) },
                }
            }
        }
        ul.files {
            @for url in urls(output) {
                @if let Some(at) = address(visit, url) {
                    li { a href=(at) download { (name(url)) } " "
                        span.quiet { (content_type(url)) @if !first_files(output).any(|first| first == url) { ", the original" } } }
                }
            }
            @if let Some(seed) = output.seed { li { "seed " code { (seed) } } }
        }
    }
}

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}
