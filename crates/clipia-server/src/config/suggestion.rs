//! The suggestion of a key for a misspelled name.

use super::Config;
use clipia_queue::suggestion::nearest;

/// The key that is most like `name`; none where `name` is a key, or resembles no key.
pub(super) fn suggest(name: &str) -> Option<&'static str> {
    let known = || Config::KEYS.iter().map(|key| key.name());
    if known().any(|known| known == name) {
        return None;
    }
    nearest(known(), name)
}
