//! Generations that outlive the program: kill it at any moment and start it again, and it resumes.
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

/// The state that outlives the program.
#[derive(Serialize, Deserialize)]
struct Picture {
    prompt: String,
    /// Chosen before the submit, so that a submit that was killed before its response can be found.
    idempotency_key: String,
    /// The handle, once the response to the submit has come.
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

/// The state of an earlier run, or a new state.
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

/// Writes a new file and renames it, so that the file is whole even if the program is killed.
fn write(file: &Path, pictures: &[Picture]) -> Result<(), Box<dyn std::error::Error>> {
    let new = file.with_extension("new");
    std::fs::write(&new, serde_json::to_vec_pretty(pictures)?)?;
    Ok(std::fs::rename(new, file)?)
}
