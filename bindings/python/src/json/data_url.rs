//! Bytes, files and images as `data:` URLs (RFC 2397).

use super::form::type_name;
use super::{Fault, TEXT_BYTES_MAX, too_long};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clipia::media_type;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString};

/// Bytes of the largest file: base64 writes three bytes as four.
const BYTES_MAX: usize = TEXT_BYTES_MAX / 4 * 3;

/// The media type if neither the first bytes nor the name show one.
const UNKNOWN: &str = "application/octet-stream";

pub(super) fn of_bytes(bytes: &[u8]) -> Result<String, Fault> {
    url(bytes, &media_type(bytes).unwrap_or(UNKNOWN.into()))
}

/// The URL of a file from its current position. The position is restored afterwards, because an input may be checked
/// first and submitted then.
pub(super) fn of_file(file: &Bound<'_, PyAny>, read: &Bound<'_, PyAny>) -> Result<String, Fault> {
    let py = file.py();
    if file.is_instance(&py.import("io")?.getattr("TextIOBase")?)? {
        return Err(Fault::Unfit(
            "is a file that was opened as text; open it as `open(path, \"rb\")`".to_owned(),
        ));
    }
    let seekable = match file.getattr_opt("seekable")? {
        Some(seekable) => seekable.call0()?.is_truthy()?,
        None => false,
    };
    let start = if seekable { Some(file.call_method0("tell")?) } else { None };
    let bytes = content(read);
    if let Some(start) = start {
        file.call_method1("seek", (start,))?;
    }
    let bytes = bytes?;
    if bytes.is_empty() {
        return Err(Fault::Unfit("is a file that is empty, or was read to its end before".to_owned()));
    }
    match media_type(&bytes) {
        Some(media_type) => url(&bytes, &media_type),
        None => url(&bytes, &media_type_of_name(file)?.unwrap_or_else(|| UNKNOWN.to_owned())),
    }
}

fn content(read: &Bound<'_, PyAny>) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::new();
    loop {
        // One `read` may return less than is left.
        let part = read.call1((BYTES_MAX + 1 - content.len(),))?;
        let length = content.len();
        if let Ok(bytes) = part.cast::<PyBytes>() {
            content.extend_from_slice(bytes.as_bytes());
        } else if let Ok(bytes) = part.cast::<PyByteArray>() {
            content.extend(bytes.to_vec());
        } else {
            let reason = format!("is a file that gives `{}` where bytes are read", type_name(&part));
            return Err(Fault::Unfit(reason));
        }
        if content.len() > BYTES_MAX {
            return Err(too_long());
        }
        if content.len() == length {
            return Ok(content);
        }
    }
}

/// The URL of a Pillow image: a JPEG in its original quality, or otherwise a PNG, which is lossless.
pub(super) fn of_image(image: &Bound<'_, PyAny>) -> Result<String, Fault> {
    let py = image.py();
    let options = PyDict::new(py);
    let format: Option<String> = image.getattr("format")?.extract()?;
    let mode: String = image.getattr("mode")?.extract()?;
    // The mode is checked, too, because an alpha channel may have been added.
    let jpeg = format.as_deref() == Some("JPEG") && matches!(mode.as_str(), "RGB" | "L" | "CMYK");
    let (image, media_type) = if jpeg {
        options.set_item("format", "JPEG")?;
        options.set_item("quality", "keep")?;
        // EXIF has the orientation, the ICC profile the meaning of the colours.
        options.set_item("exif", image.call_method0("getexif")?)?;
        options.set_item("icc_profile", image.getattr("info")?.call_method1("get", ("icc_profile",))?)?;
        (image.clone(), "image/jpeg")
    } else {
        options.set_item("format", "PNG")?;
        // Readers of PNG ignore an orientation, so the image itself is turned.
        (py.import("PIL.ImageOps")?.call_method1("exif_transpose", (image,))?, "image/png")
    };
    let buffer = py.import("io")?.call_method0("BytesIO")?;
    image.call_method("save", (&buffer,), Some(&options))?;
    let bytes = buffer.call_method0("getvalue")?.cast_into::<PyBytes>().map_err(PyErr::from)?;
    url(bytes.as_bytes(), media_type)
}

fn url(bytes: &[u8], media_type: &str) -> Result<String, Fault> {
    if bytes.len() > BYTES_MAX {
        return Err(too_long());
    }
    let mut url = format!("data:{media_type};base64,");
    STANDARD.encode_string(bytes, &mut url);
    Ok(url)
}

/// The media type that the name of a file shows.
fn media_type_of_name(file: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let py = file.py();
    match file.getattr_opt(intern!(py, "name"))? {
        // The name of a file that was opened by its descriptor is a number.
        Some(name) if name.is_instance_of::<PyString>() => {
            py.import("mimetypes")?.call_method1("guess_type", (name,))?.get_item(0)?.extract()
        }
        _ => Ok(None),
    }
}
