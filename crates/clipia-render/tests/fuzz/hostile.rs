//! Small files that would cost a decoder much memory or time.

use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};
use std::io::Write;
use std::sync::LazyLock;

/// A file, and the expected result.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) file: Vec<u8>,
    /// A part of the reason of the refusal; `None` if the picture is drawn.
    pub(crate) refused: Option<&'static str>,
}

/// A file for each way to cost much.
pub(crate) fn pictures() -> Vec<Hostile> {
    let row = |name, file, refused| Hostile { name, file, refused };
    vec![
        row("PNG of 1 x 8192", blank_png(1, 8_192), None),
        row("PNG of 8192 x 1", blank_png(8_192, 1), None),
        row("PNG of a thousand small pieces", pieces(), None),
        row("PNG of 8 megapixels in one bit each, interlaced", interlaced(8_192, 1_000), None),
        row(
            "PNG of 65535 x 65535, cut off",
            png(ihdr(65_535, 65_535, 8, 6), &[(b"IDAT", vec![])]),
            Some("too large"),
        ),
        row("PNG of 0 x 8", png(ihdr(0, 8, 8, 6), &[]), Some("cannot be decoded")),
        row(
            "PNG of 8192 x 4800 in 64 bits a pixel",
            png(ihdr(8_192, 4_800, 16, 6), &[(b"IDAT", zeros(1))]),
            Some("memory"),
        ),
        row("PNG of 1 x 1 with 4 GB behind its pixel", png(ihdr(1, 1, 8, 0), &[(b"IDAT", zeros(256))]), None),
        row(
            "PNG with a colour profile of 1.6 GB",
            png(ihdr(1, 1, 8, 0), &[(b"iCCP", profile(100)), (b"IDAT", zeros(1))]),
            None,
        ),
        row("JPEG of 100,000 scans", baseline_scans(100_000), Some("scans")),
        row("JPEG of 100 progressive scans", progressive(8_192, 4_800, 0x22, 100), Some("scans")),
        row("JPEG of 60 progressive scans", progressive(2_048, 2_048, 0x11, 60), None),
        row("JPEG of 39 megapixels kept as coefficients", progressive(8_192, 4_800, 0x11, 4), Some("memory")),
        row("JPEG of 65535 x 65535", progressive(65_535, 65_535, 0x11, 1), Some("too large")),
        row("JPEG with two frames", two_frames(), Some("two frames")),
        row(
            "WebP of 1 x 1 around a frame of 16383 x 16383",
            webp(1, 1, 0, &[(b"VP8 ", vp8(16_383, 16_383))]),
            Some("too large"),
        ),
        row(
            "WebP with as many code tables as are taken",
            riff(&[(b"VP8L", tables(1_890, Some((4, 4))))]),
            None,
        ),
        row(
            "WebP with 16,000 code tables",
            riff(&[(b"VP8L", tables(16_000, Some((4, 4))))]),
            Some("lossless"),
        ),
        row("WebP with 16,000 code tables for its alpha", alpha_tables(16_000), Some("lossless")),
        row("WebP with 16,000 code tables in a frame", frame_tables(16_000), Some("lossless")),
        row("WebP of 16777215 x 1", webp(16_777_215, 1, 0, &[(b"VP8 ", vp8(16_383, 1))]), Some("too large")),
        row("WebP with a colour profile of 4 GB, cut off", cut_off_profile(), Some("cannot be decoded")),
    ]
}

/// A grey PNG of this size, all black.
pub(crate) fn blank_png(width: u32, height: u32) -> Vec<u8> {
    let rows = vec![0; (width as usize + 1) * height as usize];
    png(ihdr(width, height, 8, 0), &[(b"IDAT", deflated(&rows))])
}

fn ihdr(width: u32, height: u32, depth: u8, colour: u8) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat()
}

/// A PNG of a header and chunks.
fn png(header: Vec<u8>, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header = (b"IHDR", header);
    for (name, content) in [&header].into_iter().chain(chunks).chain([&(b"IEND", vec![])]) {
        file.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        file.extend(*name);
        file.extend(content);
        let mut crc = Crc::new();
        crc.update(*name);
        crc.update(content);
        file.extend(crc.sum().to_be_bytes());
    }
    file
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zlib stream of `times` × 16 MiB of zeros, without its end.
fn zeros(times: usize) -> Vec<u8> {
    static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut block = Vec::with_capacity(1 << 20);
        let mut compress = Compress::new(Compression::default(), false);
        compress.compress_vec(&vec![0; 16 << 20], &mut block, FlushCompress::Full).unwrap();
        block
    });
    [&[0x78, 0x9c][..], &BLOCK.repeat(times)].concat()
}

fn profile(times: usize) -> Vec<u8> {
    // The name, and the compression method: deflate.
    [b"profile\0\0".to_vec(), zeros(times)].concat()
}

fn pieces() -> Vec<u8> {
    let rows = deflated(&vec![0; 65 * 64]);
    let pieces: Vec<_> = rows.chunks(1).map(|piece| (b"IDAT", piece.to_vec())).collect();
    let texts = (0..1_000).map(|_| (b"tEXt", b"Comment\0none".to_vec()));
    png(ihdr(64, 64, 8, 0), &texts.chain(pieces).collect::<Vec<_>>())
}

fn interlaced(width: u32, height: u32) -> Vec<u8> {
    let mut header = ihdr(width, height, 1, 0);
    *header.last_mut().unwrap() = 1;
    png(header, &[(b"IDAT", zeros(1))])
}

/// A segment of a JPEG.
fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

/// The start of a JPEG: tables of one code each, and a frame of three components, the first with this sampling.
fn jpeg(frame: u8, width: u16, height: u16, sampling: u8) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    file.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    let (height, width) = (height.to_be_bytes(), width.to_be_bytes());
    let components = [1, sampling, 0, 2, 0x11, 0, 3, 0x11, 0];
    file.extend(segment(frame, &[&[8][..], &height, &width, &[3], &components].concat()));
    for (class, symbol) in [(0x00, 0x00), (0x10, 0x00), (0x11, 0xe0)] {
        let mut table = [0; 18];
        (table[0], table[1], table[17]) = (class, 1, symbol);
        file.extend(segment(0xc4, &table));
    }
    file
}

fn baseline_scans(scans: usize) -> Vec<u8> {
    let mut file = jpeg(0xc0, 4_096, 2_400, 0x11);
    let scan = [segment(0xda, &[1, 1, 0, 0, 63, 0]), vec![0; 2]].concat();
    file.extend(scan.repeat(scans));
    file.extend([0xff, 0xd9]);
    file
}

fn progressive(width: u16, height: u16, sampling: u8, scans: usize) -> Vec<u8> {
    let mut file = jpeg(0xc2, width, height, sampling);
    file.extend(segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0]));
    file.extend(vec![0; 64]);
    let refining = [segment(0xda, &[1, 1, 0x01, 1, 63, 0x00]), vec![0; 8]].concat();
    file.extend(refining.repeat(scans - 1));
    file.extend([0xff, 0xd9]);
    file
}

fn two_frames() -> Vec<u8> {
    let mut file = jpeg(0xc2, 16, 16, 0x11);
    file.extend(&jpeg(0xc2, 8_192, 4_800, 0x11)[2..]);
    file.extend(segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0]));
    file
}

/// A RIFF file of WebP chunks.
fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, content) in chunks {
        body.extend(*name);
        body.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        body.extend(content);
        body.extend(vec![0; content.len() % 2]);
    }
    [&b"RIFF"[..], &u32::try_from(body.len()).unwrap().to_le_bytes(), &body].concat()
}

/// An extended WebP with a canvas of this size.
fn webp(width: u32, height: u32, flags: u8, chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let size = [&(width - 1).to_le_bytes()[..3], &(height - 1).to_le_bytes()[..3]].concat();
    let header = (b"VP8X", [&[flags, 0, 0, 0][..], &size].concat());
    riff(&[&[header], chunks].concat())
}

/// A lossy frame that ends soon after its size.
fn vp8(width: u16, height: u16) -> Vec<u8> {
    let partition = 4_000_u32;
    let tag = (partition << 5 | 1 << 4).to_le_bytes();
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    [&tag[..3], &[0x9d, 0x01, 0x2a], &size, &[0; 8_000]].concat()
}

fn alpha_tables(groups: u32) -> Vec<u8> {
    let alpha = [vec![1], tables(groups, None)].concat();
    webp(4, 4, 1 << 4, &[(b"ALPH", alpha), (b"VP8 ", vp8(4, 4))])
}

fn frame_tables(groups: u32) -> Vec<u8> {
    let inner = riff(&[(b"VP8L", tables(groups, Some((4, 4))))]);
    // Position, size minus one, duration and flags, then the chunk.
    let frame = [&[0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0, 0, 0, 0, 0][..], &inner[12..]].concat();
    webp(4, 4, 1 << 1, &[(b"ANIM", vec![0; 6]), (b"ANMF", frame)])
}

fn cut_off_profile() -> Vec<u8> {
    let mut file = webp(4, 4, 1 << 5, &[(b"ICCP", vec![])]);
    let length = file.len();
    file[length - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
    file
}

/// Bits; the lowest bit of a byte comes first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for bit in 0..count {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::from(value >> bit & 1 == 1) << (self.count % 8);
            self.count += 1;
        }
    }

    /// A code of one symbol.
    fn put_single(&mut self, symbol: u32) {
        self.put(0b101, 3);
        self.put(symbol, 8);
    }
}

/// A lossless image of 4 by 4 with that many groups of codes, of which the first has 2048 symbols of 11 bits: 138 bytes
/// of file that a decoder keeps in 70 KB.
fn tables(groups: u32, size: Option<(u32, u32)>) -> Vec<u8> {
    let mut bits = Bits::default();
    if let Some((width, height)) = size {
        bits.put(0x2f, 8);
        bits.put(width - 1, 14);
        bits.put(height - 1, 14);
        bits.put(0, 4);
    }
    // No transform, a colour cache of 2048, groups by blocks of 4 by 4, no cache of their own.
    bits.put(0, 1);
    bits.put(1 | 11 << 1, 5);
    bits.put(1, 4);
    bits.put(0, 1);
    for symbol in [(groups - 1) & 0xff, (groups - 1) >> 8, 0, 0, 0] {
        bits.put_single(symbol);
    }
    for _ in 0..groups {
        // Two symbols of one bit code the lengths: 11, and 16, which repeats.
        bits.put(0, 1);
        bits.put(15 - 4, 4);
        for place in 0..15 {
            bits.put(u32::from(place == 8 || place == 14), 3);
        }
        // The number of symbols that follow.
        bits.put(1 | 4 << 1, 4);
        bits.put(343 - 2, 10);
        bits.put(0, 1);
        for _ in 0..341 {
            bits.put(1 | 3 << 1, 3);
        }
        bits.put(0, 1);
        for _ in 0..4 {
            bits.put(0b0001, 4);
        }
    }
    bits.put(0, 32);
    // Space for 16 pixels of 11 bits.
    bits.bytes.extend([0; 64]);
    bits.bytes
}
