//! Files of generations over HTTP: conditions, ranges and caching.

use crate::support::{Options, Raw, Server, until};
use bytes::Bytes;
use http::Method;

const CONTENT: &[u8] = b"0123456789abcdefghij";
const FILE: &str = "/media/a/secret/clip.mp4";
const KEPT: &str = "private, max-age=31536000, immutable";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_served_by_the_rules_of_http() {
    let server = Server::start(Options::default());
    let directory = server.data().join("media/a/secret");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("clip.mp4"), CONTENT).unwrap();
    std::fs::write(directory.join("ma\u{df} 1.html"), "<script>alert(1)</script>").unwrap();
    std::fs::write(directory.join("empty.png"), "").unwrap();
    let long = vec![7; 200_000];
    std::fs::write(directory.join("long.wav"), &long).unwrap();
    // A link to itself cannot be read, like a file on a broken disk; this is no fault of the client.
    std::os::unix::fs::symlink("broken.png", directory.join("broken.png")).unwrap();

    let nobody = Raw::new(&server.url);
    let whole = nobody.get(FILE).await.expect(200);
    assert!(whole.body == CONTENT);
    let (etag, modified) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
    assert!(etag.starts_with('"'), "a strong tag: {etag}");
    let head = nobody.send(Method::HEAD, FILE, Bytes::new()).await.expect(200);
    for name in ["content-type", "content-length", "accept-ranges", "etag", "last-modified", "cache-control"]
    {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    assert!(head.body.is_empty());

    // The headers of a request, and the expected response.
    let since = ("if-modified-since", &*modified);
    let before = ("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT");
    for (asked, status, range, body) in [
        (&[][..], 200, "", CONTENT),
        (&[("range", "bytes=2-4")], 206, "bytes 2-4/20", b"234"),
        (&[("range", "bytes=-3")], 206, "bytes 17-19/20", b"hij"),
        (&[("range", "bytes=18-")], 206, "bytes 18-19/20", b"ij"),
        (&[("range", "bytes=-300")], 206, "bytes 0-19/20", CONTENT),
        (&[("range", "bytes=0-1,4-5")], 200, "", CONTENT),
        (&[("range", "bytes=nonsense")], 200, "", CONTENT),
        (&[("range", "bytes=20-")], 416, "bytes */20", b""),
        (&[("range", "bytes=2-4"), ("if-range", &etag)], 206, "bytes 2-4/20", b"234"),
        (&[("range", "bytes=2-4"), ("if-range", &modified)], 206, "bytes 2-4/20", b"234"),
        (&[("range", "bytes=2-4"), ("if-range", "\"another\"")], 200, "", CONTENT),
        (&[("if-none-match", &etag)], 304, "", b""),
        (&[("if-none-match", "*")], 304, "", b""),
        (&[("if-none-match", "\"another\""), since], 200, "", CONTENT),
        (&[since], 304, "", b""),
        (&[("if-match", "\"another\"")], 412, "", b""),
        (&[before], 412, "", b""),
    ] {
        let client = asked.iter().fold(nobody.clone(), |client, (name, value)| client.header(name, value));
        let response = client.get(FILE).await.expect(status);
        let headers = &response.headers;
        let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(text("content-range"), range, "{asked:?}");
        assert_eq!(text("x-content-type-options"), "nosniff", "{asked:?}");
        if status < 400 {
            assert!(response.body == body, "{asked:?}");
            assert_eq!((text("cache-control"), text("etag")), (KEPT, &*etag), "{asked:?}");
        } else {
            assert_eq!(text("cache-control"), "no-store", "{asked:?}");
            assert_eq!(response.json()["error"]["code"], "invalid_request", "{asked:?}");
        }
        if status == 200 || status == 206 {
            assert_eq!((text("content-type"), text("accept-ranges")), ("video/mp4", "bytes"), "{asked:?}");
            let policy = text("content-security-policy");
            assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
        }
    }

    let page = nobody.get("/media/a/secret/ma%C3%9F%201.html").await.expect(200);
    assert!(page.header("content-security-policy").contains("sandbox"));
    assert_eq!(page.header("content-disposition"), "attachment");
    assert_eq!(whole.headers.get("content-disposition"), None);
    let empty = nobody.clone().header("range", "bytes=-5").get("/media/a/secret/empty.png").await.expect(200);
    assert_eq!(empty.header("content-length"), "0");
    assert!(nobody.get("/media/a/secret/long.wav").await.expect(200).body == long);
    let part = nobody.clone().header("range", "bytes=1-150000").get("/media/a/secret/long.wav").await;
    assert!(part.expect(206).body == long[1..150_001]);

    let too_long = format!("/media/a/secret/{}.png", "a".repeat(300));
    for path in [
        "/media/a/secret/none.png",
        "/media/a/secret",
        "/media/a/secret/",
        "/media/a/secret/clip.mp4/",
        "/media/a/secret/clip.mp4/more",
        "/media/a/./secret/clip.mp4",
        "/media/a/secret/..%2fsecret%2fclip.mp4",
        "/media/a/secret/%00.png",
        "/media/a/secret/%ff.png",
        "/media/%2e%2e/clipia.db",
        &too_long,
    ] {
        let response = nobody.get(path).await;
        response.expect_error("not_found");
        assert_eq!(response.header("cache-control"), "no-store", "{path}");
    }
    let refused = nobody.send(Method::DELETE, FILE, Bytes::new()).await.expect(405);
    assert_eq!(refused.header("cache-control"), "no-store");

    let broken = nobody.get("/media/a/secret/broken.png").await;
    broken.expect_error("internal_error");
    assert_eq!(broken.header("cache-control"), "no-store");
    until("the failure is in the log, and the secret is not", async || {
        let log = server.log();
        assert!(!log.contains("secret"), "{log}");
        log.lines().any(|line| line.contains("ERROR") && line.contains("/media/{file}")).then_some(())
    })
    .await;
}
