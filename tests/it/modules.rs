//! The modules of the SDK: which of them use which.

use crate::support::repository;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// A path of modules from the root of the crate; the root has none.
type Module = Vec<String>;

#[test]
fn no_modules_of_the_sdk_use_each_other_in_a_circle() {
    let files = files(&repository().join("crates/clipia/src"));
    assert!(files.len() > 40, "{:?}", files.keys());
    let uses: BTreeMap<&Module, BTreeSet<Module>> =
        files.iter().map(|(module, file)| (module, uses(module, file, &files))).collect();
    let circles = only_circles(uses);
    let circles: Vec<String> = circles
        .iter()
        .flat_map(|(module, used)| {
            used.iter().map(|used| format!("{} → {}", module.join("::"), used.join("::")))
        })
        .collect();
    assert!(circles.is_empty(), "these uses are parts of circles:\n{}", circles.join("\n"));
}

/// Takes away modules that use no other, and those that no other uses, until only circles and what ties them are left.
fn only_circles(mut uses: BTreeMap<&Module, BTreeSet<Module>>) -> BTreeMap<&Module, BTreeSet<Module>> {
    loop {
        let before = uses.len();
        let users: BTreeSet<Module> = uses.keys().map(|module| (*module).clone()).collect();
        uses.values_mut().for_each(|used| used.retain(|used| users.contains(used)));
        let used: BTreeSet<Module> = uses.values().flatten().cloned().collect();
        uses.retain(|module, using| !using.is_empty() && used.contains(*module));
        if uses.len() == before {
            return uses;
        }
    }
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let parsed = |text: &str| syn::parse_file(text).unwrap();
    let module = |path: &str| -> Module { path.split("::").map(str::to_owned).collect() };
    for text in [
        "use crate::b::One;",
        "use super::b::{One, Two as Other};",
        "use super::{c, b::*};",
        "fn f() { super::b::one() }",
        "fn f(b: crate::b::One) {}",
        "mod inner { fn f() -> crate::b::One { todo() } }",
    ] {
        let files = [("a", text), ("b", ""), ("c", "")].map(|(name, text)| (module(name), parsed(text)));
        let files = BTreeMap::from(files);
        assert!(uses(&module("a"), &files[&module("a")], &files).contains(&module("b")), "{text}");
    }
    let tests = parsed("#[cfg(test)] mod tests { use crate::b::One; }");
    let files = BTreeMap::from([(module("a"), parsed("")), (module("b"), parsed(""))]);
    assert!(uses(&module("a"), &tests, &files).is_empty());
}

/// The files of a crate by their modules, without those of tests.
fn files(root: &Path) -> BTreeMap<Module, syn::File> {
    let mut files = BTreeMap::new();
    read(root, &root.join("lib.rs"), &Module::new(), &mut files);
    files
}

fn read(within: &Path, path: &Path, module: &Module, files: &mut BTreeMap<Module, syn::File>) {
    let file = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
    for item in &file.items {
        let Item::Mod(declared) = item else { continue };
        if declared.content.is_some() || is_of_tests(&declared.attrs) {
            continue;
        }
        let name = declared.ident.to_string();
        let (below, alone) = (within.join(&name), within.join(format!("{name}.rs")));
        let path = if alone.exists() { alone } else { below.join("mod.rs") };
        let module = module.iter().cloned().chain([name]).collect();
        read(&below, &path, &module, files);
    }
    files.insert(module.clone(), file);
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// The other modules that a module uses.
fn uses(module: &Module, file: &syn::File, files: &BTreeMap<Module, syn::File>) -> BTreeSet<Module> {
    let mut paths = Paths::default();
    paths.visit_file(file);
    let resolve = |path: &Vec<String>| -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let full: Vec<String> = match first.as_str() {
            "crate" => rest.to_vec(),
            "self" => module.iter().chain(rest).cloned().collect(),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let base = module.get(..module.len().checked_sub(ups)?)?;
                base.iter().chain(&path[ups..]).cloned().collect()
            }
            // A child by its name alone.
            _ => module.iter().chain(path).cloned().collect(),
        };
        let known = (0..=full.len()).rev().map(|length| full[..length].to_vec());
        let found = known.into_iter().find(|module| files.contains_key(module))?;
        // A name that is neither `crate` nor a child belongs to another crate.
        let own = matches!(first.as_str(), "crate" | "self" | "super") || found.len() > module.len();
        own.then_some(found)
    };
    paths.0.iter().filter_map(resolve).filter(|found| found != module).collect()
}

/// The paths that code names, outside tests.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn of_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.of_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.0.push(with(&name.ident)),
            UseTree::Rename(name) => self.0.push(with(&name.ident)),
            UseTree::Glob(_) => self.0.push(before.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.of_tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let of_tests = match item {
            Item::Mod(item) => is_of_tests(&item.attrs),
            Item::Fn(item) => is_of_tests(&item.attrs),
            Item::Impl(item) => is_of_tests(&item.attrs),
            Item::Use(item) => is_of_tests(&item.attrs),
            _ => false,
        };
        if !of_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.of_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }
}
