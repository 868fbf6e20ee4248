//! Outputs that are larger than the memory that they may cost, of programs on this machine and elsewhere.

use crate::support::{Faults, Options, Proxy, Raw, Server, Worker, until, worker_token, write_warm_program};
use bytes::Bytes;
use serde_json::json;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

/// The length of the large file, in MiB: twice what it may cost.
const LARGE: usize = 64;

/// The most memory that it may cost a process, in MiB.
const MEMORY_MAX: u64 = 32;

/// A file in which every 8 bytes are the number of their MiB.
const MODEL: &str = r#"
import struct
for line in sys.stdin:
    job = json.loads(line)
    with open(os.path.join(job["out"], "large.bin"), "wb") as large:
        for number in range(job["input"]["mebibytes"]):
            large.write(struct.pack("<Q", number) * (1 << 17))
    say(job["events"], {"done": True})
"#;

/// A server whose executor `here` is beside it, and whose executor `gpu` is elsewhere.
struct Fixture {
    server: Server,
    directory: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("large.py");
        write_warm_program(&program, MODEL);
        let mut models = format!(
            "[[executor]]\nname = \"here\"\ncommand = [\"python3\", {program:?}]\nwarm = true\n[[executor]]\nname = \"gpu\"\n"
        );
        for executor in ["here", "gpu"] {
            models += &format!(
                "[[model]]\nslug = \"{executor}\"\nexecutor = \"{executor}\"\ntype = \"image\"\npricing = {{ credits = 1 }}\n\
                 input_schema = {{ parameters = [{{ name = \"mebibytes\", type = \"integer\", required = true }}] }}\n"
            );
        }
        let server =
            Server::start(Options { models: Some(models), credits: Some(1_000), ..Options::default() });
        Self { server, directory }
    }

    fn worker(&self, url: &str) -> Worker {
        let program = self.directory.path().join("large.py");
        let token = worker_token(&self.server, "box-1");
        Worker::start(url, &token, &["--warm"], &["python3", program.to_str().unwrap()])
    }

    /// Generates a file, and returns it as a caller downloads it.
    async fn generate(&self, model: &str, mebibytes: usize) -> Bytes {
        let body = json!({ "input": { "mebibytes": mebibytes } });
        let submitted =
            self.server.live().post(&format!("/v1/models/{model}"), &body).await.expect(200).json();
        let path = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
        let result = until("the generation ends", async || {
            let result = self.server.live().get(&path).await.json();
            (result["status"] != "IN_QUEUE" && result["status"] != "IN_PROGRESS").then_some(result)
        })
        .await;
        assert_eq!(result["status"], "COMPLETED", "{result}");
        let url = result["output"]["files"][0]["url"].as_str().unwrap_or_else(|| panic!("{result}"));
        Raw::new(&self.server.url).get(url.strip_prefix(&self.server.url).unwrap()).await.expect(200).body
    }
}

fn assert_whole(file: &Bytes, mebibytes: usize) {
    assert_eq!(file.len(), mebibytes << 20);
    for (number, part) in file.chunks(1 << 20).enumerate() {
        let expected = (number as u64).to_le_bytes().repeat(part.len() / 8);
        assert!(part == expected, "MiB {number} is another one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_output_costs_the_server_no_memory() {
    let fixture = Fixture::new();
    assert_whole(&fixture.generate("here", 1).await, 1);
    let before = fixture.server.memory_peak();
    assert_whole(&fixture.generate("here", LARGE).await, LARGE);
    let cost = fixture.server.memory_peak() - before;
    assert!(cost <= MEMORY_MAX, "{cost} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_output_that_is_cut_on_its_way_arrives_whole_and_costs_neither_side_memory() {
    let fixture = Fixture::new();
    // A cut ends each connection in a piece of 2 MiB or more, and one of ten responses is lost.
    let proxy = Proxy::to(&fixture.server.url, Faults { lost: 10, cut_after: 3_000_000 }).await;
    let worker = fixture.worker(&proxy.url);
    assert_whole(&fixture.generate("gpu", 1).await, 1);
    let before = [fixture.server.memory_peak(), worker.memory_peak()];
    let losses = proxy.losses.load(Ordering::Relaxed);
    assert_whole(&fixture.generate("gpu", LARGE).await, LARGE);
    assert!(proxy.losses.load(Ordering::Relaxed) > losses + 5, "{:?}", proxy.losses);
    let after = [fixture.server.memory_peak(), worker.memory_peak()];
    let costs = [after[0] - before[0], after[1] - before[1]];
    assert!(costs.iter().all(|cost| *cost <= MEMORY_MAX), "the server and the worker: {costs:?} MiB");
}
