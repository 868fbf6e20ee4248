//! The public prices of the vendor, for models of the built-in catalogue.

use clipia_api::types::Pricing;
use serde_json::{Value, json};

/// The vendor's price of a model; none where it is not known.
pub(crate) fn of(slug: &str) -> Option<Pricing> {
    // A clip of 5 s costs 28 credits in 480p and 47 in 720p.
    let clip = || {
        let multipliers =
            json!({ "resolution": { "480p": 1, "720p": 1.678_571_428, "1080p": 3.357_142_857 } });
        json!({ "credits_base": 5.6, "billing_unit": "second", "multipliers": multipliers })
    };
    let price: Value = match slug {
        "nano-banana-2" => json!({ "credits": 4 }),
        "nano-banana-pro" => json!({ "credits": 5 }),
        "seedance-2-fast-t2v" | "seedance-2-fast-i2v" => clip(),
        _ => return None,
    };
    serde_json::from_value(price).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prices_can_be_read() {
        for slug in ["nano-banana-2", "nano-banana-pro", "seedance-2-fast-t2v", "seedance-2-fast-i2v"] {
            assert!(of(slug).is_some(), "{slug}");
        }
        assert_eq!(of("of-nobody"), None);
    }
}
