//! What files say of their origin: that a program drew them, and no trained model. The prompt is not in a file: its URL is often
//! given to people who are not meant to read the prompt.

use super::RenderError;
use std::num::TryFromIntError;

/// The program that makes the files.
pub(super) const SOFTWARE: &str = concat!("clipia-render ", env!("CARGO_PKG_VERSION"));
/// The origin, in a sentence for people.
pub(super) const NOTE: &str =
    "Procedural: made by a program from the words of a prompt, without a trained model";
/// The keyword of the seed in a PNG.
pub(super) const SEED: &str = "Seed";
/// The keyword of [`xmp`] in a PNG, as the XMP specification has it.
pub(super) const XMP_KEYWORD: &str = "XML:com.adobe.xmp";
/// The origin for programs, as IPTC defines it: media that an algorithm made which learnt from no sampled data.
const ALGORITHMIC_MEDIA: &str =
    " Iptc4xmpExt:DigitalSourceType=\"http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia\"";
/// The kind of a box of an MP4 that contains XMP, as the XMP specification has it.
const XMP_BOX: [u8; 16] =
    [0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8, 0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf, 0xac];

/// The flag of a WebP's extended header that says that the file has XMP.
const WEBP_HAS_XMP: u8 = 0x04;
/// The bytes before the first chunk of a RIFF file: its name, its length, its kind.
const RIFF_HEADER: usize = 12;

/// The origin for programs, as XMP. A clip of a source image is not `drawn`: the image may be anything.
pub(super) fn xmp(drawn: bool) -> String {
    let origin = if drawn { ALGORITHMIC_MEDIA } else { "" };
    format!(
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description rdf:about=\"\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" xmp:CreatorTool=\"{SOFTWARE}\"{origin}/>\
         </rdf:RDF></x:xmpmeta>"
    )
}

/// Adds its origin to an MP4. The box is the last one, and players skip it.
pub(super) fn mark_mp4(mp4: &mut Vec<u8>, drawn: bool) {
    let xmp = xmp(drawn);
    let length = 8 + XMP_BOX.len() + xmp.len();
    // The text has a few hundred bytes.
    mp4.extend_from_slice(&(length as u32).to_be_bytes());
    mp4.extend_from_slice(b"uuid");
    mp4.extend_from_slice(&XMP_BOX);
    mp4.extend_from_slice(xmp.as_bytes());
}

/// Adds its origin to a WAV file. Readers that do not know the chunk skip it.
pub(super) fn mark_wav(wav: &mut Vec<u8>) -> Result<(), RenderError> {
    let mut list = b"INFO".to_vec();
    let mut mark = || {
        for (name, text) in [(b"ISFT", SOFTWARE), (b"ICMT", NOTE)] {
            // Texts of this chunk end with a zero byte.
            add_chunk(&mut list, name, &[text.as_bytes(), b"\0"].concat())?;
        }
        add_chunk(wav, b"LIST", &list)?;
        set_length(wav)
    };
    mark().map_err(|error: TryFromIntError| RenderError::encode("WAV", error))
}

/// A WebP file with its origin in it. `webp` is a file of one lossy image without an extended header.
pub(super) fn mark_webp(webp: &[u8], width: u32, height: u32) -> Result<Vec<u8>, RenderError> {
    let image = webp.get(RIFF_HEADER..).filter(|image| image.starts_with(b"VP8 "));
    let image =
        image.ok_or_else(|| RenderError::encode("WebP", "the file does not begin with a lossy image"))?;
    let mut header = vec![WEBP_HAS_XMP, 0, 0, 0];
    for edge in [width, height] {
        header.extend_from_slice(&edge.saturating_sub(1).to_le_bytes()[..3]);
    }
    let xmp = xmp(true);
    let mut marked = Vec::with_capacity(webp.len() + xmp.len() + 64);
    marked.extend_from_slice(&webp[..RIFF_HEADER]);
    let mut mark = || {
        add_chunk(&mut marked, b"VP8X", &header)?;
        marked.extend_from_slice(image);
        add_chunk(&mut marked, b"XMP ", xmp.as_bytes())?;
        set_length(&mut marked)
    };
    mark().map_err(|error: TryFromIntError| RenderError::encode("WebP", error))?;
    Ok(marked)
}

/// Adds a chunk of RIFF: its name, its length, and its content padded to an even length.
fn add_chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) -> Result<(), TryFromIntError> {
    file.extend_from_slice(name);
    file.extend_from_slice(&u32::try_from(content.len())?.to_le_bytes());
    file.extend_from_slice(content);
    file.extend(std::iter::repeat_n(0, content.len() % 2));
    Ok(())
}

/// Writes the length of a RIFF file into its header.
fn set_length(file: &mut [u8]) -> Result<(), TryFromIntError> {
    let length = u32::try_from(file.len().saturating_sub(8))?;
    if let Some(place) = file.get_mut(4..8) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    Ok(())
}
