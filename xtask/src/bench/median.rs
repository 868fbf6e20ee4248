//! The median, which is the figure of several runs.

/// The value in the middle.
pub(super) fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// The median of the turns' own ratios: what else runs on the machine meets both of a turn.
pub(super) fn median_ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect())
}
