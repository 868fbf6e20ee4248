//! The server of this program: it brings the built-in model, and runs the programs of `models.toml`.

use clipia_server::{Builder, Config, Service};

/// A server that brings everything that `models.toml` may name.
pub(crate) fn server(config: Config) -> Builder {
    Service::builder(config).render()
}
