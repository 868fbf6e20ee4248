//! The room that a running program takes on the disk.

use super::directory::JobDirectory;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often the room is measured. A program that fills the disk has so long.
const INTERVAL: Duration = Duration::from_millis(500);

/// The most files and directories of a job: more cannot be measured and removed in a reasonable time.
const ENTRIES_MAX: usize = 20_000;

/// How many times the most bytes of an output the working directory may have.
const WORK_FACTOR: u64 = 4;

/// What a program has taken too much of.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMuch {
    #[error("the program made more than {} MiB of files, which is its `output_bytes_max`", mebibytes(*.0))]
    Output(u64),
    #[error("the program left more than {} MiB in its working directory, four times its `output_bytes_max`", mebibytes(*.0))]
    Work(u64),
    #[error("the program made more than {ENTRIES_MAX} files")]
    Entries,
}

/// A figure for people: a limit below one mebibyte is shown as a fraction.
fn mebibytes(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes % MIB {
        0 => (bytes / MIB).to_string(),
        _ => format!("{:.2}", bytes as f64 / MIB as f64),
    }
}

/// Waits until the program in `directory` has taken too much.
pub(super) async fn exceeded(directory: &Arc<JobDirectory>, output_bytes_max: u64) -> TooMuch {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let measured = Arc::clone(directory);
        let checked = tokio::task::spawn_blocking(move || check(&measured, output_bytes_max));
        // What cannot be measured is measured the next time.
        if let Ok(Err(too_much)) = checked.await {
            return too_much;
        }
    }
}

/// Whether a job has taken too much.
pub(super) fn check(directory: &JobDirectory, output_bytes_max: u64) -> Result<(), TooMuch> {
    let mut entries = 0;
    if bytes_below(&directory.output(), &mut entries)? > output_bytes_max {
        return Err(TooMuch::Output(output_bytes_max));
    }
    let work_bytes_max = output_bytes_max.saturating_mul(WORK_FACTOR);
    if bytes_below(&directory.work(), &mut entries)? > work_bytes_max {
        return Err(TooMuch::Work(work_bytes_max));
    }
    Ok(())
}

/// The bytes of the files below `path`. No link is followed. What vanishes meanwhile counts as nothing.
fn bytes_below(path: &Path, entries: &mut usize) -> Result<u64, TooMuch> {
    let (mut below, mut bytes) = (vec![path.to_path_buf()], 0_u64);
    while let Some(directory) = below.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            *entries += 1;
            if *entries > ENTRIES_MAX {
                return Err(TooMuch::Entries);
            }
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => below.push(entry.path()),
                Ok(metadata) if metadata.is_file() => bytes = bytes.saturating_add(metadata.len()),
                _ => {}
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clipia_queue::RequestId;

    #[test]
    fn what_is_made_is_measured() {
        let jobs = tempfile::tempdir().unwrap();
        let directory = JobDirectory::for_job(jobs.path(), RequestId::generate()).unwrap();
        std::fs::create_dir(directory.output().join("below")).unwrap();
        std::fs::write(directory.output().join("below/file"), [0; 1_000]).unwrap();
        assert_eq!(check(&directory, 1_000), Ok(()));
        assert_eq!(check(&directory, 999), Err(TooMuch::Output(999)));
        std::fs::write(directory.work().join("file"), [0; 4_001]).unwrap();
        assert_eq!(check(&directory, 1_000), Err(TooMuch::Work(4_000)));
        assert_eq!(
            TooMuch::Output(2 << 20).to_string().split(" of").next(),
            Some("the program made more than 2 MiB")
        );
    }
}
