use super::*;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::json;
use std::fs;
use std::io::Cursor;
use tempfile::TempDir;

const MAX: u64 = 1 << 30;

/// A directory `out/` with files.
fn out(files: &[(&str, &[u8])]) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = out.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    out
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8 * 6, y as u8 * 8, 90]));
    let mut file = Cursor::new(vec![]);
    DynamicImage::from(pixels).write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn wav() -> Vec<u8> {
    let mut wav =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x40\x1f\0\0"
            .to_vec();
    wav.extend([128; 8_000]);
    wav
}

fn mp4() -> Vec<u8> {
    let order = clipia_render::ClipOrder {
        prompt: "waves".to_owned(),
        seed: 1,
        width: 64,
        height: 48,
        duration_seconds: 0.25,
        source: None,
    };
    clipia_render::clip(&order, &mut |_| std::ops::ControlFlow::Continue(())).unwrap().mp4
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// The output as JSON, and the names of its files.
async fn collected(out: &TempDir, extra: Value) -> (Value, Vec<String>) {
    let (output, files) = collect(out.path(), MAX, object(extra)).await.unwrap();
    for file in &files {
        let Content::File { path, bytes } = &file.content else { panic!("a file stays where it is") };
        assert_eq!(fs::metadata(path).unwrap().len(), *bytes, "{}", file.name);
    }
    (serde_json::to_value(output).unwrap(), files.into_iter().map(|file| file.name).collect())
}

/// Why `out` is refused.
async fn refused(out: &TempDir, bytes_max: u64, extra: Value) -> String {
    match collect(out.path(), bytes_max, object(extra)).await {
        Ok((output, _)) => panic!("{output:?}"),
        Err(refused) => refused.to_string(),
    }
}

#[tokio::test]
async fn files_become_the_output_by_their_type() {
    let (webp, wav, mp4) = (picture(ImageFormat::WebP), wav(), mp4());
    let out = out(&[
        ("image-10.webp", &webp),
        ("image-2.webp", &webp),
        ("say.wav", &wav),
        ("clip.mp4", &mp4),
        ("second.mp4", &mp4),
        ("a report", b"text"),
        ("meshes/fox.glb", b"glTF\x02\0\0\0"),
        (".hidden", b"no output"),
        ("output.json", br#"{"seed": 7, "nsfw": false, "images": [{"score": 1}, null]}"#),
    ]);
    let (output, mut files) =
        collected(&out, json!({"seed": 8, "video": {"codec": "h264", "url": "clip.mp4"}})).await;
    let image = |name: &str| json!({"url": name, "original_url": name, "width": 40, "height": 30});
    let mut scored = image("image-2.webp");
    scored["score"] = json!(1);
    let duration = output["video"]["duration"].as_f64().unwrap();
    assert!((0.2..0.4).contains(&duration), "{duration}");
    let size = mp4.len();
    assert_eq!(
        output,
        json!({
            "images": [scored, image("image-10.webp")],
            "video": {
                "url": "clip.mp4", "original_url": "clip.mp4", "width": 64, "height": 48, "duration": duration,
                "codec": "h264",
            },
            "audio": {"url": "say.wav", "format": "wav", "duration": 1.0},
            "files": [
                {"url": "a-report", "file_name": "a-report", "content_type": "application/octet-stream", "file_size": 4},
                {
                    "url": "meshes-fox.glb", "file_name": "meshes-fox.glb", "content_type": "model/gltf-binary",
                    "file_size": 8,
                },
                {"url": "second.mp4", "file_name": "second.mp4", "content_type": "video/mp4", "file_size": size},
            ],
            "seed": 8,
            "nsfw": false,
        })
    );
    files.sort();
    let want =
        ["a-report", "clip.mp4", "image-10.webp", "image-2.webp", "meshes-fox.glb", "say.wav", "second.mp4"];
    assert_eq!(files, want);
}

#[tokio::test]
async fn several_sounds_are_a_list() {
    let wav = wav();
    let (output, _) =
        collected(&out(&[("1.wav", &wav), ("2.wav", &wav)]), json!({"audios": [{}, {"mood": "calm"}]})).await;
    let sound = |name: &str| json!({"url": name, "format": "wav", "duration": 1.0});
    let mut second = sound("2.wav");
    second["mood"] = json!("calm");
    assert_eq!(output, json!({"audios": [sound("1.wav"), second]}));
}

#[tokio::test]
async fn fields_alone_are_an_output() {
    let (output, files) = collected(&out(&[("output.json", br#"{"text": "a fox"}"#)]), json!({})).await;
    assert_eq!((output, files.len()), (json!({"text": "a fox"}), 0));
    let (output, _) = collected(&out(&[]), json!({"text": "a fox", "images": []})).await;
    assert_eq!(output, json!({"text": "a fox"}));
}

#[tokio::test]
async fn a_name_follows_the_content() {
    let (png, jpeg) = (picture(ImageFormat::WebP), picture(ImageFormat::WebP));
    let (output, _) =
        collected(&out(&[("a.png", &png), ("b", &jpeg), ("c.webp", b"not a picture")]), json!({})).await;
    assert_eq!(
        (&output["images"][0]["url"], &output["images"][1]["url"]),
        (&json!("a.png.webp"), &json!("b.webp"))
    );
    assert_eq!(output["files"][0]["url"], "c.webp");
}

#[tokio::test]
async fn what_is_no_output_is_refused_with_a_reason() {
    for (files, extra, reason) in [
        (&[][..], json!({}), "made nothing"),
        (&[("empty.png", &b""[..])], json!({}), "made nothing"),
        (&[(".hidden", b"x")], json!({}), "made nothing"),
        (&[("a/b/c.txt", b"x")], json!({}), "`out/a/b` is too deep"),
        (&[("output.json", b"{")], json!({}), "`output.json` is not JSON"),
        (&[("output.json", b"[]")], json!({}), "`output.json` is not a JSON object"),
        (
            &[("a.txt", b"x")],
            json!({"images": [{}]}),
            "the program's `output` event says `images`, of which `out/` has no file",
        ),
        (
            &[("a.txt", b"x")],
            json!({"video": {"url": "https://there/1.mp4"}}),
            "event says `video`, of which",
        ),
        (&[("a.txt", b"x")], json!({"files": [{"url": "https://there/1"}]}), "not that of the file"),
        (&[("a.txt", b"x")], json!({"files": [{"url": "../other/secret/1.png"}]}), "not that of the file"),
        (&[("a.txt", b"x")], json!({"files": {"url": "a.txt"}}), "is not a list"),
        (&[("a.txt", b"x")], json!({"files": ["a.txt"]}), "is not an object"),
        (&[("a.txt", &[7; 2_000])], json!({}), "more than 1000 bytes"),
        (&[("a.txt", b"x")], json!({"text": "x".repeat(FIELDS_BYTES_MAX)}), "too large"),
    ] {
        let why = refused(&out(files), 1_000, extra).await;
        assert!(why.contains(reason), "{why}");
    }
    let long = format!("{{\"text\": \"{}\"}}", "x".repeat(FIELDS_BYTES_MAX));
    let why = refused(&out(&[("output.json", long.as_bytes())]), MAX, json!({})).await;
    assert!(why.contains("`output.json` has"), "{why}");
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_regular_file_is_refused() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let link = out(&[]);
    std::os::unix::fs::symlink("/etc/passwd", link.path().join("passwd.txt")).unwrap();
    assert!(refused(&link, MAX, json!({})).await.contains("`out/passwd.txt` is a symbolic link"));
    let directory = out(&[]);
    std::os::unix::fs::symlink("/etc", directory.path().join("etc")).unwrap();
    assert!(refused(&directory, MAX, json!({})).await.contains("`out/etc` is a symbolic link"));
    let hard = out(&[("a.txt", b"x")]);
    fs::hard_link(hard.path().join("a.txt"), hard.path().join("b.txt")).unwrap();
    assert!(refused(&hard, MAX, json!({})).await.contains("has a second name"));
    let pipe = out(&[]);
    mknodat(CWD, pipe.path().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert!(refused(&pipe, MAX, json!({})).await.contains("`out/pipe` is not a regular file"));
    let replaced = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc", replaced.path().join("out")).unwrap();
    let why = collect(&replaced.path().join("out"), MAX, Map::new()).await.err().unwrap();
    assert!(matches!(why, CollectError::NoDirectory), "{why}");
    // A file of a terabyte that takes no room.
    let sparse = out(&[]);
    fs::File::create(sparse.path().join("a.bin")).unwrap().set_len(1 << 40).unwrap();
    assert!(refused(&sparse, MAX, json!({})).await.contains("more than 1073741824 bytes"));
}

#[tokio::test]
async fn many_files_are_refused_before_all_are_listed() {
    let out = out(&[]);
    for number in 0..=FILES_MAX {
        fs::write(out.path().join(number.to_string()), "x").unwrap();
    }
    assert!(refused(&out, MAX, json!({})).await.contains("more than 1000 files"));
    fs::remove_file(out.path().join("0")).unwrap();
    assert_eq!(collected(&out, json!({})).await.1.len(), FILES_MAX);
}

#[cfg(unix)]
#[test]
fn a_file_that_was_replaced_is_not_read() {
    let out = out(&[("a.txt", b"mine"), ("b.txt", b"also")]);
    let found = listing::list(out.path(), MAX).unwrap();
    assert!(found[0].open().is_ok());
    fs::rename(out.path().join("b.txt"), out.path().join("a.txt")).unwrap();
    assert!(matches!(found[0].open(), Err(CollectError::Changed(name)) if name == "a.txt"));
    std::os::unix::fs::symlink("a.txt", out.path().join("b.txt")).unwrap();
    assert!(matches!(found[1].open(), Err(CollectError::Changed(name)) if name == "b.txt"));
}

#[cfg(feature = "renditions")]
#[tokio::test]
async fn a_picture_has_a_rendition_for_display() {
    let (png, jpeg) = (picture(ImageFormat::Png), picture(ImageFormat::Jpeg));
    let out = out(&[("a.png", &png), ("a.jpg", &jpeg), ("a.webp", &picture(ImageFormat::WebP))]);
    let (output, files) = collect(out.path(), MAX, Map::new()).await.unwrap();
    let urls: Vec<_> = output
        .images
        .iter()
        .map(|image| (image.url.as_str(), image.original_url.as_deref().unwrap()))
        .collect();
    assert_eq!(urls, [("a.webp", "a.jpg"), ("a-2.webp", "a.png"), ("a-3.webp", "a-3.webp")]);
    let rendition = files.iter().find(|file| file.name == "a-2.webp").unwrap();
    let Content::File { path, .. } = &rendition.content else { panic!("a file") };
    let shown = image::load_from_memory(&fs::read(path).unwrap()).unwrap();
    assert_eq!((shown.width(), shown.height()), (40, 30));
}

#[cfg(feature = "renditions")]
#[tokio::test]
async fn a_broken_picture_is_refused_and_a_huge_one_is_its_own_rendition() {
    let png = picture(ImageFormat::Png);
    let why = refused(&out(&[("a.png", &png[..png.len() - 40])]), MAX, json!({})).await;
    assert!(why.starts_with("`out/a.png` is a broken picture: cannot be decoded"), "{why}");
    // Six times as many pixels as are decoded, and few bytes.
    let mut bomb = Cursor::new(vec![]);
    DynamicImage::new_luma8(16_000, 16_000).write_to(&mut bomb, ImageFormat::Png).unwrap();
    let (output, files) = collected(&out(&[("bomb.png", bomb.get_ref())]), json!({})).await;
    assert_eq!(
        (&output["images"][0]["url"], &output["images"][0]["width"], files.len()),
        (&json!("bomb.png"), &json!(16_000), 1)
    );
}
