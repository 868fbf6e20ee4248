//! The known name that a misspelled one most likely means.

/// The least likeness of a suggestion, from 0 to 1. Names that share only a letter or two are below it.
const LIKENESS_MIN: f64 = 0.8;

/// The name of `known` that is most like `name`; none if no name resembles it.
///
/// ```
/// use clipia_queue::suggestion::nearest;
///
/// assert_eq!(nearest(["submit", "status", "result"], "sttaus"), Some("status"));
/// assert_eq!(nearest(["submit", "status", "result"], "fox"), None);
/// ```
pub fn nearest<'k>(known: impl IntoIterator<Item = &'k str>, name: &str) -> Option<&'k str> {
    let likeness = |known: &'k str| (strsim::jaro_winkler(known, name), known);
    let best = known.into_iter().map(likeness).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness > LIKENESS_MIN).map(|(_, known)| known)
}

/// The hint that another name was meant, if there is one.
pub fn did_you_mean(meant: Option<&str>) -> Option<String> {
    meant.map(|meant| format!("did you mean `{meant}`?"))
}
