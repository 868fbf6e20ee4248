//! Files of a data directory are for their owner only, whatever the umask and the modes that an operator has set.

use crate::contract::small_fox;
use crate::support::{Options, Server, until};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The modes of a directory and of everything in it.
fn modes(directory: &Path) -> BTreeMap<PathBuf, u32> {
    let mut modes = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        // A file may be removed meanwhile.
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().map(|entry| entry.unwrap().path()));
        }
        modes.insert(path, metadata.permissions().mode() & 0o777);
    }
    modes
}

/// The files that others may read, write or enter.
fn open_to_others(directory: &Path) -> Vec<String> {
    let closed = |path: &Path| if path.is_dir() { 0o700 } else { 0o600 };
    let open = modes(directory).into_iter().filter(|(path, mode)| *mode != closed(path));
    open.map(|(path, mode)| format!("{mode:o} {}", path.display())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_data_directory_is_open_to_others() {
    let mut server = Server::start(Options { wide: true, ..Options::default() });
    let submitted = server.live().post("/v1/models/nano-banana-2", &small_fox()).await.expect(200).json();
    let result = format!("/v1/requests/{}", submitted["request_id"].as_str().unwrap());
    until("the fox", async || (server.live().get(&result).await.status == 200).then_some(())).await;
    let sample = json!({ "input": { "prompt": "a sample" } });
    server.sandbox().post("/v1/models/gemini-3-1-flash-tts", &sample).await.expect(200);
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = elsewhere.path().join("copy.db");
    server.administer(&["backup", backup.to_str().unwrap()]);

    let found = modes(server.data());
    for name in ["clipia.db", "clipia.db-wal", "clipia.db-shm", "clipia.lock", "clipia.toml", "models.toml"] {
        assert!(found.contains_key(&server.data().join(name)), "no {name} in {found:?}");
    }
    assert!(found.keys().any(|path| path.ends_with("image-1.png")), "{found:?}");
    assert_eq!(open_to_others(server.data()), Vec::<String>::new());
    assert_eq!(modes(&backup), BTreeMap::from([(backup.clone(), 0o600)]));

    // The next start restricts what was open to others.
    server.kill9();
    for path in found.keys().filter(|path| path.exists()) {
        let open = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(path, PermissionsExt::from_mode(open)).unwrap();
    }
    server.restart();
    let top = |found: &String| !found.contains("/media/");
    let open = open_to_others(server.data()).into_iter().filter(top).collect::<Vec<_>>();
    assert_eq!(open, Vec::<String>::new(), "before it is ready");
    until("media to be closed", async || open_to_others(server.data()).is_empty().then_some(())).await;
}
