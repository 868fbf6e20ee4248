//! The URL of a database, whose password is never shown.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// What stands for a password that is not shown.
const HIDDEN: &str = "***";

/// The URL of a PostgreSQL database; by default none.
///
/// ```
/// use clipia_server::DatabaseUrl;
///
/// let url: DatabaseUrl = "postgres://clipia:hunter2@db.example.com/clipia?sslmode=require".parse()?;
/// assert_eq!(url.shown(), "postgres://clipia:***@db.example.com/clipia?sslmode=require");
/// assert!(url.is_set() && !DatabaseUrl::default().is_set());
/// # Ok::<_, clipia_server::DatabaseUrlInvalid>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// A text that is no URL of a database. The text may hold a password, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database has a URL such as `postgres://clipia@db.example.com/clipia?sslmode=require`")]
pub struct DatabaseUrlInvalid;

impl DatabaseUrl {
    /// The URL with its password; empty where none is set.
    pub fn revealed(&self) -> &str {
        &self.0
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether the text is a URL of a database, or empty.
    pub(super) fn check(&self) -> Result<(), DatabaseUrlInvalid> {
        self.0.parse::<Self>().map(drop)
    }

    /// The URL without its password.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.0.split_once("://") else { return self.0.clone() };
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        // A password may hold any character that the database's driver takes there, also a further `@`.
        let place = match place.rsplit_once('@') {
            Some((who, place)) => match who.split_once(':') {
                Some((user, _)) => format!("{user}:{HIDDEN}@{place}"),
                None => format!("{who}@{place}"),
            },
            None => place.to_owned(),
        };
        let query = query.map(|query| {
            let shown = |pair: &str| match pair.split_once('=') {
                Some((name, _)) if name.contains("pass") => format!("{name}={HIDDEN}"),
                _ => pair.to_owned(),
            };
            format!("?{}", query.split('&').map(shown).collect::<Vec<_>>().join("&"))
        });
        format!("{scheme}://{place}{}", query.unwrap_or_default())
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlInvalid;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlInvalid> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if is_url || text.is_empty() { Ok(Self(text.to_owned())) } else { Err(DatabaseUrlInvalid) }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

/// Without the password: what is printed of a configuration may be read by others.
impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.shown())
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // Whether it is a URL is asked afterwards: an error here would show the whole line of the file.
        Ok(Self(String::deserialize(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://db/clipia", "postgres://db/clipia"),
            ("postgres://clipia@db/clipia", "postgres://clipia@db/clipia"),
            ("postgresql://clipia:hunter2@db", "postgresql://clipia:***@db"),
            ("postgres://clipia:hunter@2@db/clipia", "postgres://clipia:***@db/clipia"),
            ("postgres://clipia:hun/ter2@one:1,two:2/clipia", "postgres://clipia:***@one:1,two:2/clipia"),
            (
                "postgres:///clipia?host=/run/db&password=hunter2&user=a",
                "postgres:///clipia?host=/run/db&password=***&user=a",
            ),
            ("", ""),
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert_eq!(url.shown(), shown);
            assert_eq!(format!("{url:?}"), format!("{shown:?}"));
            assert_eq!(serde_json::to_value(&url).unwrap(), shown);
        }
        let error = "mysql://clipia:hunter2@db".parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(error.contains("postgres://") && !error.contains("hunter2"), "{error}");
    }
}
