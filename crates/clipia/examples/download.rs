//! Downloads of a generation: the originals, the smaller renditions, and their progress.
//!
//! With the id of a generation as its argument it downloads that generation. If it is stopped, the next run
//! resumes the download.

use clipia::{Clipia, DownloadProgress, RequestId, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clipia = Clipia::from_env()?;
    let id = match std::env::args().nth(1) {
        Some(id) => RequestId::from(id),
        None => {
            let input = json!({ "prompt": "a red fox in snow", "resolution": "0.5K" });
            clipia.subscribe("nano-banana-2", input).await?.completed()?.id().clone()
        }
    };
    let generation = clipia.generation(id);
    let originals = generation.download("out").on_progress(show).await?;
    let renditions = generation.download("out").renditions().on_progress(show).await?;
    for path in originals.iter().chain(&renditions) {
        println!("saved {}", path.display());
    }
    Ok(())
}

fn show(file: &DownloadProgress) {
    let total = file.total_bytes.map_or("?".to_owned(), |bytes| bytes.to_string());
    eprintln!("file {} of {}: {} of {total} bytes", file.file + 1, file.files, file.bytes);
}
