//! The suggestion of a key for a misspelled name.

use super::Config;

/// The least likeness of a suggestion, from 0 to 1. Names that share only a letter or two are below it.
const LIKENESS_MIN: f64 = 0.8;

/// The key that is most like `name`; none where `name` is a key, or resembles no key.
pub(super) fn suggest(name: &str) -> Option<&'static str> {
    let known = || Config::KEYS.iter().map(|key| key.name());
    if known().any(|known| known == name) {
        return None;
    }
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let best = known().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > LIKENESS_MIN).then_some(best)
}
