//! Programs of `models.toml` as models: what they make, how they fail, and that none delays another.

use crate::support::{DEADLINE, Options, Raw, Server, until};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::Cursor;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An executor `name` with this command, and a model of the same name that takes these parameters.
fn model(name: &str, command: &[&str], parameters: &str) -> String {
    format!(
        "[[executor]]\nname = \"{name}\"\ncommand = {command:?}\n\
         [[model]]\nslug = \"{name}\"\nexecutor = \"{name}\"\ntype = \"image\"\npricing = {{ credits = 3 }}\n\
         input_schema = {{ parameters = [{parameters}] }}\n"
    )
}

const IMAGE: &str = "{ name = \"image_url\", type = \"image\" }";

/// A PNG of this size.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut png = Vec::new();
    let picture = image::DynamicImage::new_rgb8(width, height);
    picture.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    png
}

fn data_url(media_type: &str, content: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(content))
}

/// Submits an input to a model; returns the path of the result.
async fn submit(server: &Server, model: &str, input: Value) -> String {
    let body = json!({ "input": input });
    let submitted = server.live().post(&format!("/v1/models/{model}"), &body).await.expect(200).json();
    let url = submitted["response_url"].as_str().unwrap();
    url.strip_prefix(&server.url).unwrap_or_else(|| panic!("{url}")).to_owned()
}

/// The result at this path, once the generation has ended.
async fn ended(server: &Server, path: &str) -> Value {
    until("the generation ends", async || {
        let result = server.live().get(path).await.json();
        (result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS").then_some(result)
    })
    .await
}

/// A host that sends these bytes to each call. Without any, it accepts calls and hangs.
async fn host(response: Option<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let response = response.clone();
            tokio::spawn(async move {
                let mut request = [0; 2_048];
                let _ = stream.read(&mut request).await;
                if let Some((media_type, content)) = response {
                    let length = content.len();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                    );
                    let _ = stream.write_all(&[head.as_bytes(), &content].concat()).await;
                }
                while stream.read(&mut request).await.is_ok_and(|length| length > 0) {}
            });
        }
    });
    url
}

fn start(models: String) -> Server {
    Server::start(Options { models: Some(models), credits: Some(1_000), ..Options::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_its_input_as_a_file_and_leaves_the_output() {
    let server = start(model("copy", &["cp", "{image_url}", "{out}/copy.png"], IMAGE));
    let picture = png(7, 5);
    let there = host(Some(("image/png", picture.clone()))).await;
    for url in [data_url("image/png", &picture), there] {
        let result = ended(&server, &submit(&server, "copy", json!({ "image_url": url })).await).await;
        assert_eq!(result["status"], "COMPLETED", "{result}");
        let image = &result["output"]["images"][0];
        assert_eq!((&image["width"], &image["height"]), (&json!(7), &json!(5)), "{result}");
        let original = image["original_url"].as_str().or(image["url"].as_str()).unwrap();
        let file = Raw::new(&server.url).get(original.strip_prefix(&server.url).unwrap()).await.expect(200);
        assert!(file.body == picture, "{} bytes", file.body.len());
        // The output is the input of another generation.
        let again = ended(&server, &submit(&server, "copy", json!({ "image_url": original })).await).await;
        assert_eq!(again["status"], "COMPLETED", "{again}");
    }
    assert_eq!(server.balance().await, 1_000 - 4 * 3);
    server.administer(&["doctor"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_fails_is_not_paid() {
    let fails = model("fails", &["sh", "-c", "echo the lens is dirty >&2; exit 3"], "");
    let server = start(
        fails + &model("nothing", &["true"], "") + &model("page", &["cp", "{image_url}", "{out}/a"], IMAGE),
    );
    let page = host(Some(("text/html", b"<!doctype html><p>Log in</p>".to_vec()))).await;
    for (name, input, message) in [
        ("fails", json!({}), "the lens is dirty"),
        ("nothing", json!({}), "made nothing"),
        ("page", json!({ "image_url": page }), "`image_url` leads to a web page"),
        (
            "page",
            json!({ "image_url": "data:image/png;base64,%" }),
            "`image_url` is a data: URL that is not in base64",
        ),
        (
            "page",
            json!({ "image_url": format!("{}/media/a/b/c.png", server.url) }),
            "`image_url` names no file of this server",
        ),
    ] {
        let result = ended(&server, &submit(&server, name, input).await).await;
        assert_eq!(result["status"], "FAILED", "{result}");
        assert!(
            result["error"]["message"].as_str().is_some_and(|said| said.contains(message)),
            "{message}: {result}"
        );
    }
    assert_eq!(server.balance().await, 1_000);
    server.administer(&["doctor"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_busy_executor_nor_a_silent_host_delays_another_generation() {
    let busy = model("busy", &["sleep", "600"], "");
    let server = start(busy + &model("copy", &["cp", "{image_url}", "{out}/copy.png"], IMAGE));
    let silent = host(None).await;
    let start = Instant::now();
    for _ in 0..3 {
        submit(&server, "busy", json!({})).await;
        submit(&server, "copy", json!({ "image_url": silent })).await;
    }
    let quick = submit(&server, "copy", json!({ "image_url": data_url("image/png", &png(2, 2)) })).await;
    let result = ended(&server, &quick).await;
    assert_eq!(result["status"], "COMPLETED", "{result}");
    assert!(start.elapsed() < DEADLINE, "the silent host had to be given up first: {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn video_and_audio_are_inputs_too() {
    let parameters = "{ name = \"video_url\", type = \"video\" }, { name = \"audio_url\", type = \"audio\" }";
    let both =
        &["sh", "-c", "cat \"$1\" \"$2\" > \"$3\"/both.txt", "-", "{video_url}", "{audio_url}", "{out}"];
    let server = start(model("both", both, parameters));
    let video = host(Some(("video/mp4", b"a clip and ".to_vec()))).await;
    let input = json!({ "video_url": video, "audio_url": data_url("audio/wav", b"a sound") });
    let result = ended(&server, &submit(&server, "both", input).await).await;
    assert_eq!(result["status"], "COMPLETED", "{result}");
    let url = result["output"]["files"][0]["url"].as_str().unwrap_or_else(|| panic!("{result}"));
    let file = Raw::new(&server.url).get(url.strip_prefix(&server.url).unwrap()).await.expect(200);
    assert_eq!(file.body, "a clip and a sound");
    let wrong = json!({ "input": { "video_url": data_url("image/png", b"a"), "audio_url": "a.wav" } });
    let refused = server.live().post("/v1/models/both", &wrong).await;
    let message = refused.json()["error"]["message"].to_string();
    for part in ["`video_url` must be the URL of a video", "`audio_url` must be the URL of an audio file"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_server_does_not_start_with_a_mistake_in_its_models() {
    let mut server = start(model("copy", &["cp", "{image_url}", "{out}/copy.png"], IMAGE));
    server.terminate();
    let wrong = model("copy", &["cp", "{imag_url}", "{out}/copy.png"], IMAGE)
        + "[[executor]]\nname = \"cpu\"\nwarm = true\n";
    std::fs::write(server.data().join("models.toml"), wrong).unwrap();
    let mut command = crate::support::command(&["serve", "--listen", "127.0.0.1:0", "--json", "--data"]);
    let run = crate::support::output(command.arg(server.data()));
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(!run.status.success());
    for part in [
        "error: `models.toml`: 2 mistakes",
        "line 3: executor `copy`: `{imag_url}`",
        "did you mean `image_url`?",
        "line 12: executor `cpu`",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
}
