//! Fuzz tests of what strangers send. `cargo xtask fuzz` runs a million cases of each.

use super::input::check_and_price;
use super::json;
use super::submit::take_request;
use crate::credentials;
use crate::outbound::Target;
use crate::outbound::addresses::Reach;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::{Credits, input};
use http::{HeaderMap, HeaderValue};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::sync::LazyLock;
use url::{Host, Url};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);

/// The depth of a value; 0 for a number or a string.
fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

/// Replaces, removes and doubles some bytes.
fn mutated(base: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edits = vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..4);
    (base, edits).prop_map(|(mut bytes, edits)| {
        for (index, byte, kind) in edits {
            let index = index.index(bytes.len().max(1));
            match kind {
                _ if index >= bytes.len() => bytes.push(byte),
                0 => bytes[index] = byte,
                1 => drop(bytes.remove(index)),
                _ => bytes.insert(index, bytes[index]),
            }
        }
        bytes
    })
}

/// A value that a parameter may or may not take.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2..20_i64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "(1|16|9|3):(1|9|16|x)|[0-9]{1,2}K|480p|720p|kore|https://[a-z]{1,9}/|data:image/png;base64,[A-Za-z]{0,9}"
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-z_]{0,9}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A model's slug, and a body near one that the model takes.
fn body() -> impl Strategy<Value = (String, Vec<u8>)> {
    let models: Vec<(String, Vec<String>)> = CATALOGUE
        .iter()
        .map(|entry| {
            let parameters = entry.model.input_schema.iter().flat_map(|schema| &schema.parameters);
            (entry.model.slug.clone(), parameters.map(|parameter| parameter.name.clone()).collect())
        })
        .collect();
    let near = proptest::sample::select(models).prop_flat_map(|(slug, mut names)| {
        names.extend(["webhook_url".to_owned(), "prompt".to_owned()]);
        let input = vec((proptest::sample::select(names), value()), 0..6);
        let webhook = prop_oneof![3 => Just(Value::Null), 1 => value()];
        (Just(slug), input, webhook).prop_map(|(slug, input, webhook)| {
            let input: Value = input.into_iter().collect();
            (slug, json!({ "input": input, "webhook_url": webhook }).to_string().into_bytes())
        })
    });
    let nested = (0..300_usize).prop_map(|depth| {
        let body = format!("{{\"input\":{{\"prompt\":{}{}}}}}", "[".repeat(depth), "]".repeat(depth));
        ("nano-banana-2".to_owned(), body.into_bytes())
    });
    prop_oneof![
        6 => near.clone(),
        3 => near.prop_flat_map(|(slug, body)| (Just(slug), mutated(Just(body)))),
        1 => nested,
        1 => vec(any::<u8>(), 0..200).prop_map(|body| ("nano-banana-2".to_owned(), body)),
    ]
}

/// A URL that looks like an allowed one.
fn url() -> impl Strategy<Value = String> {
    let near = "(https?|HTTPS|ftp|file|javascript|data)?:?[/\\\\]{0,3}([a-z]{1,3}(:[a-z]?)?@)?([0-9]{1,3}\\.[0-9x]{1,3}\\.[0-9]{1,3}(\\.[0-9]{1,3})?|0x[0-9a-f]{1,8}|[0-9]{1,10}|\\[[0-9a-f:.]{2,20}\\]|localhost|example\\.(com|localhost)|[a-z.%0-9-]{1,12})(:[0-9]{0,6})?(/[ -~]{0,12})?";
    prop_oneof![
        6 => near.prop_map(String::from),
        2 => mutated(near.prop_map(String::into_bytes))
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        1 => any::<String>(),
    ]
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    let value = prop_oneof![
        mutated(
            "(Bearer|Key|Basic|bearer)?[ \t]{0,2}clipia_(live|test)_[0-9a-f]{0,70}"
                .prop_map(String::into_bytes)
        ),
        vec(any::<u8>(), 0..80),
    ];
    let name = proptest::sample::select(vec!["authorization", "x-api-key"]);
    vec((name, value), 0..3).prop_map(|headers| {
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_bytes(&value).ok()?)));
        headers.collect()
    })
}

proptest! {
    #[test]
    fn any_key_is_read_or_refused(headers in headers()) {
        if let Some(key) = credentials::of_headers(&headers) {
            prop_assert!(!key.is_empty() && key == key.trim());
            let _ = credentials::hash(key);
        }
    }

    /// A body is read as `serde_json` reads it, or refused.
    #[test]
    fn any_body_is_read_as_other_parsers_read_it((_, bytes) in body()) {
        let others = serde_json::from_slice::<Map<String, Value>>(&bytes);
        match (json::object(&bytes), others) {
            (Ok(ours), Ok(others)) => prop_assert_eq!(ours, others),
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
            // None of these bodies has too many values, and some are too deep.
            (Err(refused), Ok(others)) => prop_assert!(depth(&Value::Object(others)) > json::DEPTH_MAX, "{:?}", refused),
            (Err(_), Err(_)) => {}
        }
    }

    /// An accepted input has a price. Checked again, it is the same input at the same price.
    #[test]
    fn any_body_is_priced_or_refused((slug, bytes) in body()) {
        let Ok(mut members) = json::object(&bytes) else { return Ok(()) };
        let Ok(request) = take_request(&mut members) else { return Ok(()) };
        let model = &CATALOGUE.get(&slug).unwrap().model;
        let known = input::check_body(model, &request.input, members.keys().map(String::as_str));
        let priced = check_and_price(model, &request.input, &members);
        prop_assert_eq!(priced.is_ok(), known.is_ok(), "an input that the model takes has a price");
        if let Ok(checked) = priced {
            prop_assert!(checked.cost > Credits::ZERO, "{:?}", checked.input);
            prop_assert!(checked.warnings.len() <= request.input.len() + members.len());
            let again = input::check(model, &checked.input).unwrap();
            prop_assert_eq!(&again.input, &checked.input);
            prop_assert!(again.warnings.is_empty());
        }
    }

    /// Two spellings of one body have one fingerprint. A body with another meaning has another.
    #[test]
    fn any_body_has_the_fingerprint_of_what_it_says((slug, bytes) in body(), at in any::<prop::sample::Index>()) {
        let Ok(mut members) = json::object(&bytes) else { return Ok(()) };
        let Ok(mut request) = take_request(&mut members) else { return Ok(()) };
        let fingerprint = Fingerprint::of(&slug, &request);
        let backwards: Vec<String> =
            request.input.iter().rev().map(|(name, value)| format!("{} :\n{value:#}", json!(name))).collect();
        let respelled = format!("{{ \"webhook_url\":{}, \"input\": {{{}}} }}", json!(request.webhook_url), backwards.join(" , "));
        let respelled = take_request(&mut json::object(respelled.as_bytes()).unwrap()).unwrap();
        // A float that is written and read again may become its neighbour.
        prop_assert_eq!(Fingerprint::of(&slug, &respelled) == fingerprint, respelled.input == request.input);
        prop_assert_ne!(Fingerprint::of("another", &request), fingerprint);
        if let Some(name) = request.input.keys().nth(at.index(request.input.len().max(1))).cloned() {
            let changed = json!([request.input[&name]]);
            request.input.insert(name, changed);
            prop_assert_ne!(Fingerprint::of(&slug, &request), fingerprint);
        }
    }

    /// An allowed URL is https, has no user name and no password, and names no address that is not public.
    #[test]
    fn any_url_that_leads_inside_is_refused(text in url()) {
        let target = Target { plain_http: false, reach: Reach::public() };
        if let Ok(url) = target.parse(&text).map(Url::from) {
            prop_assert!(url.scheme() == "https" && url.username().is_empty() && url.password().is_none());
            let address = match url.host() {
                Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
                Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
                Some(Host::Domain(_)) => None,
                None => return Err(TestCaseError::fail(format!("{url} has no host"))),
            };
            prop_assert!(address.is_none_or(|address| target.reach.allows(address)), "{}", url);
            // Each attempt parses the stored URL again, and must get the same URL.
            prop_assert_eq!(target.parse(url.as_str()).ok().map(Url::from), Some(url));
        }
    }
}
