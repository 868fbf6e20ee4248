//! Trusted certificates in addition to the system's: those in files that environment variables name.
//!
//! On Linux rustls reads `SSL_CERT_FILE` and `SSL_CERT_DIR` itself, in place of the system's certificates, as OpenSSL
//! does. But rustls only logs a file that it cannot read, and the client is left without any certificate.

use crate::environment::{self, Lookup};
use crate::error::Error;
use reqwest::Certificate;
use rustls::RootCertStore;
use rustls_native_certs::load_certs_from_paths;
use std::path::Path;

const FILE: &str = "SSL_CERT_FILE";
const DIRECTORIES: &str = "SSL_CERT_DIR";

/// The certificates of `SSL_CERT_FILE`, `SSL_CERT_DIR` and the first variable of `more` that is set.
///
/// # Errors
/// [`Error::Certificates`] if one of these variables leads to no certificate. Missing directories are allowed if the
/// file is there, because Conda sets both variables and has only the file.
pub(crate) fn read(lookup: Lookup<'_>, more: &[&'static str]) -> Result<Vec<Certificate>, Error> {
    let mut roots = Vec::new();
    if let Some(value) = lookup(FILE) {
        let empty = || refusal(FILE, "it is empty: name a file of certificates in it, or unset it");
        roots.extend(load(FILE, &environment::path(&value).ok_or_else(empty)?)?);
    }
    if let Some(value) = lookup(DIRECTORIES).and_then(|value| environment::path(&value)) {
        let directories = std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty());
        let mut failure = None;
        for directory in directories {
            match load(DIRECTORIES, &directory) {
                Ok(found) => roots.extend(found),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure.filter(|_| roots.is_empty()) {
            return Err(error);
        }
    }
    let named = |variable: &&'static str| Some((*variable, environment::path(&lookup(variable)?)?));
    if let Some((variable, path)) = more.iter().find_map(named) {
        roots.extend(load(variable, &path)?);
    }
    Ok(roots)
}

/// The certificates of a file, or of the files of a directory. Certificates that rustls cannot use are skipped: bundles
/// contain old ones, and a client with such a certificate cannot be built.
pub(crate) fn load(variable: &'static str, path: &Path) -> Result<Vec<Certificate>, Error> {
    let found = if path.is_dir() {
        load_certs_from_paths(None, Some(path))
    } else {
        load_certs_from_paths(Some(path), None)
    };
    let usable = |der: &_| RootCertStore::empty().add(Clone::clone(der)).is_ok();
    let roots: Vec<_> = found
        .certs
        .iter()
        .filter(|der| usable(*der))
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    if roots.is_empty() {
        let reason = found
            .errors
            .first()
            .map_or_else(|| format!("`{}` has no certificate in PEM", path.display()), ToString::to_string);
        return Err(refusal(variable, reason));
    }
    Ok(roots)
}

fn refusal(variable: &'static str, reason: impl Into<String>) -> Error {
    Error::Certificates { variable, reason: reason.into() }
}
