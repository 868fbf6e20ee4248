//! The files in `data:` URLs, which no server has to pass on.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use file_format::FileFormat;

/// Reads a `data:` URL, whose part behind `data:` is `data`. Returns the bytes, and the media type that they or the URL tell; none
/// if it is not in base64.
pub(super) fn read(data: &str) -> Option<(Vec<u8>, Option<String>)> {
    let (told, encoded) = data.split_once(";base64,")?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let told = told.split(';').next().unwrap_or(told);
    let found = FileFormat::from_bytes(&bytes).media_type().to_owned();
    let is_media = ["image/", "video/", "audio/"].iter().any(|family| found.starts_with(family));
    let media_type =
        if is_media { Some(found) } else { Some(told.to_owned()).filter(|told| !told.is_empty()) };
    Some((bytes, media_type))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_data_url_has_a_file_and_its_type() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        let url = "image/jpeg;base64,iVBORw0KGgoAAAANSUhEUg==";
        assert_eq!(read(url), Some((png, Some("image/png".to_owned()))), "the bytes tell more than the URL");
        let text = Some((b"a, b".to_vec(), Some("text/plain".to_owned())));
        assert_eq!(read("text/plain;charset=utf-8;base64,YSwgYg=="), text);
        assert_eq!(read(";base64,YQ=="), Some((b"a".to_vec(), None)));
        assert_eq!(read("image/png,a"), None);
        assert_eq!(read("image/png;base64,???"), None);
    }
}
