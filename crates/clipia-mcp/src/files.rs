//! The files of this machine that a call may read and write: those inside the directories that the operator allowed.
//!
//! A path is made absolute, links are followed, and only then it is compared. So neither `..` nor a link leads out of a directory.

use crate::refusal::Refusal;
use crate::settings::Settings;
use std::io;
use std::path::{Component, Path, PathBuf};
use url::Url;

/// The directories that are allowed.
pub(crate) struct Files {
    /// The directory of every saved file, unless a call names another.
    save_to: Option<PathBuf>,
    /// Absolute and without links. The directory of saved files is one of them.
    allowed: Vec<PathBuf>,
}

impl Files {
    /// Makes the directory of saved files, and finds the others.
    pub(crate) fn new(settings: &Settings) -> Result<Self, (PathBuf, io::Error)> {
        let whole = |path: &PathBuf| path.canonicalize().map_err(|error| (path.clone(), error));
        let save_to = match &settings.save_to {
            Some(path) => {
                std::fs::create_dir_all(path).map_err(|error| (path.clone(), error))?;
                Some(whole(path)?)
            }
            None => None,
        };
        let mut allowed: Vec<PathBuf> = settings.allowed.iter().map(whole).collect::<Result<_, _>>()?;
        allowed.extend(save_to.clone());
        Ok(Self { save_to, allowed })
    }

    /// The file that an input names: a path, or a `file:` URL.
    pub(crate) fn readable(&self, text: &str) -> Result<PathBuf, Refusal> {
        let path = path_of(text);
        let whole = path.canonicalize().map_err(|error| {
            Refusal::new(format!("Cannot read `{}`: {error}. Nothing was submitted.", path.display()))
        })?;
        self.check(&whole, text)?;
        Ok(whole)
    }

    /// The directory in which the files of a generation are saved: the one that the call names, or else the operator's. `None` if
    /// they are not saved.
    pub(crate) fn saved_in(&self, named: Option<&str>) -> Result<Option<PathBuf>, Refusal> {
        let Some(text) = named else { return Ok(self.save_to.clone()) };
        let path = path_of(text);
        let unusable =
            |error: io::Error| Refusal::new(format!("Cannot save files in `{}`: {error}.", path.display()));
        let path = std::path::absolute(&path).map_err(unusable)?;
        // What is there of the path is followed. The rest is made later, and must be plain names.
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(&path);
        let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
        if !rest.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Refusal::new(format!("Cannot save files in `{text}`: the path has `..` in it.")));
        }
        let whole = there.canonicalize().map_err(unusable)?.join(rest);
        self.check(&whole, text)?;
        Ok(Some(whole))
    }

    fn check(&self, path: &Path, named: &str) -> Result<(), Refusal> {
        if self.allowed.iter().any(|allowed| path.starts_with(allowed)) {
            return Ok(());
        }
        let directories: Vec<String> =
            self.allowed.iter().map(|path| format!("`{}`", path.display())).collect();
        Err(Refusal::new(match directories.as_slice() {
            [] => format!(
                "`{named}` is a path, and no directory is allowed: the person can start `clipia mcp` with `--allow-dir`. An https URL needs nothing."
            ),
            _ => format!("`{named}` is not inside an allowed directory: {}.", directories.join(", ")),
        }))
    }
}

/// Whether the value of an input is a path, and not a URL.
pub(crate) fn is_path(text: &str) -> bool {
    !["http://", "https://", "data:"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
    })
}

fn path_of(text: &str) -> PathBuf {
    let url = text.starts_with("file:").then(|| Url::parse(text).ok()?.to_file_path().ok());
    url.flatten().unwrap_or_else(|| PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_path_or_a_url() {
        for url in ["https://a/b.png", "HTTP://a", "data:image/png;base64,AA"] {
            assert!(!is_path(url), "{url}");
        }
        for path in ["fox.png", "/tmp/fox.png", "./http/fox.png", "file:///tmp/fox.png", "C:\\fox.png", "é"]
        {
            assert!(is_path(path), "{path}");
        }
    }

    #[test]
    fn nothing_leads_out_of_an_allowed_directory() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, outside) = (directory.path().join("in"), directory.path().join("out"));
        for path in [&inside, &outside] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("fox.png"), "a fox").unwrap();
        }
        let settings = Settings { allowed: vec![inside.clone()], ..Settings::default() };
        let files = Files::new(&settings).unwrap_or_else(|(path, error)| panic!("{path:?}: {error}"));
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let reads = |path: PathBuf| files.readable(&text(path)).is_ok();
        assert!(reads(inside.join("fox.png")) && reads(inside.join("../in/fox.png")));
        assert!(files.readable(Url::from_file_path(inside.join("fox.png")).unwrap().as_str()).is_ok());
        assert!(!reads(outside.join("fox.png")) && !reads(inside.join("../out/fox.png")));
        assert!(!reads(inside.join("wolf.png")));
        let saves = |path: PathBuf| files.saved_in(Some(&text(path))).is_ok();
        assert!(saves(inside.clone()) && saves(inside.join("art/foxes")));
        assert!(!saves(outside.join("art")) && !saves(inside.join("art/../../out")));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
            assert!(!reads(inside.join("link/fox.png")) && !saves(inside.join("link/art")));
        }
        assert_eq!(files.saved_in(None).unwrap(), None);
        let refused = files.readable(&text(outside.join("fox.png"))).unwrap_err();
        assert!(refused.0.contains("is not inside an allowed directory: `"), "{refused:?}");
    }

    #[test]
    fn files_are_saved_where_the_operator_says() {
        let directory = tempfile::tempdir().unwrap();
        let art = directory.path().join("art");
        let settings = Settings { save_to: Some(art.clone()), ..Settings::default() };
        let files = Files::new(&settings).unwrap_or_else(|(path, error)| panic!("{path:?}: {error}"));
        let art = art.canonicalize().unwrap();
        assert_eq!(files.saved_in(None).unwrap(), Some(art.clone()));
        let foxes = art.join("foxes");
        assert_eq!(files.saved_in(foxes.to_str()).unwrap(), Some(foxes));
        let none =
            Files::new(&Settings::default()).unwrap_or_else(|(path, error)| panic!("{path:?}: {error}"));
        assert!(none.saved_in(Some("art")).unwrap_err().0.contains("--allow-dir"));
    }
}
