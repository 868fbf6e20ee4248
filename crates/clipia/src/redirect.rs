//! Redirects of media hosts.

use url::Url;

/// Redirects that are followed for one file: from a permanent link to a signed one, and on within the store.
const REDIRECTS_MAX: usize = 5;

/// Refuses a redirect of a media host that must not be followed.
pub(crate) fn check_redirect(previous: &[Url], next: &Url) -> Result<(), &'static str> {
    if previous.len() > REDIRECTS_MAX {
        return Err("it redirects too often");
    }
    if next.scheme() != "https" && previous.iter().any(|url| url.scheme() == "https") {
        return Err("it redirects from https to http");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_few_and_stay_secure() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (safe, plain) = (url("https://media.example/1"), url("http://media.example/1"));
        let from = |url: &Url, times| vec![url.clone(); times];
        assert!(check_redirect(&from(&safe, 5), &safe).is_ok());
        assert!(check_redirect(&from(&plain, 1), &plain).is_ok());
        assert!(check_redirect(&from(&plain, 1), &safe).is_ok());
        assert!(check_redirect(&from(&safe, 1), &plain).is_err());
        assert!(check_redirect(&from(&safe, 6), &safe).is_err());
    }
}
