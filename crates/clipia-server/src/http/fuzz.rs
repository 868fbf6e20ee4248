//! What strangers send. `cargo xtask fuzz` runs these with a million cases each.

use super::answer::{input_of, json_object};
use super::submit::read;
use crate::credentials;
use crate::outbound::Target;
use crate::outbound::addresses::Reach;
use axum::body::Body;
use clipia_queue::catalogue::Catalogue;
use clipia_queue::idempotency::Fingerprint;
use clipia_queue::{input, pricing};
use http::{HeaderMap, HeaderValue};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::LazyLock;
use tokio::runtime::Runtime;
use url::{Host, Url};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap());

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);

/// Changes some bytes, drops some and doubles some.
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

/// A body near one that this model takes, with the model's slug.
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

/// A URL that might pass for one that may be called.
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

    /// What is taken of a body has a price, and the same body has the same fingerprint.
    #[test]
    fn any_body_is_priced_or_refused((slug, bytes) in body()) {
        let estimate = RUNTIME.block_on(json_object(Body::from(bytes.clone()))).and_then(|mut body| input_of(&mut body));
        let submit = RUNTIME.block_on(read(Body::from(bytes)));
        if let Ok(submit) = &submit {
            prop_assert_eq!(estimate.as_ref().ok(), Some(&submit.input));
            prop_assert_eq!(Fingerprint::of(&slug, submit), Fingerprint::of(&slug, submit));
        }
        let model = &CATALOGUE.get(&slug).unwrap().model;
        if let Some(checked) = estimate.ok().and_then(|input| input::check(model, &input).ok()) {
            let price = pricing::price(model, &checked.input);
            prop_assert!(price.is_ok(), "{:?} of {:?}", price, checked.input);
        }
    }

    /// What may be called is https, names nobody, and is no address that is not public.
    #[test]
    fn any_url_is_refused_that_leads_inside(text in url()) {
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
            // What is stored is read again at each attempt, and must mean the same.
            prop_assert_eq!(target.parse(url.as_str()).ok().map(Url::from), Some(url));
        }
    }
}
