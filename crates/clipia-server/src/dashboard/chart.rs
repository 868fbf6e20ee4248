//! Small charts, drawn here as SVG.

use maud::{Markup, html};

const WIDTH: u32 = 120;
const HEIGHT: u32 = 24;

/// A line of numbers, the oldest on the left; `what` says what it shows.
pub(super) fn line(numbers: &[u64], what: &str) -> Markup {
    let most = numbers.iter().copied().max().unwrap_or(0).max(1);
    let last = u32::try_from(numbers.len().saturating_sub(1)).unwrap_or(1).max(1);
    let mut path = String::new();
    for (number, x) in numbers.iter().zip(0_u32..) {
        let x = f64::from(WIDTH * x) / f64::from(last);
        // A drawing needs no more than the first digits.
        let y = f64::from(HEIGHT - 2) * (1.0 - *number as f64 / most as f64) + 1.0;
        path += &format!("{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
    }
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width=(WIDTH) height=(HEIGHT) role="img" aria-label=(what) {
            title { (what) }
            path d=(path) fill="none" stroke="currentColor" stroke-width="1.5" {}
        }
    }
}
