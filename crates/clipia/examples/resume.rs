//! Generations that outlive the program: kill it at any moment and start it again, and it goes on where it was.
//! Each picture is submitted, and charged, once.
//!
//! ```console
//! $ cargo run --example resume pictures.json
//! ```

use clipia::{Clipia, SavedGeneration, json};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const PROMPTS: [&str; 3] = ["a red fox in snow", "a lighthouse in a storm", "waves at dusk"];

/// What has to outlive the program.
#[derive(Serialize, Deserialize)]
struct Picture {
    prompt: String,
    /// Chosen before anything is sent: a submit that was killed before its answer came is found by it.
    idempotency_key: String,
    /// What the answer was.
    generation: Option<SavedGeneration>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = PathBuf::from(std::env::args_os().nth(1).unwrap_or("pictures.json".into()));
    let clipia = Clipia::from_env()?;
    let mut pictures = read(&file)?;
    write(&file, &pictures)?;

    for n in 0..pictures.len() {
        let picture = &mut pictures[n];
        if picture.generation.is_none() {
            let submit = clipia.submit("nano-banana-2", json!({ "prompt": picture.prompt }));
            let submitted = submit.idempotency_key(&picture.idempotency_key).await?;
            picture.generation = Some(submitted.saved());
            write(&file, &pictures)?;
        }
    }

    let generations = pictures.into_iter().filter_map(|picture| picture.generation);
    let waits = generations.map(|saved| clipia.resume(saved).wait());
    for outcome in try_join_all(waits).await? {
        println!("{} {}", outcome.response().request_id, outcome.response().status);
    }
    Ok(())
}

/// What an earlier run left behind, or a new beginning.
fn read(file: &Path) -> Result<Vec<Picture>, Box<dyn std::error::Error>> {
    if file.exists() {
        return Ok(serde_json::from_slice(&std::fs::read(file)?)?);
    }
    let new = |prompt: &str| Picture {
        prompt: prompt.to_owned(),
        idempotency_key: uuid::Uuid::new_v4().to_string(),
        generation: None,
    };
    Ok(PROMPTS.map(new).into())
}

/// Written aside, then renamed: whenever the program is killed, the file is whole.
fn write(file: &Path, pictures: &[Picture]) -> Result<(), Box<dyn std::error::Error>> {
    let new = file.with_extension("new");
    std::fs::write(&new, serde_json::to_vec_pretty(pictures)?)?;
    Ok(std::fs::rename(new, file)?)
}
