use super::*;
use clipia_render::{ClipOrder, SoundOrder, clip, sound};
use image::{DynamicImage, ImageFormat};
use std::io::{Cursor, Write};
use std::ops::ControlFlow;

fn judged(content: &[u8]) -> Media {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    let media = of(&mut file, content.len() as u64).unwrap();
    assert_eq!(file.stream_position().unwrap(), 0, "the file is left at its beginning");
    media
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(vec![]);
    DynamicImage::new_rgb8(37, 21).write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A box of an MP4 file.
fn mp4_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap();
    [&length.to_be_bytes()[..], kind, content].concat()
}

/// A track of an MP4 file: its handler, its matrix, width and height.
fn mp4_track(handler: &[u8; 4], matrix: [u32; 9], size: [u32; 2]) -> Vec<u8> {
    let numbers: Vec<u8> =
        matrix.into_iter().chain(size.map(|pixels| pixels << 16)).flat_map(u32::to_be_bytes).collect();
    let head = mp4_box(b"tkhd", &[&[0; 40][..], &numbers].concat());
    let handler = mp4_box(b"hdlr", &[&[0; 8][..], handler, &[0; 13]].concat());
    mp4_box(b"trak", &[head, mp4_box(b"mdia", &handler)].concat())
}

/// An MP4 file with these tracks, of `length` thousandths of a second.
fn mp4(brand: &[u8; 4], length: u32, tracks: &[Vec<u8>]) -> Vec<u8> {
    let times: Vec<u8> = [0, 0, 0, 1_000, length].into_iter().flat_map(u32::to_be_bytes).collect();
    let header = mp4_box(b"mvhd", &[times, vec![0; 80]].concat());
    let movie = mp4_box(b"moov", &[vec![header], tracks.to_vec()].concat().concat());
    // The movie comes last, behind the data, as encoders that do not know the length before write it.
    [mp4_box(b"ftyp", &[&brand[..], &[0; 4]].concat()), mp4_box(b"mdat", &[7; 3_000]), movie].concat()
}

const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
const TURNED: [u32; 9] = [0, 0x1_0000, 0, 0xffff_0000, 0, 0, 0, 0, 0x4000_0000];

/// An element of a Matroska file, with its length in eight bytes.
fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &(content.len() as u64 | 1 << 56).to_be_bytes(), content].concat()
}

/// A Matroska file whose segment has no length, as a live encoder writes it.
fn matroska(document: &[u8], kind: u8) -> Vec<u8> {
    let header = element(&[0x1a, 0x45, 0xdf, 0xa3], &element(&[0x42, 0x82], document));
    let info = [
        element(&[0x2a, 0xd7, 0xb1], &500_000_u32.to_be_bytes()),
        element(&[0x44, 0x89], &5_000_f64.to_be_bytes()),
    ];
    let size = [element(&[0xb0], &[0x02, 0x80]), element(&[0xba], &[0x01, 0x68])].concat();
    let track = [element(&[0x83], &[kind]), element(&[0xe0], &size)].concat();
    let tracks = element(&[0x16, 0x54, 0xae, 0x6b], &element(&[0xae], &track));
    let cluster = element(&[0x1f, 0x43, 0xb6, 0x75], &[0; 50]);
    let segment = [&[0x18, 0x53, 0x80, 0x67][..], &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
    [header, segment, element(&[0x15, 0x49, 0xa9, 0x66], &info.concat()), tracks, cluster].concat()
}

/// A WAV file of 8,000 bytes a second, which says that it has `said` bytes of data.
fn wav(data: usize, said: u32) -> Vec<u8> {
    let format =
        [&[1, 0, 1, 0][..], &8_000_u32.to_le_bytes(), &8_000_u32.to_le_bytes(), &[1, 0, 8, 0]].concat();
    let list = [&b"LIST"[..], &3_u32.to_le_bytes(), b"abc\0"].concat();
    [
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0",
        &format[..],
        &list,
        b"data",
        &said.to_le_bytes(),
        &vec![128; data],
    ]
    .concat()
}

/// An Ogg page with one packet.
fn ogg_page(kind: u8, number: u32, samples: u64, packet: &[u8]) -> Vec<u8> {
    let head = [b"OggS\0", &[kind][..], &samples.to_le_bytes(), &7_u32.to_le_bytes(), &number.to_le_bytes()]
        .concat();
    let lengths = [1, u8::try_from(packet.len()).unwrap()];
    let without = [&head[..], &[0; 4], &lengths, packet].concat();
    let step = |crc: u32, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
    let crc = without.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte) << 24, step));
    [&head[..], &crc.to_le_bytes(), &lengths, packet].concat()
}

/// Three seconds of Opus.
fn opus() -> Vec<u8> {
    let head =
        [b"OpusHead\x01\x01", &0_u16.to_le_bytes()[..], &48_000_u32.to_le_bytes(), &[0, 0, 0]].concat();
    let tags = [b"OpusTags", &1_u32.to_le_bytes()[..], b"x", &0_u32.to_le_bytes()].concat();
    [ogg_page(2, 0, 0, &head), ogg_page(0, 1, 0, &tags), ogg_page(4, 2, 3 * 48_000, &[0; 100])].concat()
}

/// A FLAC file of five seconds, without its frames.
fn flac() -> Vec<u8> {
    // 20 bits of rate, 3 of channels, 5 of bits a sample, 36 of samples.
    let numbers = 44_100_u64 << 44 | 15 << 36 | (5 * 44_100);
    let info = [&[0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0][..], &numbers.to_be_bytes(), &[0; 16]].concat();
    [b"fLaC\x80\0\0\x22", &info[..], &[0; 64]].concat()
}

/// Frames of 128 kbit/s, 1152 samples of 44,100 a second each.
fn mp3(frames: usize) -> Vec<u8> {
    [&[0xff, 0xfb, 0x90, 0x00][..], &[0; 413]].concat().repeat(frames)
}

#[test]
fn pictures_clips_and_sounds_are_told_by_their_content() {
    let video = |extensions, size: Option<(u32, u32)>, duration| Media::Video {
        extensions,
        width: size.map(|size| size.0),
        height: size.map(|size| size.1),
        duration,
    };
    let sized = |format| Media::Picture { format, width: 37, height: 21 };
    let sound_of = |extensions, seconds| Media::Audio { extensions, duration: Some(seconds) };
    let pictures = mp4_track(b"vide", UPRIGHT, [640, 360]);
    let sounds = mp4_track(b"soun", UPRIGHT, [0, 0]);
    for (what, content, media) in [
        ("PNG", picture(ImageFormat::Png), sized(Picture::Png)),
        ("JPEG", picture(ImageFormat::Jpeg), sized(Picture::Jpeg)),
        ("WebP", picture(ImageFormat::WebP), sized(Picture::WebP)),
        ("GIF", b"GIF89a\x25\0\x15\0\0\0\0;".to_vec(), sized(Picture::Gif)),
        (
            "MP4",
            mp4(b"isom", 2_500, &[sounds.clone(), pictures.clone()]),
            video(&["mp4", "m4v"], Some((640, 360)), Some(2.5)),
        ),
        (
            "QuickTime",
            mp4(b"qt  ", 2_500, std::slice::from_ref(&pictures)),
            video(&["mov", "qt"], Some((640, 360)), Some(2.5)),
        ),
        (
            "turned MP4",
            mp4(b"mp42", 1, &[mp4_track(b"vide", TURNED, [640, 360])]),
            video(&["mp4", "m4v"], Some((360, 640)), Some(0.001)),
        ),
        (
            "MP4 of unknown length",
            mp4(b"isom", u32::MAX, &[pictures]),
            video(&["mp4", "m4v"], Some((640, 360)), None),
        ),
        ("M4A", mp4(b"M4A ", 4_000, &[sounds]), sound_of(&["m4a", "mp4"], 4.0)),
        ("WebM", matroska(b"webm", 1), video(&["webm"], Some((640, 360)), Some(2.5))),
        ("Matroska", matroska(b"matroska", 1), video(&["mkv"], Some((640, 360)), Some(2.5))),
        ("WebM of sound", matroska(b"webm", 2), sound_of(&["weba", "webm"], 2.5)),
        ("WAV", wav(4_000, 4_000), sound_of(&["wav"], 0.5)),
        ("WAV of a pipe", wav(4_000, u32::MAX), sound_of(&["wav"], 0.5)),
        ("Opus", opus(), sound_of(&["ogg", "oga", "opus"], 3.0)),
        ("FLAC", flac(), sound_of(&["flac"], 5.0)),
    ] {
        assert_eq!(judged(&content), media, "{what}");
    }
    let Media::Audio { extensions: &["mp3"], duration: Some(seconds) } = judged(&mp3(100)) else {
        panic!("an MP3")
    };
    assert!((seconds - 2.61).abs() < 0.05, "{seconds}");
}

#[test]
fn real_files_of_an_encoder_are_understood() {
    let mut go_on = |_| ControlFlow::Continue(());
    let order = ClipOrder {
        prompt: "waves".to_owned(),
        seed: 1,
        width: 96,
        height: 64,
        duration_seconds: 0.5,
        source: None,
    };
    let made = clip(&order, &mut go_on).unwrap();
    let Media::Video { width: Some(96), height: Some(64), duration: Some(seconds), .. } = judged(&made.mp4)
    else {
        panic!("a clip");
    };
    assert!((seconds - made.duration_seconds).abs() < 0.1, "{seconds} {}", made.duration_seconds);
    let order = SoundOrder { text: "one two".to_owned(), voice: String::new(), seed: 1, speed: 1.0 };
    let made = sound(&order, &mut go_on).unwrap();
    let Media::Audio { extensions: &["wav"], duration: Some(seconds) } = judged(&made.wav) else {
        panic!("a sound")
    };
    assert!((seconds - made.duration_seconds).abs() < 0.01, "{seconds} {}", made.duration_seconds);
}

#[test]
fn a_file_without_a_readable_header_is_any_file() {
    let long = |mut file: Vec<u8>| {
        // A box of a length that only a hostile file has.
        file.extend([&u32::MAX.to_be_bytes()[..], b"moov"].concat());
        file
    };
    for (what, content) in [
        ("nothing", vec![]),
        ("text", b"a text".to_vec()),
        ("a page", b"<html><script>alert(1)</script></html>".to_vec()),
        ("the beginning of a PNG", picture(ImageFormat::Png)[..12].to_vec()),
        ("a PNG without pixels", [&picture(ImageFormat::Png)[..16], &[0; 40]].concat()),
        ("the beginning of a JPEG", picture(ImageFormat::Jpeg)[..8].to_vec()),
        ("an MP4 without a movie", mp4(b"isom", 1, &[])[..3_000].to_vec()),
        ("an MP4 without tracks", mp4(b"isom", 1, &[])),
        ("a box that is too long", long(mp4_box(b"ftyp", b"isom"))),
        ("boxes without end", mp4_box(b"ftyp", b"isom").repeat(100_000)),
        (
            "empty boxes",
            [mp4_box(b"ftyp", b"isom"), mp4_box(b"moov", &mp4_box(b"trak", b"").repeat(100_000))].concat(),
        ),
        ("a WebM without a segment", matroska(b"webm", 1)[..30].to_vec()),
        ("a WAV without data", wav(0, 0)[..40].to_vec()),
        ("an Ogg without packets", ogg_page(2, 0, 0, b"nothing known")),
        ("an ID3 tag of 256 MB", b"ID3\x04\0\0\x7f\x7f\x7f\x7f".to_vec()),
        ("an empty MP3", b"ID3\x04\0\0\0\0\0\0".to_vec()),
        ("the beginning of a FLAC", flac()[..20].to_vec()),
    ] {
        assert_eq!(judged(&content), Media::Other, "{what}");
    }
}
