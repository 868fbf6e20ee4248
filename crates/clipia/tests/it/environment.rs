//! The environment variables of a client: key and base URL, proxies, certificates.

use crate::peer::{ID, KEY, NO_LIMIT, Peer, Reply, Seen, body_reply, error_reply, id, state, with_headers};
use crate::socks::Socks;
use clipia::{Clipia, json};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::process::Command;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// Set in the process of a test that was started by itself.
const AGAIN: &str = "CLIPIA_TEST_TELLS";

fn is_again() -> bool {
    std::env::var_os(AGAIN).is_some()
}

type Variables<'a> = &'a [(&'a str, &'a str)];

/// The output of a test in a process of its own, with these variables and no others of this kind. The environment of
/// this process must not change, because other tests read it.
fn run_again(test: &str, variables: Variables<'_>) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("environment::{test}"), "--nocapture"]);
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if ["CLIPIA_", "SSL_CERT_"].iter().any(|start| upper.starts_with(start))
            || ["_PROXY", "_CA_BUNDLE"].iter().any(|end| upper.ends_with(end))
        {
            child.env_remove(name);
        }
    }
    child.env(AGAIN, "").envs(variables.iter().copied());
    // The servers are tasks of this process.
    let output = tokio::task::block_in_place(|| child.output().unwrap());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_sets_up_a_client() {
    if is_again() {
        return println!("{:?}", Clipia::from_env().map_err(|error| error.to_string()));
    }
    const HERE: &str = r#"Ok(Clipia { base_url: "https://api.clipia.ai/", key: clipia_live_…k3Qz })"#;
    let pasted = format!("\u{feff}\"Bearer {KEY}\"\r\n");
    for (variables, expected) in [
        (&[("CLIPIA_KEY", KEY)][..], HERE),
        (&[("CLIPIA_API_KEY", KEY)], HERE),
        (&[("CLIPIA_KEY", ""), ("CLIPIA_API_KEY", KEY)], HERE),
        (&[("CLIPIA_KEY", KEY), ("CLIPIA_API_KEY", "clipia_live_0123456789abcdef")], HERE),
        (&[("CLIPIA_KEY", &pasted)], HERE),
        (&[("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", "")], HERE),
        (&[("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", " 'https://api.clipia.ai/v1/'\n")], HERE),
        (
            &[("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", "http://[::1]:1")],
            r#"Ok(Clipia { base_url: "http://[::1]:1/", key: clipia_live_…k3Qz })"#,
        ),
        (
            &[("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", "http://clipia:8080"), ("CLIPIA_ALLOW_HTTP", "1")],
            r#"Ok(Clipia { base_url: "http://clipia:8080/", key: clipia_live_…k3Qz })"#,
        ),
        (&[("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", "http://clipia:8080")], "`CLIPIA_ALLOW_HTTP=1`"),
        (&[("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", "http://localhost.evil.com")], "Err(\"cannot use"),
        (&[("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", "api.clipia.ai")], "write https://api.clipia.ai"),
        (&[("CLIPIA_KEY", "two words")], "Err(\"malformed API key: it has a space"),
        (&[], "Err(\"no API key: set `CLIPIA_KEY` or `CLIPIA_API_KEY`"),
    ] {
        let said = run_again("the_environment_sets_up_a_client", variables);
        assert!(said.contains(expected), "{variables:?}: {said}");
    }
}

/// A server, or a proxy before it, with a completed generation. Its picture is at another host.
fn finished(_: usize, seen: &Seen) -> Reply {
    if seen.method == "CONNECT" {
        return error_reply(502, "service_unavailable", &[]);
    }
    if seen.path.ends_with("/fox.png") {
        return body_reply(200, &[("content-type", "image/png")], b"a fox");
    }
    state("COMPLETED", json!({ "output": { "images": [{ "url": "http://media.test/fox.png" }] } }))
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_downloads_go_through_the_proxy_that_is_set() {
    if is_again() {
        let clipia = match clipia::Builder::from_env().max_retries(0).build() {
            Ok(clipia) => clipia,
            Err(error) => return println!("{error} {error:?}"),
        };
        let dir = tempfile::tempdir().unwrap();
        return match clipia.generation(id()).download(dir.path()).await {
            Ok(paths) => println!("saved {}", paths.len()),
            Err(error) => println!("{error} {error:?}"),
        };
    }
    let (proxy, server) = (Peer::new(finished).await, Peer::new(finished).await);
    let socks = Socks::new(server.url.trim_start_matches("http://").to_owned()).await;
    let http = proxy.url.replace("http://", " http://me:p%40ss@") + "\n";
    let secure = format!("socks5h://me:p%40ss@{}", socks.address);
    let plain = format!("socks5://{}", socks.address);
    let (nobody, result) = ("http://127.0.0.1:1", format!("http://clipia.test/v1/requests/{ID}"));
    let any = server.url.replace("127.0.0.1", "0.0.0.0");
    let port = any.rsplit_once(':').unwrap().1;
    let but_one = format!("elsewhere.test, 0.0.0.0:{port}, media.test:81");
    let other = "http://clipia.test";
    // The base URL, the environment, the output, and the targets requested of the HTTP proxy and of the SOCKS proxy.
    type Row<'a> = (&'a str, Variables<'a>, &'a str, &'a [&'a str], &'a [&'a str]);
    let rows: [Row<'_>; 10] = [
        (other, &[("HTTP_PROXY", &http)], "saved 1", &[&result, "http://media.test/fox.png"], &[]),
        (other, &[("all_proxy", &http)], "saved 1", &[&result, "http://media.test/fox.png"], &[]),
        (other, &[("HTTP_PROXY", &secure)], "saved 1", &[], &["clipia.test:80", "media.test:80"]),
        // The name is resolved here, and the host of the file does not exist.
        ("http://127.0.0.2:80", &[("ALL_PROXY", &plain)], "media.test", &[], &["127.0.0.2:80"]),
        ("https://clipia.test", &[("HTTPS_PROXY", &http)], "no connection", &["clipia.test:443"], &[]),
        ("https://clipia.test", &[("HTTPS_PROXY", "http://me:secret@pro xy")], "`HTTPS_PROXY`", &[], &[]),
        ("https://clipia.test", &[("ALL_PROXY", "socks://me:secret@proxy")], "`ALL_PROXY`", &[], &[]),
        (&any, &[("HTTP_PROXY", nobody)], "no connection", &[], &[]),
        (
            &any,
            &[("HTTP_PROXY", &http), ("NO_PROXY", &but_one)],
            "saved 1",
            &["http://media.test/fox.png"],
            &[],
        ),
        // No proxy is used for this machine, even if its variable is unreadable.
        (&server.url, &[("HTTP_PROXY", "pro xy"), ("NO_PROXY", "")], "media.test", &[], &[]),
    ];
    for (base_url, variables, expected, requested, socks_requested) in rows {
        // Windows cannot connect to an unspecified address.
        if cfg!(windows) && base_url == any {
            continue;
        }
        let set = [("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", base_url), ("CLIPIA_ALLOW_HTTP", "1")];
        let (seen, before) = (proxy.seen().len(), socks.requested().len());
        let variables = [&set[..], variables].concat();
        let said = run_again("calls_and_downloads_go_through_the_proxy_that_is_set", &variables);
        assert!(said.contains(expected) && !said.contains("secret"), "{variables:?}: {said}");
        let seen = proxy.seen().split_off(seen);
        let paths: Vec<_> = seen.iter().map(|seen| seen.path.as_str()).collect();
        assert_eq!(
            (&*paths, &socks.requested()[before..]),
            (requested, &*socks_requested.iter().map(|&requested| requested.to_owned()).collect::<Vec<_>>()),
            "{variables:?}: {said}"
        );
        assert!(seen.iter().all(|seen| seen.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="));
        assert!(
            seen.iter().all(|seen| seen.path.contains("/v1/") == seen.headers.contains_key("authorization"))
        );
    }
    assert_eq!(socks.users(), ["me:p@ss", "me:p@ss"]);
}

/// The URL and the certificate of a server with a certificate that no client trusts yet.
async fn secure_server() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("localhost:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust the certificate closes the connection.
            let Ok(stream) = tls.accept(stream).await else { continue };
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap() > 2 {
                line.clear();
            }
            let Reply::Bytes(reply, _) =
                with_headers(200, &NO_LIMIT, json!({ "account_id": "acc", "balance": { "credits": 35 } }))
            else {
                unreachable!()
            };
            stream.write_all(&reply).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    (url, cert.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_those_of_the_system_and_of_the_environment() {
    if is_again() {
        let builder = clipia::Builder::from_env().max_retries(0);
        let builder = builder.certificate_variables(&["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]);
        let clipia = match builder.build() {
            Ok(clipia) => clipia,
            Err(error) => return println!("{error}"),
        };
        return match clipia.account().await {
            Ok(account) => println!("has {} credits", account.balance.credits),
            Err(error) => println!("{error}"),
        };
    }
    let (url, certificate) = secure_server().await;
    let plain = Peer::script(vec![crate::peer::account()]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (known, empty, missing) = (path("known.pem"), path("empty.pem"), path("missing.pem"));
    let (full, void) = (path("full"), path("void"));
    std::fs::create_dir(&full).unwrap();
    std::fs::create_dir(&void).unwrap();
    std::fs::write(&known, &certificate).unwrap();
    std::fs::write(path("full/known.pem"), &certificate).unwrap();
    std::fs::write(&empty, "").unwrap();
    // Bundles contain certificates that a client cannot use.
    let bundle = path("bundle.pem");
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&bundle, format!("{odd}{certificate}")).unwrap();
    let (file, directory) = ("SSL_CERT_FILE", "SSL_CERT_DIR");
    let (quoted, listed) = (format!(" \"{known}\"\n"), std::env::join_paths([&void, &full]).unwrap());
    let listed = listed.to_str().unwrap();
    let (trusted, refused) = ("has 35 credits", |variable| format!("the certificates in `{variable}`"));
    let rows: [(Variables<'_>, &str, &str); 15] = [
        (&[], "no connection to the server", ""),
        (&[(file, &known)], trusted, ""),
        (&[(file, &quoted)], trusted, ""),
        (&[(file, &bundle)], trusted, ""),
        (&[(directory, listed)], trusted, ""),
        (&[(file, &known), (directory, &missing)], trusted, ""),
        (&[("REQUESTS_CA_BUNDLE", &bundle)], trusted, ""),
        (&[("REQUESTS_CA_BUNDLE", &full)], trusted, ""),
        (&[("REQUESTS_CA_BUNDLE", ""), ("CURL_CA_BUNDLE", &known)], trusted, ""),
        (&[(file, &missing)], &refused(file), &missing),
        (&[(file, &empty)], &refused(file), "has no certificate"),
        (&[(file, "")], &refused(file), "it is empty"),
        (&[(directory, &missing)], &refused(directory), &missing),
        (&[(directory, &void)], &refused(directory), &void),
        (&[("REQUESTS_CA_BUNDLE", &missing)], &refused("REQUESTS_CA_BUNDLE"), &missing),
    ];
    let run = |base_url: &str, variables: Variables<'_>| {
        let set = [("CLIPIA_KEY", KEY), ("CLIPIA_BASE_URL", base_url)];
        let test = "certificates_are_those_of_the_system_and_of_the_environment";
        run_again(test, &[&set[..], variables].concat())
    };
    for (variables, expected, more) in rows {
        let said = run(&url, variables);
        assert!(said.contains(expected) && said.contains(more), "{variables:?}: {said}");
    }
    // Plain http needs no certificates.
    assert!(run(&plain.url, &[(file, &missing)]).contains(trusted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_and_certificates_of_the_builder_are_used_beside_or_before_those_of_the_environment() {
    let proxy = Peer::new(finished).await;
    let builder = || Clipia::builder().key(KEY).max_retries(0);
    let clipia = builder().base_url("http://clipia.test").allow_http(true).proxy(&proxy.url).build().unwrap();
    clipia.generation(id()).result().await.unwrap();
    let seen = proxy.seen();
    assert_eq!(
        (seen.len(), seen[0].path.as_str()),
        (1, format!("http://clipia.test/v1/requests/{ID}").as_str())
    );
    let error = builder().proxy("http://me:secret@pro xy").build().unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(told.contains("`Builder::proxy`") && !told.contains("secret"), "{told}");

    let (url, certificate) = secure_server().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("own.pem");
    std::fs::write(&path, certificate).unwrap();
    let account = builder().base_url(&url).certificates(&path).build().unwrap().account().await.unwrap();
    assert_eq!(account.balance.credits, 35u64.into());
    let error = builder().base_url(&url).certificates(dir.path().join("no.pem")).build().unwrap_err();
    assert!(error.to_string().contains("`Builder::certificates`"), "{error}");
}

#[tokio::test]
async fn headers_of_the_builder_go_to_the_api_and_not_to_media_hosts_and_are_never_shown() {
    let media = Peer::new(|_, _| body_reply(200, &[("content-type", "image/png")], b"a fox")).await;
    let url = format!("{}/fox.png", media.url);
    let api =
        Peer::new(move |_, _| state("COMPLETED", json!({ "output": { "images": [{ "url": url }] } }))).await;
    let builder = || Clipia::builder().key(KEY).base_url(&api.url);
    let given =
        builder().header("X-Gateway", "old").header("x-gateway", "secret").header("X-Team", "pictures");
    let shown = format!("{given:?}");
    let clipia = given.build().unwrap();
    assert!(!shown.contains("secret") && !format!("{clipia:?}").contains("secret"), "{shown}");
    let dir = tempfile::tempdir().unwrap();
    clipia.generation(id()).download(dir.path()).await.unwrap();
    let seen = &api.seen()[0];
    assert_eq!((seen.headers["x-gateway"].as_str(), seen.headers["x-team"].as_str()), ("secret", "pictures"));
    assert!(!media.seen()[0].headers.contains_key("x-gateway"));
    for (name, value) in
        [("Authorization", "secret"), ("Idempotency-Key", "1"), ("no name", "1"), ("x", "\n")]
    {
        let error = builder().header(name, value).build().unwrap_err();
        assert!(
            error.to_string().contains("cannot send the header") && !error.to_string().contains("secret")
        );
    }
}
