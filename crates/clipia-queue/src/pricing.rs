//! What an input costs.
//!
//! Reckoned in whole billionths of a credit, so that the same input costs the same everywhere and a factor such as 1.1
//! cannot round up by itself.

use crate::Credits;
use clipia_api::input::plain;
use clipia_api::types::{Model, Pricing};
use serde_json::{Map, Value};

/// Billionths in a credit.
const SCALE: u128 = 1_000_000_000;

/// The greatest price or factor that a catalogue may name.
const AMOUNT_MAX: f64 = 1e9;
const AMOUNT_MAX_SCALED: u128 = 1_000_000_000 * SCALE;

/// A price that cannot be reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpriced {
    /// The model names neither `credits` nor `credits_base`.
    #[error("`pricing` needs `credits` or `credits_base`")]
    NoPrice,
    /// The unit is not one that can be counted.
    #[error("`billing_unit` must be generation, image, second or character")]
    Unit,
    /// A number of the prices or of the input is not one, is negative or is too large.
    #[error("a number that the price depends on is out of range")]
    Range,
}

/// The price of `input`, which was checked and has its defaults ([`crate::input::check`]), for one generation of `model`.
///
/// # Errors
/// [`Unpriced`] where the catalogue does not allow a price.
pub fn price(model: &Model, input: &Map<String, Value>) -> Result<Credits, Unpriced> {
    let pricing = model.pricing.as_ref().ok_or(Unpriced::NoPrice)?;
    let mut amount = match (pricing.credits, pricing.credits_base) {
        (Some(flat), _) => scaled(flat)?,
        (None, Some(base)) => {
            let mut amount = scaled(base)?;
            for (parameter, factors) in pricing.multipliers.iter() {
                let value = input.get(parameter).map(plain);
                if let Some(factor) = value.and_then(|value| factors.get(&value)) {
                    amount = amount.checked_mul(scaled(*factor)?).ok_or(Unpriced::Range)? / SCALE;
                }
            }
            let units = units(pricing.billing_unit.as_deref(), pricing.unit_size, input)?;
            amount.checked_mul(units).ok_or(Unpriced::Range)?
        }
        (None, None) => return Err(Unpriced::NoPrice),
    };
    amount = amount.div_ceil(SCALE);
    let credits =
        u64::try_from(amount).ok().filter(|credits| *credits <= i64::MAX as u64).ok_or(Unpriced::Range)?;
    let minimum = pricing.minimum_credits.map_or(0, clipia_api::Credits::ceil);
    Ok(Credits::new(credits.max(minimum)))
}

/// What is wrong with the numbers of a model's prices, whatever the input: a sentence that names the key.
pub(crate) fn fault_of(pricing: &Pricing) -> Option<String> {
    for (key, amount) in [("credits", pricing.credits), ("credits_base", pricing.credits_base)] {
        if amount.is_some_and(|amount| scaled(amount).is_err()) {
            let amount = amount.unwrap_or_default();
            return Some(format!("`pricing.{key}` must be from 0 to {AMOUNT_MAX}; got {amount}"));
        }
    }
    let unit_size = pricing.unit_size.map(|size| ("unit_size".to_owned(), size));
    let factors = pricing.multipliers.iter().flat_map(|(parameter, factors)| {
        factors.iter().map(move |(value, factor)| (format!("multipliers.{parameter}.{value}"), *factor))
    });
    // A factor that rounds to nothing makes what it stands for free.
    if let Some((key, number)) =
        unit_size.into_iter().chain(factors).find(|(_, n)| !matches!(scaled(*n), Ok(1..)))
    {
        return Some(format!("`pricing.{key}` must be more than 0 and at most {AMOUNT_MAX}; got {number}"));
    }
    let minimum = pricing.minimum_credits.unwrap_or_default();
    let (least, most) = bounds(pricing)?;
    if most > AMOUNT_MAX_SCALED {
        return Some(format!("`pricing.multipliers` may come to more than {AMOUNT_MAX} credits together"));
    }
    (least == 0 && most > 0 && minimum == clipia_api::Credits::ZERO)
        .then(|| "`pricing.multipliers` together come to nothing".to_owned())
}

/// The least and the most that `credits_base` can become by multipliers, in billionths; nothing for a flat price.
fn bounds(pricing: &Pricing) -> Option<(u128, u128)> {
    let base = pricing.credits_base.filter(|_| pricing.credits.is_none())?;
    let base = scaled(base).ok()?;
    pricing.multipliers.values().try_fold((base, base), |(least, most), factors| {
        // A value without a factor counts once.
        let (low, high) = factors
            .values()
            .fold((1.0, 1.0), |(low, high): (f64, f64), factor| (low.min(*factor), high.max(*factor)));
        let most = (most * scaled(high).ok()? / SCALE).min(AMOUNT_MAX_SCALED + 1);
        Some((least * scaled(low).ok()? / SCALE, most))
    })
}

/// How many billing units the input begins.
fn units(unit: Option<&str>, size: Option<f64>, input: &Map<String, Value>) -> Result<u128, Unpriced> {
    let number = |name: &str| input.get(name).and_then(Value::as_f64).unwrap_or(1.0);
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let quantity = match unit {
        None | Some("generation") => 1.0,
        Some("image") => number("num_images"),
        Some("second") => number("duration"),
        Some("character") => {
            text("prompt").or_else(|| text("text")).map_or(1.0, |text| text.chars().count() as f64)
        }
        Some(_) => return Err(Unpriced::Unit),
    };
    let size = scaled(size.unwrap_or(1.0))?;
    if size == 0 {
        return Err(Unpriced::Range);
    }
    Ok(scaled(quantity)?.div_ceil(size).max(1))
}

fn scaled(number: f64) -> Result<u128, Unpriced> {
    if !(0.0..=AMOUNT_MAX).contains(&number) {
        return Err(Unpriced::Range);
    }
    Ok((number * SCALE as f64).round() as u128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::input::check;
    use proptest::prelude::*;
    use serde_json::json;

    fn price_of(slug: &str, input: Value) -> u64 {
        let catalogue = Catalogue::built_in();
        let model = &catalogue.get(slug).unwrap().model;
        price(model, &check(model, input.as_object().unwrap()).unwrap().input).unwrap().get()
    }

    fn priced(pricing: Value, input: Value) -> Result<Credits, Unpriced> {
        let model =
            serde_json::from_value(json!({"slug": "m", "type": "image", "pricing": pricing})).unwrap();
        price(&model, input.as_object().unwrap())
    }

    #[test]
    fn the_built_in_models_cost_what_their_pricing_says() {
        for (slug, input, credits) in [
            ("nano-banana-2", json!({"prompt": "fox"}), 12),
            ("nano-banana-2", json!({"prompt": "fox", "resolution": "2K"}), 24),
            ("nano-banana-pro", json!({"prompt": "fox", "resolution": "4K", "num_images": 3}), 288),
            ("seedance-2-fast-t2v", json!({"prompt": "waves"}), 120),
            ("seedance-2-fast-t2v", json!({"prompt": "waves", "duration": 10, "resolution": "480p"}), 120),
            ("seedance-2-fast-t2v", json!({"prompt": "waves", "duration": 1, "resolution": "1080p"}), 48),
            ("nano-banana-pro", json!({"prompt": "fox", "resolution": "4k"}), 96),
            ("gemini-3-1-flash-tts", json!({"prompt": "hello"}), 2),
            ("gemini-3-1-flash-tts", json!({"prompt": "a".repeat(1_001)}), 4),
            ("suno-music", json!({"prompt": "lo-fi"}), 10),
        ] {
            assert_eq!(price_of(slug, input.clone()), credits, "{slug} {input}");
        }
    }

    #[test]
    fn fractions_round_up_once_and_exactly() {
        let tenth = json!({"credits_base": 10, "multipliers": {"q": {"high": 1.1}}});
        assert_eq!(priced(tenth, json!({"q": "high"})), Ok(Credits::new(11)));
        let third = json!({"credits_base": 0.1, "billing_unit": "second"});
        assert_eq!(priced(third.clone(), json!({"duration": 3})), Ok(Credits::new(1)));
        assert_eq!(priced(third, json!({"duration": 10.5})), Ok(Credits::new(2)));
        let number = json!({"credits_base": 4, "multipliers": {"n": {"5": 2}, "hd": {"true": 3}}});
        assert_eq!(priced(number, json!({"n": 5.0, "hd": true})), Ok(Credits::new(24)));
    }

    #[test]
    fn what_cannot_be_reckoned_is_refused() {
        for (pricing, error) in [
            (json!({}), Unpriced::NoPrice),
            (json!({"credits": -1}), Unpriced::Range),
            (json!({"credits": 1e30}), Unpriced::Range),
            (json!({"credits_base": 1, "billing_unit": "hour"}), Unpriced::Unit),
            (json!({"credits_base": 1, "unit_size": 0}), Unpriced::Range),
        ] {
            assert_eq!(priced(pricing, json!({})), Err(error));
        }
    }

    proptest! {
        #[test]
        fn a_price_never_panics_and_never_falls_with_more_units(base in 0.0..1e6f64, seconds in 1u32..1_000) {
            let pricing = json!({"credits_base": base, "billing_unit": "second"});
            let shorter = priced(pricing.clone(), json!({"duration": seconds})).unwrap();
            let longer = priced(pricing, json!({"duration": seconds + 1})).unwrap();
            prop_assert!(longer >= shorter);
        }
    }
}
