//! The checks at the end of a run: what has ended, what was charged and delivered, and what the logs say.

use super::books::{Books, Seen};
use super::client::Caller;
use anyhow::Result;
use futures_util::{StreamExt, stream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The longest wait for everything to end after the last kill. A delivery that was under way at the last kill is attempted again
/// half a minute later, and one that was also refused, another half a minute later.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);

/// The pause between two checks of that.
const SETTLED_LOOK: Duration = Duration::from_millis(200);

/// The number of results that are read at once.
const READS: usize = 16;

/// Waits until every request has ended and been delivered.
pub(super) async fn settle(books: &Books, caller: &Caller) {
    let start = Instant::now();
    loop {
        for (id, sandbox) in books.with(|seen| seen.open()) {
            let response = caller.get(caller.key(sandbox), &format!("/v1/requests/{id}/status")).await;
            books.with(|seen| seen.read(id, response.body["status"].as_str().unwrap_or_default()));
        }
        let (open, undelivered) = books.with(|seen| (seen.open().len(), seen.undelivered()));
        if open + undelivered == 0 {
            return;
        }
        if start.elapsed() > SETTLED_WITHIN {
            let within = SETTLED_WITHIN.as_secs();
            eprintln!("after {within} s {open} requests and {undelivered} deliveries are still open");
            return;
        }
        tokio::time::sleep(SETTLED_LOOK).await;
    }
}

/// Compares the books with what the server says of each request, and of an account that was granted `credits`.
pub(super) async fn compare(books: &Books, caller: &Caller, credits: u64) {
    let known = |seen: &mut Seen| seen.requests.iter().map(|(id, known)| (*id, known.sandbox)).collect();
    let ids: Vec<_> = books.with(known);
    let results = stream::iter(ids).map(async |(id, sandbox)| {
        (id, caller.get(caller.key(sandbox), &format!("/v1/requests/{id}")).await)
    });
    let mut results = std::pin::pin!(results.buffer_unordered(READS));
    while let Some((id, response)) = results.next().await {
        match response.status {
            200 => books.with(|seen| seen.check_result(id, &response.body)),
            status => books.violation(format!("{id}: its result call returned {status} in the end")),
        }
    }
    let account = caller.get(&caller.live_key, "/v1/account").await;
    books.with(|seen| seen.check_account(credits, &account.body));
}

/// Runs `clipia doctor` for the server on the data directory `data`. Returns whether it is content.
pub(super) fn doctor(books: &Books, program: &Path, data: &Path) -> Result<bool> {
    let doctor = Command::new(program).arg("doctor").arg("--data").arg(data).output()?;
    if !doctor.status.success() {
        let said = String::from_utf8_lossy(&doctor.stderr).into_owned();
        books.violation(format!("`clipia doctor`: {said}"));
    }
    Ok(doctor.status.success())
}

/// Reads a log, which must have no panic, and no line with `worst`.
pub(super) fn read_log(books: &Books, log: &Path, worst: &str) {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    for line in log.lines().filter(|line| line.contains("panicked at") || line.contains(worst)) {
        books.violation(format!("the log says: {line}"));
    }
}
