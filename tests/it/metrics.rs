//! `/metrics` in both formats, parsed by their rules: OpenMetrics 1.0.0, and Prometheus's text format 0.0.4.

use crate::contract::small_fox;
use crate::support::{Options, Raw, Receiver, Server};
use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;

/// A family of metrics.
#[derive(Debug)]
struct Family {
    name: String,
    kind: String,
    samples: Vec<(String, Labels, f64)>,
}

/// Parses a text of either format. Panics on whatever a scraper would refuse or misread.
fn read(text: &str, open_metrics: bool) -> Vec<Family> {
    let body = match open_metrics {
        true => text.strip_suffix("# EOF\n").expect("the end is marked"),
        false => text.strip_suffix('\n').map(|_| text).expect("each line ends"),
    };
    let (mut families, mut seen) = (Vec::<Family>::new(), BTreeSet::new());
    for line in body.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            let family = families.last_mut().expect("a type goes before its samples");
            family.samples.push(sample(line));
            continue;
        };
        let [what, name, text] = comment.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("half a comment: {line}");
        };
        assert!(seen.insert((what, name)), "seen twice, or not together: {line}");
        match what {
            "HELP" => assert!(!text.contains(['\\', '"']), "what would have to be escaped: {line}"),
            "TYPE" => {
                let kinds: &[&str] = match open_metrics {
                    true => &["counter", "gauge", "histogram", "info"],
                    false => &["counter", "gauge", "histogram"],
                };
                assert!(kinds.contains(&text), "{line}");
                assert!(seen.contains(&("HELP", name)), "no help of {name}");
                families.push(Family { name: name.to_owned(), kind: text.to_owned(), samples: Vec::new() });
            }
            "UNIT" if open_metrics => assert!(name.ends_with(&format!("_{text}")), "{line}"),
            _ => panic!("no such comment in this format: {line}"),
        }
    }
    for Family { name, kind, samples } in &families {
        let suffixes: &[&str] = match (kind.as_str(), open_metrics) {
            ("counter", true) => &["_total"],
            ("info", true) => &["_info"],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(open_metrics || kind != "counter" || name.ends_with("_total"), "{name}");
        let mut series = BTreeSet::new();
        for (sample, labels, value) in samples {
            let suffix =
                sample.strip_prefix(name.as_str()).unwrap_or_else(|| panic!("{sample} under {name}"));
            assert!(suffixes.contains(&suffix), "{sample} of the {kind} {name}");
            assert!(series.insert((sample, labels)), "{sample} {labels:?} twice");
            assert!(kind == "gauge" || *value >= 0.0, "{sample} {labels:?} is {value}");
        }
    }
    families
}

/// Parses a line such as `name{label="value"} 1.5`.
fn sample(line: &str) -> (String, Labels, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = series.split_once('{').map_or((series, "}"), |(name, labels)| (name, labels));
    assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
    let mut labels = Labels::new();
    while rest != "}" {
        let (label, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        let (value, after) = quoted.split_once('"').unwrap_or_else(|| panic!("no end of a label: {line}"));
        assert!(!value.contains('\\'), "no label value needs an escape: {line}");
        assert!(labels.insert(label.to_owned(), value.to_owned()).is_none(), "{line}");
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
}

/// Checks the histograms of a family: their quantiles must be numbers. Returns their count.
fn hold_histograms(Family { name, samples, .. }: &Family) -> usize {
    let mut histograms = BTreeMap::<Labels, (Vec<(f64, f64)>, Option<f64>, Option<f64>)>::new();
    for (sample, labels, value) in samples {
        let mut labels = labels.clone();
        let bound = labels.remove("le");
        let (buckets, sum, count) = histograms.entry(labels).or_default();
        match sample.strip_prefix(name.as_str()).unwrap() {
            "_bucket" => buckets.push((bound.expect("a bucket has a bound").parse().unwrap(), *value)),
            "_sum" => *sum = Some(*value),
            _ => *count = Some(*value),
        }
    }
    for (labels, (buckets, sum, count)) in &histograms {
        let what = format!("{name} {labels:?}: {buckets:?}");
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{what}");
        let (bound, all) = *buckets.last().expect("there are buckets");
        assert!(bound == f64::INFINITY, "no +Inf: {what}");
        assert_eq!(Some(all), *count, "{what}");
        assert!(sum.is_some_and(|sum| sum.is_finite() && (sum > 0.0) == (all > 0.0)), "{what}: {sum:?}");
    }
    histograms.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_parse_and_each_histogram_has_a_quantile() {
    let receiver = Receiver::start().await;
    let server = Server::start(Options::default());
    let mut fox = small_fox();
    fox["webhook_url"] = receiver.url().into();
    server.live().post("/v1/models/nano-banana-2", &fox).await.expect(200);
    receiver.wait_for(1).await;

    let scrape = async |accept: Option<&str>| {
        let mut admin = Raw::new(&server.admin_url);
        if let Some(accept) = accept {
            admin = admin.header("accept", accept);
        }
        let response = admin.get("/metrics").await.expect(200);
        (response.header("content-type").to_owned(), String::from_utf8(response.body.to_vec()).unwrap())
    };
    // The `Accept` header of Prometheus 3.
    let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
        text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let mut formats = Vec::new();
    for (accept, open_metrics) in [(None, false), (Some("text/plain"), false), (Some(prometheus), true)] {
        let (content_type, text) = scrape(accept).await;
        let expected = match open_metrics {
            true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            false => "text/plain; version=0.0.4; charset=utf-8",
        };
        assert_eq!(content_type, expected, "{accept:?}");
        let families = read(&text, open_metrics);
        let histograms: Vec<&Family> = families.iter().filter(|family| family.kind == "histogram").collect();
        let names: BTreeSet<&str> = histograms.iter().map(|family| family.name.as_str()).collect();
        let expected = [
            "clipia_commit_commands",
            "clipia_commit_seconds",
            "clipia_delivery_lag_seconds",
            "clipia_generation_seconds",
            "clipia_http_request_seconds",
            "clipia_queue_wait_seconds",
        ];
        assert_eq!(names, BTreeSet::from(expected), "{text}");
        for family in histograms {
            assert!(hold_histograms(family) > 0, "{}: {text}", family.name);
        }
        let samples = families.into_iter().flat_map(|family| family.samples);
        formats.push(samples.map(|(name, labels, _)| (name, labels)).collect::<BTreeSet<_>>());
    }
    assert_eq!(formats[0], formats[1]);
    assert_eq!(formats[1], formats[2], "both formats have the same samples");
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_of_a_name(c));
    // `clipia_test` and the like are no metrics: a metric has a part after its subject.
    words
        .filter(|word| {
            word.starts_with("clipia_") && word.matches('_').count() > 1 || *word == "clipia_paused"
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dashboard_and_the_alerts_watch_is_measured() {
    let server = Server::start(Options::default());
    let fox = server.live().post("/v1/models/nano-banana-2", &small_fox()).await.expect(200).json();
    server.result(fox["request_id"].as_str().unwrap()).await;
    let scraped = Raw::new(&server.admin_url).get("/metrics").await.expect(200);
    let families = read(std::str::from_utf8(&scraped.body).unwrap(), false);
    let mut known = BTreeSet::new();
    for family in &families {
        let suffixes: &[&str] =
            if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        known.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", family.name)));
    }
    let monitoring = crate::support::repository().join("packaging/monitoring");
    for (file, least) in [("grafana.json", 15), ("alerts.yml", 10)] {
        let text = std::fs::read_to_string(monitoring.join(file)).unwrap();
        let named = named(&text);
        assert!(named.len() >= least, "{file}: {named:?}");
        for name in named {
            assert!(known.contains(name), "{file}: the server has no metric `{name}`");
        }
    }
    let dashboard = std::fs::read(monitoring.join("grafana.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_slice(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(
        panels.iter().all(|panel| panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()))
    );
}
