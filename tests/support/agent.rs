//! An agent: a client of the Model Context Protocol that starts `clipia mcp`, and sends and reads its frames as they are.

use super::DEADLINE;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// The revisions of the protocol that agents speak.
pub(crate) const REVISIONS: [&str; 3] = ["2026-07-28", "2025-11-25", "2025-06-18"];

/// The identifier of the extension for tasks.
const TASKS: &str = "io.modelcontextprotocol/tasks";

/// An agent and the server that it started. Dropping the value ends the server.
pub(crate) struct Agent {
    revision: &'static str,
    capabilities: Value,
    child: Child,
    stdin: Option<ChildStdin>,
    frames: Receiver<String>,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Option<JoinHandle<String>>,
    next_id: u64,
    /// The schemas of the results, by tool, once a tool was called.
    schemas: BTreeMap<String, Value>,
    /// The notifications that came so far.
    pub(crate) notifications: Vec<Value>,
    /// What the person answers when the server asks by a request of its own.
    pub(crate) answer: Value,
}

/// What an agent can do.
#[derive(Clone, Copy, Default)]
pub(crate) struct Able {
    pub(crate) tasks: bool,
    pub(crate) forms: bool,
}

impl Able {
    /// As in the capabilities of a client.
    pub(crate) fn capabilities(self) -> Value {
        let mut capabilities = json!({});
        if self.tasks {
            capabilities["extensions"] = json!({ TASKS: {} });
        }
        if self.forms {
            capabilities["elicitation"] = json!({});
        }
        capabilities
    }
}

/// What each request of the newest revision says of its client.
pub(crate) fn metadata(able: Able) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": REVISIONS[0],
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": able.capabilities(),
    })
}

impl Agent {
    /// Starts the server by `command`, and introduces the agent where the revision has that.
    pub(crate) fn start(command: &mut Command, revision: &'static str, able: Able) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Arc::new(Mutex::new(Vec::new()));
        let (sender, frames) = channel();
        let (mut pipe, kept) = (BufReader::new(child.stdout.take().unwrap()), Arc::clone(&stdout));
        thread::spawn(move || {
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                kept.lock().unwrap().extend(&line);
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
        });
        let mut pipe = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = pipe.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let stdin = child.stdin.take();
        let mut agent = Self {
            revision,
            capabilities: able.capabilities(),
            child,
            stdin,
            frames,
            stdout,
            stderr: Some(stderr),
            next_id: 1,
            schemas: BTreeMap::new(),
            notifications: Vec::new(),
            answer: json!({ "action": "decline" }),
        };
        if !agent.is_newest() {
            let introduced = agent.request(
                "initialize",
                json!({ "protocolVersion": revision, "capabilities": able.capabilities(), "clientInfo": { "name": "test", "version": "1" } }),
            );
            assert_eq!(introduced["result"]["protocolVersion"], revision, "{introduced}");
            agent.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        }
        agent
    }

    fn is_newest(&self) -> bool {
        self.revision == REVISIONS[0]
    }

    fn send(&mut self, frame: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{frame}").unwrap();
    }

    /// The whole response to a request.
    pub(crate) fn request(&mut self, method: &str, mut params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        if self.is_newest() {
            let mut meta = metadata(Able::default());
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            if let Some(given) = params["_meta"].as_object() {
                meta.as_object_mut().unwrap().extend(given.clone());
            }
            params["_meta"] = meta;
        }
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let begun = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(begun.elapsed());
            let line = self.frames.recv_timeout(left).unwrap_or_else(|_| panic!("no response to {method}"));
            let frame: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            match (&frame["method"], &frame["id"]) {
                (Value::Null, answered) if *answered == id => return frame,
                (Value::String(asked), asks) if !asks.is_null() => {
                    assert_eq!(asked, "elicitation/create");
                    let answer = json!({ "jsonrpc": "2.0", "id": asks, "result": self.answer });
                    self.notifications.push(frame);
                    self.send(&answer);
                }
                _ => self.notifications.push(frame),
            }
        }
    }

    /// The result of a request.
    #[track_caller]
    pub(crate) fn result(&mut self, method: &str, params: Value) -> Value {
        let response = self.request(method, params);
        let result = response["result"].clone();
        assert!(result.is_object(), "{method}: {response}");
        result
    }

    /// The result of a tool. It is as the tool promises, and not too long for a client.
    #[track_caller]
    pub(crate) fn tool(&mut self, name: &str, arguments: Value) -> Value {
        if self.schemas.is_empty() {
            let list = self.result("tools/list", json!({}));
            let tools = list["tools"].as_array().unwrap().iter();
            self.schemas = tools
                .map(|tool| (tool["name"].as_str().unwrap().to_owned(), tool["outputSchema"].clone()))
                .collect();
        }
        let result = self.result("tools/call", json!({ "name": name, "arguments": arguments }));
        let bytes = result.to_string().len();
        assert!(bytes < 100_000, "the result of {name} has {bytes} bytes");
        if let Some(structured) = result.get("structuredContent") {
            let promised = jsonschema::validator_for(&self.schemas[name]).unwrap();
            let broken: Vec<String> =
                promised.iter_errors(structured).map(|error| error.to_string()).collect();
            assert!(broken.is_empty(), "{name}: {broken:?} in {structured}");
        }
        result
    }

    /// All that the server wrote to stdout.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.stdout.lock().unwrap().clone()).unwrap()
    }

    /// Kills the server (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Closes stdin, and waits for the end of the server. Returns its log too.
    pub(crate) fn close(mut self) -> (ExitStatus, String) {
        drop(self.stdin.take());
        self.ended()
    }

    /// Asks the server to end (SIGTERM), and waits until it has. Returns its log too.
    pub(crate) fn terminate(mut self) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.ended()
    }

    fn ended(&mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begun.elapsed() < DEADLINE, "the server of tools does not end"),
            }
            thread::sleep(std::time::Duration::from_millis(5));
        };
        (status, self.stderr.take().unwrap().join().unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
