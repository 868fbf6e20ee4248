//! The key that was most likely meant by a name that is no key.

use super::Config;

/// How alike two names must be: higher than for two that only share a letter or two.
const ALIKE: f64 = 0.8;

/// The key that was most likely meant by `name`; none where `name` is a key or resembles none.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let known = || Config::KEYS.iter().map(|key| key.name());
    if known().any(|known| known == name) {
        return None;
    }
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let best = known().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > ALIKE).then_some(best)
}
