//! The programs of the guide are models, as it says. What they make is measured.

use crate::readme::block;
use crate::support::{Options, Server, command, output};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs of the guide and those that measure, each with the option that shows that it runs.
const PROGRAMS: [(&str, &str); 4] =
    [("espeak-ng", "--version"), ("convert", "-version"), ("ffmpeg", "-version"), ("ffprobe", "-version")];

/// Whether all programs are there. In CI they must be.
fn are_installed() -> bool {
    let runs = |(program, option): &(&str, &str)| {
        Command::new(program).arg(option).output().is_ok_and(|output| output.status.success())
    };
    let missing = PROGRAMS.into_iter().filter(|program| !runs(program)).map(|(program, _)| program);
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return true;
    }
    let why = format!("{missing:?} are missing: apt-get install espeak-ng imagemagick ffmpeg");
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("not tested: {why}");
    false
}

/// Generates with a model of `server`, as a user does; returns the one file that it made.
fn generate(server: &Server, directory: &Path, model: &str, input: &Value) -> PathBuf {
    let out = directory.join(model);
    let input = input.to_string();
    let mut generate = command(&["generate", model, "--input", &input, "--wait", "-o"]);
    generate.arg(&out).env("CLIPIA_KEY", &server.live_key).env("CLIPIA_BASE_URL", &server.url);
    let run = output(&mut generate);
    assert!(run.status.success(), "{model}: {}", String::from_utf8_lossy(&run.stderr));
    let mut files: Vec<PathBuf> = std::fs::read_dir(&out).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// A picture whose left half is red and whose right half is blue.
fn two_halves() -> RgbImage {
    RgbImage::from_fn(640, 480, |x, _| if x < 320 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
}

fn is_like(pixel: &Rgb<u8>, colour: [u8; 3]) -> bool {
    pixel.0.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 40)
}

/// What ffprobe measures of a file, with its frames counted.
fn probed(file: &Path) -> Value {
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json"]).arg(file);
    serde_json::from_slice(&output(&mut probe).stdout).unwrap()
}

fn seconds(probed: &Value) -> f64 {
    probed["format"]["duration"].as_str().unwrap().parse().unwrap()
}

/// The mean loudness of a sound, in dB below the loudest possible.
fn loudness(file: &Path) -> f64 {
    let mut measure = Command::new("ffmpeg");
    measure.args(["-nostdin", "-i"]).arg(file).args(["-af", "volumedetect", "-f", "null", "-"]);
    let said = String::from_utf8(output(&mut measure).stderr).unwrap();
    let (_, rest) = said.split_once("mean_volume: ").unwrap_or_else(|| panic!("{said}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_programs_of_the_guide_are_models() {
    if !are_installed() {
        return;
    }
    let models = block("docs/guides/your-own-model.md", "toml", "[[executor]]");
    let server = Server::start(Options { models: Some(models), ..Options::default() });
    let directory = tempfile::tempdir().unwrap();

    let mut png = Vec::new();
    two_halves().write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let picture = format!("data:image/png;base64,{}", STANDARD.encode(&png));
    let thumbnail = generate(&server, directory.path(), "thumbnail", &json!({ "image_url": picture }));
    let thumbnail = image::open(thumbnail).unwrap().into_rgb8();
    assert_eq!(thumbnail.dimensions(), (320, 240));
    assert!(is_like(thumbnail.get_pixel(40, 120), [255, 0, 0]), "{:?}", thumbnail.get_pixel(40, 120));
    assert!(is_like(thumbnail.get_pixel(280, 120), [0, 0, 255]), "{:?}", thumbnail.get_pixel(280, 120));

    let clip =
        generate(&server, directory.path(), "still", &json!({ "image_url": picture, "duration": 1.6 }));
    let measured = probed(&clip);
    let stream = &measured["streams"][0];
    assert_eq!((&stream["width"], &stream["height"]), (&json!(320), &json!(240)), "{measured}");
    assert_eq!(stream["nb_read_frames"], "40", "{measured}");
    assert!((seconds(&measured) - 1.6).abs() < 0.1, "{measured}");
    let frame = directory.path().join("frame.png");
    let mut last = Command::new("ffmpeg");
    last.args(["-nostdin", "-v", "error", "-ss", "1.5", "-i"])
        .arg(&clip)
        .args(["-frames:v", "1"])
        .arg(&frame);
    assert!(output(&mut last).status.success());
    let frame = image::open(frame).unwrap().into_rgb8();
    assert!(is_like(frame.get_pixel(40, 120), [255, 0, 0]), "{:?}", frame.get_pixel(40, 120));
    assert!(is_like(frame.get_pixel(280, 120), [0, 0, 255]), "{:?}", frame.get_pixel(280, 120));

    let sentence = "the fox is at the door";
    let speech = generate(&server, directory.path(), "speech", &json!({ "prompt": sentence }));
    let measured = probed(&speech);
    assert!((0.8..5.0).contains(&seconds(&measured)), "{measured}");
    assert!(loudness(&speech) > -40.0, "{} dB", loudness(&speech));
    std::fs::rename(directory.path().join("speech"), directory.path().join("first")).unwrap();
    let twice = format!("{sentence}, and {sentence}");
    let longer = generate(&server, directory.path(), "speech", &json!({ "prompt": twice }));
    assert!(seconds(&probed(&longer)) > 1.5 * seconds(&measured), "twice the words take longer");
}
