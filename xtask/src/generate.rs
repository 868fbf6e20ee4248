//! Generates from `spec/openapi.yaml` a part of `clipia-api`, and all lists of the error codes.

mod calls;
mod error_codes;
mod essential;
mod region;

use anyhow::{Context, Result, bail};
use error_codes::ErrorCodes;
use progenitor::{GenerationSettings, Generator, InterfaceStyle, TypeImpl, TypePatch};
use region::Region;
use similar::TextDiff;
use std::path::{Path, PathBuf};
use syn::visit_mut::VisitMut;
use syn::{File, Item, ItemMod};

const SPEC: &str = "spec/openapi.yaml";
const TYPES: &str = "crates/clipia-api/src/generated_types.rs";
const CLIENT: &str = "crates/clipia-api/src/generated_client.rs";

/// Schemas whose type is written by hand: a generated type would fail on an unknown value, or would have no
/// meaning of its own. An error code stays the text that the server sent.
const BY_HAND: [(&str, &str); 8] = [
    ("Credits", "crate::Credits"),
    ("ErrorCode", "::std::string::String"),
    ("ModelType", "crate::ModelType"),
    ("Progress", "crate::Progress"),
    ("RequestId", "crate::RequestId"),
    ("Status", "crate::Status"),
    ("Timestamp", "jiff::Timestamp"),
    ("WebhookStatus", "crate::WebhookStatus"),
];

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
}

impl Generated {
    fn whole(file: impl Into<String>, text: String) -> Self {
        Self { file: file.into(), content: Content::Whole(text) }
    }

    fn regions(file: &str, regions: Vec<Region>) -> Self {
        Self { file: file.to_owned(), content: Content::Regions(regions) }
    }

    /// The text that the file must have. `found` is its text now.
    fn wanted(self, found: &str) -> Result<String> {
        match self.content {
            Content::Whole(text) => Ok(text),
            Content::Regions(regions) => regions
                .iter()
                .try_fold(found.to_owned(), |text, region| region.replace(&text))
                .with_context(|| format!("writing into {}", self.file)),
        }
    }
}

/// Writes the generated files below `root`. With `check`, writes nothing and fails if a file differs from the spec.
pub(crate) fn run(root: &Path, check: bool) -> Result<()> {
    let spec = root.join(SPEC);
    let text = std::fs::read_to_string(&spec).with_context(|| format!("reading {}", spec.display()))?;
    let mut stale = Vec::new();
    for generated in generate(&text)? {
        let file = generated.file.clone();
        let path = root.join(&file);
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let wanted = generated.wanted(&found)?;
        if found == wanted {
            continue;
        }
        if check {
            let diff = TextDiff::from_lines(&found, &wanted);
            print!("{}", diff.unified_diff().context_radius(3).header(&file, "what the spec gives"));
            stale.push(file);
        } else {
            write(&path, &wanted)?;
            println!("wrote {file}");
        }
    }
    if !stale.is_empty() {
        bail!("{} differs from {SPEC}: run `cargo xtask generate`", stale.join(" and "));
    }
    Ok(())
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// All generated files.
fn generate(spec: &str) -> Result<Vec<Generated>> {
    let mut spec: openapiv3::OpenAPI =
        serde_saphyr::from_str(spec).with_context(|| format!("parsing {SPEC}"))?;
    let error_codes = ErrorCodes::of(&spec)?;
    essential::require(&mut spec)?;
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Positional)
        .with_derive("PartialEq")
        .with_map_type("::std::collections::BTreeMap");
    settings.with_patch("Output", TypePatch::default().with_derive("Default"));
    for (schema, path) in BY_HAND {
        settings.with_replacement(schema, path, [TypeImpl::Display].into_iter());
    }
    let tokens = Generator::new(&settings).generate_tokens(&spec).context("generating from the spec")?;
    let mut file: File = syn::parse2(tokens).context("parsing what was generated")?;
    calls::Adjust.visit_file_mut(&mut file);
    let (mut types, client) = split(file)?;
    let reading = essential::read_leniently(&mut types)?;
    let mut generated =
        vec![Generated::whole(TYPES, render(types) + &reading), Generated::whole(CLIENT, render(client))];
    generated.extend(error_codes.generate()?);
    Ok(generated)
}

/// Separates the types from the client, so that the types can be built without reqwest.
fn split(file: File) -> Result<(Vec<Item>, Vec<Item>)> {
    let mut types = None;
    let mut client = vec![syn::parse_quote!(
        use crate::types;
    )];
    for item in file.items {
        match item {
            Item::Mod(ItemMod { ident, content: Some((_, items)), .. }) if ident == "types" => {
                types = Some(items)
            }
            Item::Mod(ItemMod { ident, .. }) if ident == "prelude" => {}
            other => client.push(other),
        }
    }
    Ok((types.context("the generator made no module `types`")?, client))
}

fn render(items: Vec<Item>) -> String {
    let file = File { shebang: None, attrs: Vec::new(), items };
    format!("{}{}", header("//"), prettyplease::unparse(&file))
}

/// The first lines of a generated file; `comment` begins a comment in its language.
fn header(comment: &str) -> String {
    format!("{comment} Generated from {SPEC} by `cargo xtask generate`. Do not edit.\n\n")
}
