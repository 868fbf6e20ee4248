//! The generated code: a snapshot of its public items for reviewers, and the check that code and spec agree.

use crate::support::{cargo, repository};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Fields, File, ImplItem, Item, Type, TypePath, Visibility};

const SPEC: &str = "spec/openapi.yaml";
const ADMINISTRATION: &str = "spec/administration.yaml";
const WORKERS: &str = "spec/workers.yaml";
const TYPES: &str = "crates/clipia-api/src/generated_types.rs";
const CLIENT: &str = "crates/clipia-api/src/generated_client.rs";
const ADMINISTRATION_TYPES: &str = "crates/clipia-admin/src/generated_types.rs";
const ADMINISTRATION_CLIENT: &str = "crates/clipia-admin/src/generated_client.rs";
const WORKERS_TYPES: &str = "crates/clipia-remote/src/generated_types.rs";
const WORKERS_CLIENT: &str = "crates/clipia-remote/src/generated_client.rs";
const OPERATION: &str = "crates/clipia-admin/src/generated_operation.rs";

#[test]
fn the_public_surface_is_the_one_reviewed() {
    let settings = {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings
    };
    settings.bind(|| {
        insta::assert_snapshot!("generated_types", surface(TYPES));
        insta::assert_snapshot!("generated_client", surface(CLIENT));
        insta::assert_snapshot!("generated_administration_types", surface(ADMINISTRATION_TYPES));
        insta::assert_snapshot!("generated_administration_client", surface(ADMINISTRATION_CLIENT));
        insta::assert_snapshot!("generated_workers_types", surface(WORKERS_TYPES));
        insta::assert_snapshot!("generated_workers_client", surface(WORKERS_CLIENT));
    });
}

#[test]
fn a_change_of_the_spec_is_found_and_repaired() {
    let root = tempfile::tempdir().unwrap();
    for file in generated() {
        let to = root.path().join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(repository().join(file), to).unwrap();
    }
    assert!(generate(root.path(), &["--check"]).status.success());

    let spec = root.path().join(SPEC);
    let before = fs::read_to_string(&spec).unwrap();
    let video = "    Video:\n      description: One video.\n      type: object\n      required: [url]\n      properties:\n";
    let after = before.replace(
        video,
        &format!("{video}        frames:\n          type: integer\n          format: uint64\n"),
    );
    let after =
        after.replacen("        - code: not_found\n", &format!("{TEAPOT}        - code: not_found\n"), 1);
    assert!(after.contains("frames:") && after.contains(TEAPOT), "{after}");
    fs::write(&spec, after).unwrap();
    let administration = root.path().join(ADMINISTRATION);
    let before = fs::read_to_string(&administration).unwrap();
    fs::write(administration, before.replace("  /audit:\n", &format!("{KETTLE}  /audit:\n"))).unwrap();

    let refused = generate(root.path(), &["--check"]);
    assert!(!refused.status.success());
    let diff = String::from_utf8(refused.stdout).unwrap();
    assert!(diff.contains("+    pub frames: ::std::option::Option<u64>,"), "{diff}");
    let advice = String::from_utf8(refused.stderr).unwrap();
    assert!(advice.contains("run `cargo xtask generate`"), "{advice}");

    assert!(generate(root.path(), &[]).status.success());
    assert!(generate(root.path(), &["--check"]).status.success());
    let has = |file: &str, text: &str| fs::read_to_string(root.path().join(file)).unwrap().contains(text);
    assert!(has(TYPES, "pub frames:"));
    for (file, text) in [
        (OPERATION, "Self::BoilKettle => \"/kettles/{kettle}\","),
        (ADMINISTRATION_TYPES, "pub struct BoilKettleQuery"),
        (ADMINISTRATION_CLIENT, "pub async fn boil_kettle<'a>("),
        ("crates/clipia-api/src/generated_error_code.rs", "Self::ShortAndStout => 418,"),
        ("crates/clipia/src/error.rs", "    ShortAndStout(Box<ApiError>),"),
        ("crates/clipia/src/error/generated_of_code.rs", "Self::ShortAndStout(api)"),
        ("bindings/python/python/clipia_queue/_generated_exceptions.py", "class Teapot(ClipiaApiError):"),
        ("bindings/python/python/clipia_queue/__init__.py", "    \"Teapot\",\n"),
        ("bindings/python/src/generated_exceptions.rs", "Error::ShortAndStout(_) => Teapot::new_err,"),
        ("spec/examples/ErrorEnvelope.short_and_stout.json", "tip me over"),
    ] {
        assert!(has(file, text), "{file} has no `{text}`");
    }
}

/// An error code that the spec does not have.
const TEAPOT: &str = "        - code: short_and_stout
          python: Teapot
          status: 418
          type: invalid_request_error
          retry: false
          meaning: The server is a teapot.
          remedy: Ask a coffee machine.
          example: tip me over
";

/// A call that the administration does not have.
const KETTLE: &str = "  /kettles/{kettle}:
    post:
      operationId: boil_kettle
      parameters:
        - { name: kettle, in: path, required: true, schema: { type: string } }
        - { name: degrees, in: query, schema: { type: integer, format: uint32, minimum: 0 } }
      responses:
        '200': { $ref: '#/components/responses/Done' }
        4XX: { $ref: '#/components/responses/ClientError' }
";

/// The documents, and every file of which they give all or some lines.
fn generated() -> Vec<PathBuf> {
    let mut files = [SPEC, ADMINISTRATION, WORKERS].map(PathBuf::from).to_vec();
    for directory in ["crates", "bindings/python/src", "bindings/python/python", "spec/examples"] {
        collect(&repository().join(directory), &mut files);
    }
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path
            .extension()
            .is_some_and(|ending| ["rs", "py", "pyi", "json"].iter().any(|of| ending == *of))
        {
            let text = fs::read_to_string(&path).unwrap().to_lowercase();
            let is_example = path.to_string_lossy().contains("ErrorEnvelope");
            let marks = ["generated from spec/", "generated from the classes"];
            if is_example || marks.iter().any(|mark| text.contains(mark)) {
                files.push(path.strip_prefix(repository()).unwrap().to_owned());
            }
        }
    }
}

fn generate(root: &Path, flags: &[&str]) -> Output {
    // The program of the tasks as the tests have built it, or else a new build.
    let mut xtask = std::env::var_os("CLIPIA_TEST_XTASK").map_or_else(
        || {
            let mut run = cargo();
            run.args(["run", "--quiet", "--package", "xtask", "--features", "generate", "--"]);
            run
        },
        Command::new,
    );
    xtask.args(["generate", "--root"]).arg(root).args(flags);
    xtask.output().unwrap()
}

/// The public items of a file, without comments and bodies.
fn surface(path: &str) -> String {
    let mut file: File = syn::parse_file(&fs::read_to_string(repository().join(path)).unwrap()).unwrap();
    Surface.visit_file_mut(&mut file);
    prettyplease::unparse(&file)
}

/// Reduces code to its public surface.
struct Surface;

impl VisitMut for Surface {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| match item {
            Item::Use(item) => is_public(&item.vis),
            Item::Mod(item) => is_public(&item.vis),
            _ => true,
        });
        visit_mut::visit_file_mut(self, file);
    }

    /// Keeps derives, and the names on the wire that differ.
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        attributes.retain_mut(|attribute| {
            if attribute.path().is_ident("serde") {
                let mut renamed = None;
                let _ = attribute.parse_nested_meta(|meta| {
                    let value: Option<syn::LitStr> = meta.value().ok().and_then(|value| value.parse().ok());
                    if meta.path.is_ident("rename") {
                        renamed = value;
                    }
                    Ok(())
                });
                if let Some(name) = &renamed {
                    *attribute = syn::parse_quote!(#[serde(rename = #name)]);
                }
                renamed.is_some()
            } else {
                attribute.path().is_ident("derive")
            }
        });
    }

    fn visit_fields_mut(&mut self, fields: &mut Fields) {
        if let Fields::Named(named) = fields {
            named.named =
                std::mem::take(&mut named.named).into_iter().filter(|field| is_public(&field.vis)).collect();
        }
        visit_mut::visit_fields_mut(self, fields);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        // The trait says which methods it has.
        let inherent = item.trait_.is_none();
        item.items
            .retain(|item| matches!(item, ImplItem::Fn(function) if inherent && is_public(&function.vis)));
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.clear();
    }

    /// `::std::option::Option<T>` is an `Option<T>`.
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(TypePath { qself: None, path }) = ty
            && path.leading_colon.is_some()
        {
            path.leading_colon = None;
            path.segments = std::mem::take(&mut path.segments).into_iter().next_back().into_iter().collect();
        }
        visit_mut::visit_type_mut(self, ty);
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}
