//! The documents of `spec/`, and the types, client and list of operations that each gives.

use super::error_codes::ErrorCodes;
use super::{Generated, calls, essential, extended, header, nullable, operations, queries, shared};
use anyhow::{Context, Result};
use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, InterfaceStyle, TypeImpl, TypePatch};
use syn::visit_mut::VisitMut;
use syn::{File, Item, ItemMod};

/// A document of `spec/`, and what the files generated from it are.
pub(super) struct Document {
    /// Its path below the root.
    pub(super) spec: &'static str,
    /// The directory of the generated files.
    source: &'static str,
    /// Schemas whose type is written by hand, each with the type.
    by_hand: &'static [(&'static str, &'static str)],
    /// Types that are also given a `Default`.
    with_default: &'static [&'static str],
    /// What else is generated from it.
    kind: Kind,
}

enum Kind {
    /// The queue's API: programs of other versions call it. What depends on the error codes is generated too.
    Queue,
    /// An API of which this project writes both sides. A type for the query of each call and the list of the operations
    /// are generated too, for the server, and the client's calls fail with this error.
    BothSides { error: &'static str },
}

/// The path of the queue's document, which lists the error codes.
pub(super) const QUEUE_SPEC: &str = "spec/openapi.yaml";

/// Every document.
pub(super) const ALL: [Document; 3] = [
    Document {
        spec: QUEUE_SPEC,
        source: "crates/clipia-api/src",
        // A generated type would fail on a value that it does not know, or carry no meaning. An error code stays the text
        // that the server sent.
        by_hand: &[
            ("Credits", "crate::Credits"),
            ("ErrorCode", "::std::string::String"),
            ("ModelType", "crate::ModelType"),
            ("Progress", "crate::Progress"),
            ("RequestId", "crate::RequestId"),
            ("Status", "crate::Status"),
            ("Timestamp", "jiff::Timestamp"),
            ("WebhookStatus", "crate::WebhookStatus"),
        ],
        with_default: &["Output"],
        kind: Kind::Queue,
    },
    Document {
        spec: "spec/administration.yaml",
        source: "crates/clipia-admin/src",
        // The schemas of the queue's document have their types already. A secret must not appear in `Debug`.
        by_hand: &[
            ("Credits", "clipia_api::Credits"),
            ("ErrorEnvelope", "clipia_api::types::ErrorEnvelope"),
            ("Progress", "clipia_api::Progress"),
            ("RequestId", "clipia_api::RequestId"),
            ("Secret", "crate::Secret"),
            ("Status", "clipia_api::Status"),
            ("Timestamp", "jiff::Timestamp"),
        ],
        with_default: &["KeyLimits", "ListAuditQuery", "ListDeliveriesQuery", "ListRequestsQuery"],
        kind: Kind::BothSides { error: "crate::AdministrationError" },
    },
    Document {
        spec: "spec/workers.yaml",
        source: "crates/clipia-remote/src",
        by_hand: &[
            ("ErrorEnvelope", "clipia_api::types::ErrorEnvelope"),
            ("Model", "clipia_api::types::Model"),
            ("Output", "clipia_api::types::Output"),
            ("Progress", "clipia_api::Progress"),
            ("RequestId", "clipia_api::RequestId"),
        ],
        with_default: &["LoggedLines"],
        kind: Kind::BothSides { error: "crate::CallError" },
    },
];

impl Document {
    /// Every file that the document gives; `text` is its text.
    pub(super) fn generate(&self, text: &str) -> Result<Vec<Generated>> {
        let (text, shared) = shared::resolve(text);
        let mut spec: OpenAPI = serde_saphyr::from_str(&text).context("parsing")?;
        shared::declare(&shared, self.by_hand, &mut spec)?;
        let mut generated = Vec::new();
        match self.kind {
            Kind::Queue => generated.extend(ErrorCodes::of(&spec)?.generate()?),
            Kind::BothSides { .. } => {
                queries::describe(&mut spec)?;
                generated.push(self.file("generated_operation.rs", &operations::list(&spec)));
            }
        }
        essential::require(&mut spec)?;
        let extended = extended::nest(&mut spec);
        let tokens = Generator::new(&self.settings()).generate_tokens(&spec)?;
        let mut file: File = syn::parse2(tokens).context("parsing what was generated")?;
        calls::Adjust.visit_file_mut(&mut file);
        if let Kind::BothSides { error } = self.kind {
            calls::FailWith(syn::parse_str(error)?).visit_file_mut(&mut file);
        }
        let (mut types, client) = split(file)?;
        extended::flatten(&mut types, &extended);
        nullable::read_missing(&mut types);
        let reading = essential::read_leniently(&mut types)?;
        generated.push(self.file("generated_types.rs", &(unparse(types) + &reading)));
        generated.push(self.file("generated_client.rs", &unparse(client)));
        Ok(generated)
    }

    fn settings(&self) -> GenerationSettings {
        let mut settings = GenerationSettings::new();
        settings
            .with_interface(InterfaceStyle::Positional)
            .with_derive("PartialEq")
            .with_map_type("::std::collections::BTreeMap");
        for name in self.with_default {
            settings.with_patch(*name, TypePatch::default().with_derive("Default"));
        }
        for (schema, path) in self.by_hand {
            settings.with_replacement(schema, path, [TypeImpl::Display].into_iter());
        }
        settings
    }

    fn file(&self, name: &str, code: &str) -> Generated {
        Generated::whole(format!("{}/{name}", self.source), header("//", self.spec) + code)
    }
}

/// Takes the types apart from the client, so that the types can be had without reqwest.
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

fn unparse(items: Vec<Item>) -> String {
    prettyplease::unparse(&File { shebang: None, attrs: Vec::new(), items })
}
