//! Tools for agents: `clipia mcp` over stdio, against the emulator.

use crate::support::{Able, Agent, Emulator, REVISIONS};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::GenericImageView;
use serde_json::{Value, json};
use std::path::Path;

/// The tools, in the order of the list.
pub(crate) const TOOLS: [&str; 9] = [
    "generate_image",
    "generate_video",
    "generate_audio",
    "generate_music",
    "wait_generation",
    "get_generation",
    "list_models",
    "get_model",
    "get_balance",
];

/// A short clip, for 12 credits.
fn clip(prompt: &str) -> Value {
    json!({ "prompt": prompt, "duration": 1, "resolution": "480p" })
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

#[track_caller]
pub(crate) fn completed(result: &Value) -> &Value {
    assert_ne!(result["isError"], true, "{result}");
    let structured = &result["structuredContent"];
    assert_eq!(structured["status"], "COMPLETED", "{result}");
    structured
}

#[track_caller]
pub(crate) fn refused<'a>(result: &'a Value, why: &str) -> &'a str {
    assert_eq!(result["isError"], true, "{result}");
    let text = text(result);
    assert!(text.contains(why), "{why}: {text}");
    assert!(!text.contains("::") && !text.contains("()"), "it names a function: {text}");
    text
}

fn id(result: &Value) -> String {
    result["structuredContent"]["request_id"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned()
}

pub(crate) fn names(list: &Value) -> Vec<&str> {
    list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn every_tool_does_its_work_in_each_revision_of_the_protocol() {
    let emulator = Emulator::start(&[]);
    for revision in REVISIONS {
        let mut agent = Agent::start(&mut emulator.command(&["mcp"]), revision, Able::default());
        let list = agent.result("tools/list", json!({}));
        assert_eq!(names(&list), TOOLS);
        let image = agent.tool("generate_image", json!({ "prompt": "a red fox", "resolution": "0.5k" }));
        assert_eq!(completed(&image)["cost_credits"], 12.0, "{revision}");
        assert_eq!(image["structuredContent"]["balance_after"].as_f64().unwrap().fract(), 0.0);
        let picture = image["content"].as_array().unwrap().iter().find(|content| content["type"] == "image");
        let picture = picture.unwrap_or_else(|| panic!("no preview: {image}"));
        let webp = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let (width, height) = image::load_from_memory(&webp).unwrap().dimensions();
        assert!(
            webp.len() <= 48 * 1024 && width.max(height) <= 512,
            "{width}x{height}, {} bytes",
            webp.len()
        );
        let link =
            image["content"].as_array().unwrap().iter().find(|content| content["type"] == "resource_link");
        assert!(link.is_some_and(|link| link["uri"].as_str().unwrap().starts_with("http")), "{image}");
        let video = agent.tool("generate_video", clip("waves at dusk"));
        assert!(text(&video).contains("wait_generation"), "{video}");
        let waited = agent.tool("wait_generation", json!({ "request_id": id(&video) }));
        assert!(completed(&waited)["output"]["video"]["url"].is_string(), "{waited}");
        let speech = agent.tool("generate_audio", json!({ "text": "the fox is at the door" }));
        assert_eq!(completed(&speech)["model"], "gemini-3-1-flash-tts");
        let music = agent.tool("generate_music", json!({ "prompt": "warm lo-fi", "max_cost": 1000 }));
        assert_eq!(music["structuredContent"]["model"], "suno-music", "{music}");
        let both = agent.tool("wait_generation", json!({ "request_ids": [id(&image), id(&music)] }));
        let generations = both["structuredContent"]["generations"].as_array().unwrap();
        assert!(
            generations.len() == 2 && generations.iter().all(|one| one["status"] == "COMPLETED"),
            "{both}"
        );
        let known =
            agent.tool("get_generation", json!({ "request_id": id(&image), "include_preview": false }));
        completed(&known);
        assert!(known["content"].as_array().unwrap().iter().all(|content| content["type"] != "image"));
        let models = agent.tool("list_models", json!({ "type": "video", "search": "text" }));
        assert!(
            text(&models).starts_with("seedance-2-fast-t2v  video  from about 24 credits for each second"),
            "{models}"
        );
        let model = agent.tool("get_model", json!({ "model": "nano-banana-2" }))["structuredContent"].clone();
        assert_eq!(model["input_schema"]["properties"]["aspect_ratio"]["enum"][1], "16:9", "{model}");
        assert_eq!(model["price_examples"][0]["credits"], 12.0, "{model}");
        let balance = agent.tool("get_balance", json!({}));
        assert!(balance["structuredContent"]["credits"].as_f64().unwrap() > 900_000.0, "{balance}");
        let (status, log) = agent.close();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn a_wrong_call_says_what_is_wrong_and_what_to_do() {
    let emulator = Emulator::start(&[]);
    let mut agent = Agent::start(&mut emulator.command(&["mcp"]), REVISIONS[0], Able::default());
    let mut refuses = |tool: &str, arguments: Value, why: &str| {
        let result = agent.tool(tool, arguments);
        refused(&result, why);
    };
    refuses("generate_image", json!({}), "missing field `prompt`");
    refuses("generate_image", json!({ "prompt": "a fox", "aspect": "1:1" }), "unknown field `aspect`");
    let wrong = json!({ "prompt": "a fox", "aspect_ratio": "17:9" });
    refuses("generate_image", wrong.clone(), "`aspect_ratio` must be one of");
    refuses("generate_image", wrong, "get_model says what the model takes");
    refuses("generate_image", json!({ "prompt": "a fox", "model": "none" }), "list_models lists the models");
    refuses(
        "generate_image",
        json!({ "prompt": "@fail=content_policy:\"too violent\" a fox" }),
        "too violent",
    );
    refuses("generate_video", json!({ "prompt": "a fox", "image_url": "/etc/passwd" }), "--allow-dir");
    refuses("wait_generation", json!({}), "`request_ids`");
    let unknown = "0198c2f1-6a70-7cc1-b7a5-1f6de1a9c0de";
    refuses("get_generation", json!({ "request_id": unknown }), "only a key of the account");
    let unknown = agent.request("tools/call", json!({ "name": "search_templates", "arguments": {} }));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    let warned = agent.tool("generate_image", json!({ "prompt": "a fox", "input": { "sed": 7 } }));
    assert!(completed(&warned)["warnings"][0].as_str().unwrap().contains("`sed`"), "{warned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_the_server_of_tools() {
    // Nothing ends until time is advanced.
    let emulator = Emulator::start(&["--clock", "manual"]);
    let able = Able { tasks: true, ..Able::default() };
    let start = || Agent::start(&mut emulator.command(&["mcp"]), REVISIONS[0], able);
    let mut agent = start();
    let made = |agent: &mut Agent, words: &str| {
        let task = agent.tool("generate_video", clip(&format!("{words} waves at dusk")));
        assert_eq!(task["resultType"], "task", "{task}");
        assert!(task["ttlMs"].as_u64().unwrap() >= 3_600_000 && task["pollIntervalMs"].is_u64(), "{task}");
        task["taskId"].as_str().unwrap().to_owned()
    };
    let words =
        ["@takes=10m", "@takes=10m @fail=content_policy:\"too violent\"", "@takes=10m @cancel", "@stuck=72"];
    let [clip, failed, canceled, stuck] = words.map(|words| made(&mut agent, words));
    agent.kill();
    let mut agent = start();
    let known = agent.result("tasks/get", json!({ "taskId": clip }));
    assert_eq!(known["status"], "working", "{known}");
    emulator.live().post("/_emulator/clock", &json!({ "advance": "1h" })).await.expect(200);
    let mut ended = |task: &str| {
        loop {
            let known = agent.result("tasks/get", json!({ "taskId": task }));
            if known["status"] != "working" {
                return known;
            }
            assert!(known["statusMessage"].is_string(), "{known}");
            // The wait is over when the generation is: nothing is slept away.
            agent.tool("wait_generation", json!({ "request_id": task }));
        }
    };
    let known = ended(&clip);
    assert_eq!(known["status"], "completed", "{known}");
    assert_eq!(completed(&known["result"])["request_id"], clip.as_str());
    let known = ended(&failed);
    assert_eq!(known["status"], "completed", "the tool failed, not the protocol: {known}");
    refused(&known["result"], "too violent");
    assert_eq!(ended(&canceled)["status"], "cancelled");
    let refusal = agent.request("tasks/cancel", json!({ "taskId": stuck }));
    assert!(refusal["error"]["message"].as_str().unwrap().contains("cannot cancel"), "{refusal}");
    agent.result("tasks/cancel", json!({ "taskId": clip }));
    let unknown = agent.request("tasks/get", json!({ "taskId": "none" }));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    // A client without tasks waits by a tool, and so does one whose revision has no types of results, whatever it declares.
    let mut earlier = Agent::start(&mut emulator.command(&["mcp"]), REVISIONS[1], able);
    let running = earlier.tool("generate_video", self::clip("@stuck waves"));
    assert!(
        running["structuredContent"]["next_step"].as_str().unwrap().contains("wait_generation"),
        "{running}"
    );
    let mut plain = Agent::start(&mut emulator.command(&["mcp"]), REVISIONS[0], Able::default());
    let running = plain.tool("generate_video", self::clip("@stuck waves"));
    assert!(
        running["structuredContent"]["next_step"].as_str().unwrap().contains("wait_generation"),
        "{running}"
    );
    assert!(plain.request("tasks/get", json!({ "taskId": clip }))["error"].is_object());
}

#[test]
fn progress_is_told_to_who_asks_for_it() {
    let emulator = Emulator::start(&[]);
    let mut agent = Agent::start(&mut emulator.command(&["mcp"]), REVISIONS[1], Able::default());
    let video = agent.tool("generate_video", clip("@takes=2s @progress=10,60,90 waves"));
    let waited = json!({ "name": "wait_generation", "arguments": { "request_id": id(&video) }, "_meta": { "progressToken": "p" } });
    completed(&agent.result("tools/call", waited));
    let told: Vec<&Value> =
        agent.notifications.iter().filter(|told| told["method"] == "notifications/progress").collect();
    assert!(told.iter().all(|told| told["params"]["progressToken"] == "p"), "{told:?}");
    let percents: Vec<f64> = told.iter().map(|told| told["params"]["progress"].as_f64().unwrap()).collect();
    assert!(percents.len() >= 2 && percents.is_sorted_by(|before, after| before < after), "{told:?}");
    assert!(told.iter().any(|told| told["params"]["message"].as_str().unwrap().ends_with(" %")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_high_price_is_confirmed_by_the_person() {
    let emulator = Emulator::start(&[]);
    let start = |revision, able| {
        Agent::start(&mut emulator.command(&["mcp", "--confirm-above", "10"]), revision, able)
    };
    let arguments = clip("waves at dusk");
    let begun = emulator.balance().await;

    // A client without forms is told to ask.
    let mut agent = start(REVISIONS[0], Able::default());
    let told = agent.tool("generate_video", arguments.clone());
    assert!(refused(&told, "ask the person").contains("`max_cost: 12`"), "{told}");
    let mut agreed = arguments.clone();
    agreed["max_cost"] = json!(11);
    refused(&agent.tool("generate_video", agreed.clone()), "more than the `max_cost` of 11");
    assert_eq!(emulator.balance().await, begun);
    agreed["max_cost"] = json!(12);
    id(&agent.tool("generate_video", agreed));
    assert_eq!(emulator.balance().await, begun - 12);

    // A client with forms of the newest revision gets a question, and calls again with its state.
    let able = Able { forms: true, ..Able::default() };
    let mut agent = start(REVISIONS[0], able);
    let asked = agent.tool("generate_video", arguments.clone());
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["cost"]["params"];
    let left = begun - 12;
    assert!(
        question["message"].as_str().unwrap().contains(&format!("12 credits ({left} → {}", left - 12)),
        "{asked}"
    );
    assert_eq!(question["requestedSchema"]["required"][0], "confirm");
    let again = |arguments: &Value, answer: Value| {
        json!({ "name": "generate_video", "arguments": arguments, "requestState": asked["requestState"],
            "inputResponses": { "cost": answer } })
    };
    let yes = json!({ "action": "accept", "content": { "confirm": true } });
    let refusal = agent.result("tools/call", again(&arguments, json!({ "action": "decline" })));
    refused(&refusal, "did not agree");
    let other = agent.result("tools/call", again(&clip("wolves"), yes.clone()));
    assert_eq!(other["resultType"], "input_required", "an answer is good for what was asked: {other}");
    let first = agent.result("tools/call", again(&arguments, yes.clone()));
    // Another process, and the same call again: the state is good, and the submit is charged once.
    let mut agent = start(REVISIONS[0], able);
    let second = agent.result("tools/call", again(&arguments, yes));
    assert_eq!(id(&first), id(&second));
    assert_eq!(emulator.balance().await, begun - 24);

    // In an earlier revision the server asks.
    let mut agent = start(REVISIONS[1], able);
    refused(&agent.tool("generate_video", arguments.clone()), "did not agree");
    agent.answer = json!({ "action": "accept", "content": { "confirm": true } });
    id(&agent.tool("generate_video", arguments));
    assert!(agent.notifications.iter().any(|frame| frame["method"] == "elicitation/create"));
    assert_eq!(emulator.balance().await, begun - 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_sealed_with_the_question() {
    let emulator = Emulator::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let fox = directory.path().join("fox.png");
    image::RgbImage::new(64, 64).save(&fox).unwrap();
    let mut command = emulator.command(&["mcp", "--confirm-above", "1", "--allow-dir"]);
    let mut agent =
        Agent::start(command.arg(directory.path()), REVISIONS[0], Able { forms: true, ..Able::default() });
    let arguments = json!({ "image_url": fox, "duration": 1, "resolution": "480p" });
    let asked = agent.tool("generate_video", arguments.clone());
    let yes = json!({ "cost": { "action": "accept", "content": { "confirm": true } } });
    let again = json!({ "name": "generate_video", "arguments": arguments, "requestState": asked["requestState"], "inputResponses": yes });
    let begun = emulator.balance().await;
    let first = agent.result("tools/call", again.clone());
    assert_eq!(first["structuredContent"]["model"], "seedance-2-fast-i2v", "{first}");
    let second = agent.result("tools/call", again);
    assert_eq!(id(&first), id(&second), "the file is the same upload");
    assert_eq!(
        emulator.balance().await,
        begun - first["structuredContent"]["cost_credits"].as_f64().unwrap() as u64
    );
}

#[test]
fn files_are_saved_and_read_where_the_operator_allows_it() {
    let emulator = Emulator::start(&[]);
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let mut command = emulator.command(&["mcp", "--save-to", "art", "--tools", "image,video"]);
    let mut agent = Agent::start(command.current_dir(&root), REVISIONS[0], Able::default());
    let list = agent.result("tools/list", json!({}));
    assert_eq!(names(&list)[..3], ["generate_image", "generate_video", "wait_generation"]);
    let image = agent.tool("generate_image", json!({ "prompt": "a red fox", "resolution": "0.5K" }));
    let saved = completed(&image)["saved"][0].as_str().unwrap();
    assert!(Path::new(saved).starts_with(root.join("art")) && Path::new(saved).is_file(), "{image}");
    assert!(image::open(saved).is_ok());
    let links =
        image["content"].as_array().unwrap().iter().filter(|content| content["type"] == "resource_link");
    let uris: Vec<&str> = links.map(|link| link["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, [format!("file://{saved}")]);
    let saved_again = json!({ "request_id": id(&image), "save_to": "art/foxes" });
    let known = agent.tool("get_generation", saved_again);
    assert!(Path::new(completed(&known)["saved"][0].as_str().unwrap()).starts_with(root.join("art/foxes")));
    let elsewhere = json!({ "prompt": "a fox", "save_to": "../elsewhere" });
    refused(&agent.tool("generate_image", elsewhere), "not inside an allowed directory");
    // What was saved may be an input.
    let moving = json!({ "image_url": saved, "duration": 1, "resolution": "480p" });
    let video = agent.tool("generate_video", moving);
    let waited = agent.tool("wait_generation", json!({ "request_id": id(&video) }));
    assert!(completed(&waited)["saved"][0].as_str().unwrap().ends_with(".mp4"), "{waited}");
    let (status, log) = agent.close();
    assert!(status.success(), "{log}");
}

#[test]
fn stdout_has_frames_only() {
    let emulator = Emulator::start(&[]);
    for revision in REVISIONS {
        let mut command = emulator.command(&["mcp"]);
        command.env("RUST_LOG", "trace").env("FAULT_PANIC", "get_balance");
        let mut agent = Agent::start(&mut command, revision, Able::default());
        let panicked = agent.tool("get_balance", json!({}));
        refused(&panicked, "get_balance failed inside the server of the tools");
        completed(&agent.tool("generate_image", json!({ "prompt": "a red fox", "resolution": "0.5K" })));
        refused(&agent.tool("get_balance", json!({})), "its log says more");
        let stdout = agent.stdout();
        for line in stdout.lines() {
            let frame: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(frame["jsonrpc"], "2.0", "{line}");
        }
        let (status, log) = agent.close();
        assert!(status.success());
        assert!(log.contains("a thread panicked") && log.contains("TRACE"), "{log}");
        assert!(!log.contains(&emulator.live_key), "the key is in the log");
    }
}

#[test]
fn the_server_of_tools_ends_with_its_client_or_by_a_signal() {
    let emulator = Emulator::start(&[]);
    let start =
        || Agent::start(&mut emulator.command(&["mcp", "--read-only"]), REVISIONS[1], Able::default());
    let mut agent = start();
    assert_eq!(names(&agent.result("tools/list", json!({}))), TOOLS[4..]);
    let (status, log) = agent.close();
    assert!(status.success() && log.is_empty(), "{log}");
    let (status, log) = start().terminate();
    assert!(status.success() && log.is_empty(), "{log}");
    // Before a word was said, too.
    let silent = Agent::start(&mut emulator.command(&["mcp"]), REVISIONS[0], Able::default());
    assert!(silent.close().0.success());
    let mut keyless = emulator.command(&["mcp"]);
    let agent = Agent::start(keyless.env_remove("CLIPIA_KEY"), REVISIONS[0], Able::default());
    let (status, log) = agent.close();
    assert!(status.code() == Some(2) && log.contains("CLIPIA_KEY"), "{status}: {log}");
}
