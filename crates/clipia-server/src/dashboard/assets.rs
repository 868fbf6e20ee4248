//! The styles and scripts of the pages. They are in the program, and their addresses change with their content.

use super::page_error::PageError;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file: its name, its type, and its content.
struct Asset {
    name: &'static str,
    content_type: HeaderValue,
    content: &'static str,
}

const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

/// `htmx.js` is htmx 4.0.1 with its extension for server-sent events, both as released.
const ASSETS: [Asset; 4] = [
    Asset {
        name: "dashboard.css",
        content_type: HeaderValue::from_static("text/css; charset=utf-8"),
        content: include_str!("assets/dashboard.css"),
    },
    Asset { name: "dashboard.js", content_type: SCRIPT, content: include_str!("assets/dashboard.js") },
    // One file: htmx reads the page in the first pause between two scripts, and an extension that comes later is not used.
    Asset {
        name: "htmx.js",
        content_type: SCRIPT,
        content: concat!(
            include_str!("assets/htmx-4.0.1.min.js"),
            "\n",
            include_str!("assets/hx-sse-4.0.1.min.js")
        ),
    },
    Asset {
        name: "icon.svg",
        content_type: HeaderValue::from_static("image/svg+xml"),
        content: include_str!("assets/icon.svg"),
    },
];

/// The version of all files together, in their addresses.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let hash = ASSETS.iter().fold(Sha256::new(), |hash, asset| hash.chain_update(asset.content));
    hex::encode(&hash.finalize()[..6])
});

/// The address of a file.
pub(super) fn address(base: &str, name: &str) -> String {
    format!("{base}/assets/{name}?v={}", *VERSION)
}

pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, PageError> {
    let asset = ASSETS.into_iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| PageError::not_found("file"))?;
    let immutable = HeaderValue::from_static("public, max-age=31536000, immutable");
    let headers = [(header::CONTENT_TYPE, asset.content_type), (header::CACHE_CONTROL, immutable)];
    Ok((headers, asset.content).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_others_are_as_released() {
        let asset = ASSETS.into_iter().find(|asset| asset.name == "htmx.js").unwrap();
        let mut rest = asset.content;
        for (released, hash) in [
            (
                include_str!("assets/htmx-4.0.1.min.js"),
                "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
            ),
            (
                include_str!("assets/hx-sse-4.0.1.min.js"),
                "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
            ),
        ] {
            assert_eq!(hex::encode(Sha256::digest(released)), hash);
            rest = rest.strip_prefix(released).unwrap().trim_start();
        }
        assert_eq!(rest, "", "nothing else is in it");
    }

    #[test]
    fn the_styles_are_small_and_name_no_host() {
        for asset in ASSETS.into_iter().filter(|asset| asset.name.starts_with("dashboard")) {
            assert!(asset.content.len() <= 12_000, "{} has {} bytes", asset.name, asset.content.len());
            assert!(!asset.content.contains("//"), "{} names an address", asset.name);
        }
    }
}
