//! The files of emulated outputs. Each set of files is made once and then used for every request that asks for it.

use crate::words::ScriptedOutput;
use clipia_api::ModelType;
use clipia_render::{ClipOrder, PictureOrder, RenderError};
use clipia_worker::collect::{CollectError, collect};
use clipia_worker::{JobError, JobOutput};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};
use tokio::sync::{Mutex, OnceCell};

/// What is drawn and spoken.
const PROMPT: &str = "a lighthouse in a storm";

/// The size of a picture or clip, if nothing else is said: small, since nobody looks at it.
const SIDES: (u32, u32) = (256, 144);

/// How long a clip or a sound plays, if nothing else is said.
const PLAYS: Duration = Duration::from_secs(1);

/// The most bytes of the files of one output.
const BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// A file that was named cannot be read.
    #[error(
        "`@output={name}`: {source}; the path is looked up in the directory in which the emulator was started"
    )]
    File {
        /// The path as it was written.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// A file that was named is none that a caller may have.
    #[error(
        "`@output={name}` is not below the directory in which the emulator was started: callers may have the files there and no others"
    )]
    Outside {
        /// The path as it was written.
        name: String,
    },
    /// A picture, clip or sound cannot be made so.
    #[error("`@output={output}`: {source}")]
    Made {
        /// The output as it was written.
        output: String,
        /// The cause.
        source: RenderError,
    },
    /// The files were made, and are no output.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The directory of the emulator cannot be written.
    #[error("an output cannot be kept: {0}")]
    Directory(io::Error),
    /// The process ends.
    #[error("the emulator is stopping")]
    Ending,
}

impl From<OutputError> for JobError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Directory(_) => Self::Unavailable(error.to_string()),
            OutputError::Ending => Self::Stopped,
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// The outputs that were made so far.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// The directory that has a directory for each set of files.
    directory: PathBuf,
    /// The directory of the files that scripts may name.
    named: PathBuf,
    /// Each set by the words for it.
    made: Mutex<HashMap<String, Arc<OnceCell<PathBuf>>>>,
}

impl Outputs {
    /// No outputs yet. Their files are kept below `directory`; those that scripts name are below `named`.
    pub(crate) fn new(directory: PathBuf, named: PathBuf) -> Self {
        Self { directory, named, made: Mutex::default() }
    }

    /// The output of these files; of a small sample of the model's type where there is none.
    ///
    /// # Errors
    /// [`OutputError`].
    pub(crate) async fn of(
        &self,
        outputs: &[ScriptedOutput],
        model: &ModelType,
    ) -> Result<JobOutput, OutputError> {
        let sample = [sample(model)];
        let outputs = if outputs.is_empty() { &sample } else { outputs };
        let name = outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let (cell, number) = {
            let mut made = self.made.lock().await;
            let number = made.len();
            (Arc::clone(made.entry(name).or_default()), number)
        };
        let directory = cell
            .get_or_try_init(|| async {
                let (directory, outputs) = (self.directory.join(number.to_string()), outputs.to_vec());
                let named = self.named.clone();
                let made = tokio::task::spawn_blocking(move || {
                    make(&directory, &named, &outputs).map(|()| directory)
                });
                made.await.unwrap_or(Err(OutputError::Ending))
            })
            .await?;
        let is_drawn = outputs.iter().any(|output| !matches!(output, ScriptedOutput::File(_)));
        let extra = is_drawn.then(|| ("procedural".to_owned(), Value::Bool(true)));
        let (output, files) = collect(directory, BYTES_MAX, Map::from_iter(extra)).await?;
        Ok(JobOutput { output, files })
    }
}

/// A small sample for a type of model.
fn sample(model: &ModelType) -> ScriptedOutput {
    let (width, height) = SIDES;
    match model {
        ModelType::Video => ScriptedOutput::Video { width, height, duration: PLAYS },
        ModelType::Audio => ScriptedOutput::Audio { duration: PLAYS },
        _ => ScriptedOutput::Image { width, height },
    }
}

/// Reads a file that a script names. Whoever reaches the emulator may submit, and must not read all files of the machine thereby; so
/// the path may not lead out of `root`, neither by itself nor by a link.
fn read(root: &Path, name: &str) -> Result<Vec<u8>, OutputError> {
    let file = |source| OutputError::File { name: name.to_owned(), source };
    let (root, path) = (root.canonicalize().map_err(file)?, root.join(name).canonicalize().map_err(file)?);
    if !path.starts_with(&root) {
        return Err(OutputError::Outside { name: name.to_owned() });
    }
    fs::read(path).map_err(file)
}

/// Writes the files of an output into a new directory.
fn make(directory: &Path, named: &Path, outputs: &[ScriptedOutput]) -> Result<(), OutputError> {
    fs::create_dir_all(directory).map_err(OutputError::Directory)?;
    for (number, output) in (1..).zip(outputs) {
        let made = |source| OutputError::Made { output: output.to_string(), source };
        let mut on = |_: u8| ControlFlow::Continue(());
        let (name, bytes) = match output {
            ScriptedOutput::File(path) => {
                let bytes = read(named, path)?;
                let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
                (format!("{number}-{name}"), bytes)
            }
            ScriptedOutput::Image { width, height } => {
                let (width, height) = (*width, *height);
                let order =
                    PictureOrder { prompt: PROMPT.to_owned(), negative_prompt: None, seed: 1, width, height };
                let picture = clipia_render::picture(&order, &mut on).map_err(made)?;
                (format!("image-{number}.png"), picture.png)
            }
            ScriptedOutput::Video { width, height, duration } => {
                let order = ClipOrder {
                    prompt: PROMPT.to_owned(),
                    seed: 1,
                    width: *width,
                    height: *height,
                    duration_seconds: duration.as_secs_f64(),
                    source: None,
                };
                (format!("video-{number}.mp4"), clipia_render::clip(&order, &mut on).map_err(made)?.mp4)
            }
            ScriptedOutput::Audio { duration } => {
                let silence = clipia_render::silence(duration.as_secs_f64()).map_err(made)?;
                (format!("audio-{number}.wav"), silence.wav)
            }
        };
        fs::write(directory.join(name), bytes).map_err(OutputError::Directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_come_as_they_were_asked_for_and_a_sample_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("notes.txt"), "hello").unwrap();
        let outputs = Outputs::new(directory.path().join("outputs"), directory.path().to_owned());
        let sample = outputs.of(&[], &ModelType::Image).await.unwrap().output;
        assert_eq!((sample.images[0].width, sample.images[0].height), (Some(256), Some(144)));
        let asked =
            [ScriptedOutput::Image { width: 64, height: 32 }, ScriptedOutput::File("notes.txt".to_owned())];
        for _ in 0..2 {
            let made = outputs.of(&asked, &ModelType::Video).await.unwrap().output;
            assert_eq!((made.images[0].width, made.images[0].height), (Some(64), Some(32)));
            assert_eq!((made.files[0].file_size, made.video.is_some()), (Some(5), false));
        }
        let sound = outputs.of(&[], &ModelType::Audio).await.unwrap().output;
        assert_eq!(sound.audio.unwrap().extra["duration"].as_f64(), Some(1.0));
        assert!(outputs.of(&[], &ModelType::Video).await.unwrap().output.video.is_some());
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_or_elsewhere_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let named = directory.path().join("named");
        fs::create_dir(&named).unwrap();
        let secret = directory.path().join("secret.txt");
        fs::write(&secret, "secret").unwrap();
        let outputs = Outputs::new(directory.path().join("outputs"), named.clone());
        let error = async |path: &str| {
            let file = [ScriptedOutput::File(path.to_owned())];
            outputs.of(&file, &ModelType::Image).await.err().unwrap().to_string()
        };
        assert!(error("no/such/fox.png").await.starts_with("`@output=no/such/fox.png`: "));
        #[cfg(unix)]
        std::os::unix::fs::symlink(&secret, named.join("link.txt")).unwrap();
        let elsewhere = ["../secret.txt", secret.to_str().unwrap(), "link.txt"];
        for path in &elsewhere[..if cfg!(unix) { 3 } else { 2 }] {
            let error = error(path).await;
            assert!(error.contains("is not below the directory"), "{path}: {error}");
        }
        // By its whole path, too.
        fs::write(named.join("notes.txt"), "hello").unwrap();
        let whole = [ScriptedOutput::File(named.join("notes.txt").to_string_lossy().into_owned())];
        assert_eq!(outputs.of(&whole, &ModelType::Image).await.unwrap().output.files[0].file_size, Some(5));
    }
}
