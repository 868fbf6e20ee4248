//! Uploads: files that a caller gives to the server, and names in inputs afterwards.
//!
//! An upload is kept for [`KEPT`]. After that no new request may name it, and it stays only for requests that named it before
//! and have not ended. So an accepted request never loses its input. How much an account may keep is bounded in bytes and in
//! number.
//!
//! The id of an upload is a part of its URL. Whoever knows the URL may read the upload and name it, and nobody can guess it.

use crate::Moment;
use crate::media_address::PATH;
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use uuid::Uuid;

/// The longest file, in bytes.
pub const BYTES_MAX: u64 = 100 * 1024 * 1024;

/// How long an upload may be named by new requests.
pub const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The most bytes that an account keeps.
pub const ACCOUNT_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// The most uploads that an account keeps.
pub const ACCOUNT_COUNT_MAX: u64 = 1_000;

/// The directory of uploads below [`PATH`], and below the directory of media.
pub const DIRECTORY: &str = "uploads";

/// The longest file name in a URL, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// The longest extension of a file name, in bytes.
const EXTENSION_BYTES_MAX: usize = 10;

/// The name of a file whose caller gave none that can be used.
const NAME: &str = "file";

/// The id of an upload: 122 random bits. It is as secret as the URL that it is in, so `Debug` does not show it.
///
/// ```
/// use clipia_queue::uploads::UploadId;
///
/// let id: UploadId = "00112233445566778899aabbccddeeff".parse().unwrap();
/// assert_eq!(id.to_string(), "00112233445566778899aabbccddeeff");
/// assert_eq!(format!("{id:?}"), "UploadId(…)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub Uuid);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadId(…)")
    }
}

/// A text that is no id of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of an upload has 32 digits, 0 to 9 and a to f")]
pub struct NoUploadId;

impl FromStr for UploadId {
    type Err = NoUploadId;

    fn from_str(text: &str) -> Result<Self, NoUploadId> {
        // One spelling only: it is the name of a directory.
        let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(NoUploadId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| NoUploadId)
    }
}

/// The uploads that an account keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many.
    pub count: u64,
    /// Their length together, in bytes.
    pub bytes: u64,
}

/// Why a file is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no byte in it.
    #[error("the body is empty: send the bytes of the file")]
    Empty,
    /// It is longer than [`BYTES_MAX`].
    #[error("the file is longer than {} MiB", BYTES_MAX / MIB)]
    TooLong,
    /// The account keeps [`ACCOUNT_COUNT_MAX`] uploads.
    #[error("the account keeps {ACCOUNT_COUNT_MAX} uploads already, as many as it may: each is removed after {} hours", KEPT.as_secs() / 3_600)]
    TooMany,
    /// The account would keep more than [`ACCOUNT_BYTES_MAX`].
    #[error("the uploads of the account would take more than {} MiB: each is removed after {} hours", ACCOUNT_BYTES_MAX / MIB, KEPT.as_secs() / 3_600)]
    NoRoom,
}

const MIB: u64 = 1024 * 1024;

/// Until when a file of so many bytes is kept, where the account keeps `usage` already.
///
/// # Errors
/// [`Refused`] says why it is not kept.
pub fn keep(usage: Usage, bytes: u64, now: Moment) -> Result<Moment, Refused> {
    if bytes == 0 {
        return Err(Refused::Empty);
    }
    if bytes > BYTES_MAX {
        return Err(Refused::TooLong);
    }
    if usage.count >= ACCOUNT_COUNT_MAX {
        return Err(Refused::TooMany);
    }
    if usage.bytes.saturating_add(bytes) > ACCOUNT_BYTES_MAX {
        return Err(Refused::NoRoom);
    }
    Ok(now + KEPT)
}

/// An upload as it is stored, as far as its end needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredUpload {
    /// Until when new requests may name it.
    pub expires_at: Moment,
    /// Whether a request names it that has not ended.
    pub in_use: bool,
}

impl StoredUpload {
    /// Whether it may be removed.
    pub fn is_due(&self, now: Moment) -> bool {
        !self.in_use && self.expires_at <= now
    }
}

/// An upload that an input names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The parameter.
    pub parameter: String,
    /// The upload.
    pub id: UploadId,
}

/// An upload that a new request names and may not name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{parameter}` names no upload of this server: uploads are kept for {} hours, so upload the file again", KEPT.as_secs() / 3_600)]
pub struct Gone {
    /// The parameter.
    pub parameter: String,
}

impl Named {
    /// Checks that a new request may name it; `expires_at` is that of the stored upload, if there is one.
    ///
    /// # Errors
    /// [`Gone`] where it is not stored or has expired.
    pub fn check(&self, expires_at: Option<Moment>, now: Moment) -> Result<(), Gone> {
        match expires_at {
            Some(expires_at) if expires_at > now => Ok(()),
            _ => Err(Gone { parameter: self.parameter.clone() }),
        }
    }
}

/// The uploads of the server at `base_url` that an input names, whatever the type of the parameter is.
pub fn named(input: &Map<String, Value>, base_url: &str) -> Vec<Named> {
    let of = |(parameter, value): (&String, &Value)| {
        let id = id_in(value.as_str()?, base_url)?;
        Some(Named { parameter: parameter.clone(), id })
    };
    input.iter().filter_map(of).collect()
}

/// The id in the URL of an upload of the server at `base_url`.
fn id_in(url: &str, base_url: &str) -> Option<UploadId> {
    let path = url.strip_prefix(base_url)?.strip_prefix(PATH)?.strip_prefix('/')?;
    let (id, name) = path.strip_prefix(DIRECTORY)?.strip_prefix('/')?.split_once('/')?;
    id.parse().ok().filter(|_| !name.is_empty() && !name.contains('/'))
}

/// The path of an upload on the server.
pub fn path(id: UploadId, name: &str) -> String {
    format!("{PATH}/{DIRECTORY}/{id}/{name}")
}

/// The file name in the URL of an upload whose caller named it `given`: its last part, with `-` for each run of characters other
/// than letters, digits, `.` and `_`. `extension` is added where it has none.
pub fn file_name(given: &str, extension: Option<&str>) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let (stem, own) = match last.rsplit_once('.') {
        Some((stem, own)) if is_extension(own) => (stem, Some(own)),
        _ => (last, None),
    };
    let mut plain = String::new();
    for c in stem.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' => plain.push(c),
            _ if plain.ends_with('-') => {}
            _ => plain.push('-'),
        }
    }
    let extension = own.or(extension.filter(|extension| is_extension(extension)));
    let tail = extension.map(|extension| format!(".{extension}")).unwrap_or_default();
    let stem = plain.trim_matches(['.', '-']);
    // Every character of the stem has one byte.
    let stem = &stem[..stem.len().min(NAME_BYTES_MAX - tail.len())];
    format!("{}{tail}", if stem.is_empty() { NAME } else { stem })
}

fn is_extension(text: &str) -> bool {
    (1..=EXTENSION_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);
    const ID: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_file_is_kept_within_the_bounds_of_its_account() {
        let usage = |count, bytes| Usage { count, bytes };
        for (kept, bytes, result) in [
            (usage(0, 0), 1, Ok(NOW + KEPT)),
            (usage(0, 0), 0, Err(Refused::Empty)),
            (usage(0, 0), BYTES_MAX, Ok(NOW + KEPT)),
            (usage(0, 0), BYTES_MAX + 1, Err(Refused::TooLong)),
            (usage(ACCOUNT_COUNT_MAX - 1, 0), 1, Ok(NOW + KEPT)),
            (usage(ACCOUNT_COUNT_MAX, 0), 1, Err(Refused::TooMany)),
            (usage(1, ACCOUNT_BYTES_MAX - 1), 1, Ok(NOW + KEPT)),
            (usage(1, ACCOUNT_BYTES_MAX), 1, Err(Refused::NoRoom)),
            (usage(1, u64::MAX), 1, Err(Refused::NoRoom)),
        ] {
            assert_eq!(keep(kept, bytes, NOW), result, "{kept:?} {bytes}");
        }
    }

    #[test]
    fn an_expired_upload_stays_for_the_requests_that_named_it() {
        let upload = StoredUpload { expires_at: NOW, in_use: true };
        let named = Named { parameter: "image_url".to_owned(), id: ID.parse().unwrap() };
        assert!(!upload.is_due(NOW + KEPT));
        assert!(StoredUpload { in_use: false, ..upload }.is_due(NOW));
        assert!(!StoredUpload { in_use: false, ..upload }.is_due(NOW - Duration::from_micros(1)));
        assert_eq!(named.check(Some(NOW + KEPT), NOW), Ok(()));
        for gone in [Some(NOW), None] {
            let refused = named.check(gone, NOW).unwrap_err().to_string();
            assert!(refused.starts_with("`image_url` names no upload of this server"), "{refused}");
        }
    }

    #[test]
    fn the_uploads_of_this_server_are_found_in_an_input() {
        let here = "http://here";
        for (url, found) in [
            (format!("{here}/media/uploads/{ID}/fox.png"), true),
            (format!("http://there/media/uploads/{ID}/fox.png"), false),
            (format!("{here}/media/uploads/{ID}/"), false),
            (format!("{here}/media/uploads/{ID}"), false),
            (format!("{here}/media/uploads/{ID}/a/b"), false),
            (format!("{here}/media/uploads/{}/fox.png", &ID[1..]), false),
            (format!("{here}/media/uploads/{}/fox.png", ID.to_uppercase()), false),
            (format!("{here}/media/{ID}/{ID}/fox.png"), false),
            ("data:image/png;base64,AA==".to_owned(), false),
        ] {
            let input = json!({"any": url, "prompt": "fox", "seed": 7});
            let named = named(input.as_object().unwrap(), here);
            assert_eq!(named.len(), usize::from(found), "{url}");
            assert!(named.iter().all(|named| named.parameter == "any" && named.id.to_string() == ID));
        }
        assert_eq!(path(ID.parse().unwrap(), "fox.png"), format!("/media/uploads/{ID}/fox.png"));
    }

    #[test]
    fn a_file_name_keeps_what_a_url_can_hold() {
        for (given, extension, name) in [
            ("fox.png", None, "fox.png"),
            ("fox.png", Some("jpg"), "fox.png"),
            ("/home/me/My fox (1).PNG", None, "My-fox-1.PNG"),
            ("C:\\pictures\\fox.webp", None, "fox.webp"),
            ("fox", Some("png"), "fox.png"),
            ("", Some("png"), "file.png"),
            ("", None, "file"),
            ("..", None, "file"),
            (".png", None, "file.png"),
            ("füchsin.png", None, "f-chsin.png"),
            ("狐.png", None, "file.png"),
            ("archive.of-a-very-long-kind", Some("bin"), "archive.of-a-very-long-kind.bin"),
        ] {
            assert_eq!(file_name(given, extension), name, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn every_file_name_is_plain_and_short(given in any::<String>(), extension in prop::option::of("[a-z0-9]{1,12}")) {
            let name = file_name(&given, extension.as_deref());
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            prop_assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain), "{name}");
            prop_assert!(!name.starts_with('.') && !name.contains('/'), "{name}");
            let id: UploadId = ID.parse().unwrap();
            prop_assert_eq!(id_in(&format!("http://here{}", path(id, &name)), "http://here"), Some(id));
        }
    }
}
