//! The address of a server, to which a token may be sent.

use reqwest::Url;

/// A URL that a worker's token is not sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's URL cannot be used: {0}")]
pub struct NotAServer(&'static str);

/// Checks the URL of a server by the rule that the SDK has for keys: only https may carry a token over a network unless
/// `allow_http`, so plain http leads to exactly `localhost`, `127.0.0.1` and `[::1]`. Returns it as calls are built on it.
///
/// # Errors
/// What is wrong with it. The URL is not shown: it may hold a secret.
pub fn server_url(text: &str, allow_http: bool) -> Result<String, NotAServer> {
    let url = Url::parse(text.trim());
    let mut url = url.map_err(|_| NotAServer("it is not a URL; one looks like https://queue.example"))?;
    if !url.has_host() {
        return Err(NotAServer("write `https://` before it, as in https://queue.example"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotAServer("it names a user; the token is passed on its own"));
    }
    let is_this_machine = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_this_machine => {}
        "http" => {
            return Err(NotAServer(
                "a token is sent over https only, except to http://localhost, http://127.0.0.1 and http://[::1]; \
                 where nobody else listens on the network, allow http with `--allow-http` or `CLIPIA_ALLOW_HTTP=1`",
            ));
        }
        _ => return Err(NotAServer("it must begin with https://")),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(NotAServer("it has a query or a fragment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_https_or_to_this_machine_alone() {
        for (text, allow, expected) in [
            ("https://queue.example/", false, Some("https://queue.example")),
            ("https://queue.example/gpu/", false, Some("https://queue.example/gpu")),
            ("http://127.0.0.1:8787", false, Some("http://127.0.0.1:8787")),
            ("http://localhost:8787/", false, Some("http://localhost:8787")),
            ("http://[::1]:8787", false, Some("http://[::1]:8787")),
            ("http://queue.example", false, None),
            ("http://queue.example", true, Some("http://queue.example")),
            ("http://localhost.evil.example", false, None),
            ("http://127.0.0.2", false, None),
            ("localhost:8787", true, None),
            ("queue.example", true, None),
            ("ftp://queue.example", true, None),
            ("https://user:secret@queue.example", true, None),
            ("https://queue.example?a=b", true, None),
        ] {
            assert_eq!(server_url(text, allow).ok().as_deref(), expected, "{text}");
        }
    }
}
