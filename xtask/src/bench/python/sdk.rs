//! The SDK in Rust, as a process that works in slices of time as `slices.py` does.

use crate::bench::client::of_sdk;
use anyhow::Result;
use std::io::stdin;
use std::time::{Duration, Instant};

/// Does rounds on the server at `url` for each number of seconds on stdin, and prints how many. The other figures of
/// `slices.py` are those of a Python process, and zero here.
pub(in crate::bench) fn run(url: &str) -> Result<()> {
    let rounds = of_sdk(url)?;
    for line in stdin().lines() {
        let start = Instant::now();
        let done = rounds(Duration::from_secs_f64(line?.parse()?))?;
        let seconds = start.elapsed().as_secs_f64();
        println!("{}", serde_json::json!({ "done": done, "seconds": seconds, "cpu_seconds": 0.0 }));
    }
    println!("{}", serde_json::json!({ "peak": 0 }));
    Ok(())
}
