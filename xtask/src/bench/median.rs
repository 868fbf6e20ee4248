//! The median, which is the figure of several runs.

/// The value in the middle.
pub(super) fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}
