//! Turns the documents of `spec/` into the generated files: the types and clients of `clipia-api`, `clipia-admin` and
//! `clipia-remote`, and everything that lists the error codes. The stubs of `AsyncClipia` follow from those of `Clipia`.

mod calls;
mod document;
mod error_codes;
mod essential;
mod extended;
mod names;
mod nullable;
mod operations;
mod queries;
mod region;
mod shared;
mod stubs;

use anyhow::{Context, Result, bail};
use region::Region;
use similar::TextDiff;
use std::path::{Path, PathBuf};

/// The generated content of one file.
struct Generated {
    /// The path below the root.
    file: String,
    content: Content,
}

enum Content {
    /// The whole file.
    Whole(String),
    /// Regions of a file that is otherwise written by hand.
    Regions(Vec<Region>),
    /// A region of a file that follows from the rest of the file.
    Follows(fn(&str) -> Result<Region>),
}

impl Generated {
    fn whole(file: impl Into<String>, text: String) -> Self {
        Self { file: file.into(), content: Content::Whole(text) }
    }

    fn regions(file: &str, regions: Vec<Region>) -> Self {
        Self { file: file.to_owned(), content: Content::Regions(regions) }
    }

    fn follows(file: &str, region: fn(&str) -> Result<Region>) -> Self {
        Self { file: file.to_owned(), content: Content::Follows(region) }
    }

    /// The text that the file must have. `found` is its text now.
    fn wanted(self, found: &str) -> Result<String> {
        match self.content {
            Content::Whole(text) => Ok(text),
            Content::Regions(regions) => regions
                .iter()
                .try_fold(found.to_owned(), |text, region| region.replace(&text))
                .with_context(|| format!("writing into {}", self.file)),
            Content::Follows(region) => region(found)
                .and_then(|region| region.replace(found))
                .with_context(|| format!("writing into {}", self.file)),
        }
    }
}

/// Writes the generated files below `root`. With `check`, writes nothing and fails if a file differs from the spec.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for generated in generate(root)? {
        let file = generated.file.clone();
        let path = root.join(&file);
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let wanted = generated.wanted(&found)?;
        if found == wanted {
            continue;
        }
        if check {
            let diff = TextDiff::from_lines(&found, &wanted);
            print!("{}", diff.unified_diff().context_radius(3).header(&file, "what spec/ gives"));
            stale.push(file);
        } else {
            write(&path, &wanted)?;
            println!("wrote {file}");
        }
    }
    if !stale.is_empty() {
        bail!("{} differs from what spec/ gives: run `cargo xtask generate`", stale.join(" and "));
    }
    Ok(())
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Everything that the documents below `root` give.
fn generate(root: &Path) -> Result<Vec<Generated>> {
    let mut generated = Vec::new();
    for document in document::ALL {
        let path = root.join(document.spec);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        generated
            .extend(document.generate(&text).with_context(|| format!("generating from {}", document.spec))?);
    }
    generated.push(Generated::follows(stubs::FILE, stubs::asyncio));
    Ok(generated)
}

/// The first lines of a file that is generated from the document `spec`; `comment` begins a comment in its language.
fn header(comment: &str, spec: &str) -> String {
    format!("{comment} Generated from {spec} by `cargo xtask generate`. Do not edit.\n\n")
}
