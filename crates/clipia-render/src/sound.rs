//! Speaks a text, and writes it as WAV.

use super::provenance::mark_wav;
use super::speech::{self, Phone};
use super::voice::{SAMPLE_RATE, Speaker, Voice};
use super::{Progress, RenderError, Sound, SoundOrder, report};
use std::io::Cursor;

/// The longest sound, in seconds. Text beyond it is not spoken.
pub const SOUND_SECONDS_MAX: f64 = 60.0;
/// The longest silence, in seconds.
pub const SILENCE_SECONDS_MAX: f64 = 600.0;
/// The most characters of a text that are read: four times as many as the longest sound has.
const TEXT_CHARS_MAX: usize = 20_000;
/// The slowest and the fastest speed.
const SPEED_RANGE: (f64, f64) = (0.25, 4.0);
/// The percent of the work that is done when everything is spoken.
const SPOKEN: usize = 96;

/// Speaks a text.
///
/// # Errors
/// An encoder's failure, or a stop by `progress`.
pub fn sound(order: &SoundOrder, progress: Progress<'_>) -> Result<Sound, RenderError> {
    report(progress, 0)?;
    let speed = if order.speed.is_finite() { order.speed.clamp(SPEED_RANGE.0, SPEED_RANGE.1) } else { 1.0 };
    let read = order.text.char_indices().nth(TEXT_CHARS_MAX).map_or(order.text.len(), |(end, _)| end);
    let phones: Vec<Phone> =
        speech::phones(&order.text[..read], order.seed, speed as f32, SOUND_SECONDS_MAX as f32);
    let mut speaker = Speaker::new(Voice::named(&order.voice), order.seed);
    let mut samples: Vec<f32> = vec![];
    for (index, phone) in phones.iter().enumerate() {
        speaker.say(phone, phones.get(index + 1), &mut samples);
        report(progress, (SPOKEN * (index + 1) / phones.len()) as u8)?;
    }
    let most = (SOUND_SECONDS_MAX * f64::from(SAMPLE_RATE)) as usize;
    samples.truncate(most);
    let wav = wav(&samples)?;
    report(progress, 100)?;
    Ok(Sound { duration_seconds: samples.len() as f64 / f64::from(SAMPLE_RATE), wav })
}

/// A sound of this length, in seconds, in which nothing is heard.
///
/// ```
/// let silence = clipia_render::silence(1.5)?;
/// assert_eq!(silence.duration_seconds, 1.5);
/// # Ok::<(), clipia_render::RenderError>(())
/// ```
///
/// # Errors
/// A length that is not above zero, or is above [`SILENCE_SECONDS_MAX`]; an encoder's failure.
pub fn silence(duration_seconds: f64) -> Result<Sound, RenderError> {
    if !(duration_seconds > 0.0 && duration_seconds <= SILENCE_SECONDS_MAX) {
        return Err(RenderError::Size(format!(
            "a silence of {duration_seconds} seconds was asked for: it may have up to {SILENCE_SECONDS_MAX}"
        )));
    }
    let samples = vec![0.0; (duration_seconds * f64::from(SAMPLE_RATE)) as usize];
    Ok(Sound { duration_seconds: samples.len() as f64 / f64::from(SAMPLE_RATE), wav: wav(&samples)? })
}

/// A WAV file of the samples, normalised to the full range.
pub(super) fn wav(samples: &[f32]) -> Result<Vec<u8>, RenderError> {
    let failed = |error: hound::Error| RenderError::encode("WAV", error);
    let loudest = samples.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
    let gain = 0.89 * f32::from(i16::MAX) / loudest.max(1e-6);
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::with_capacity(samples.len() * 2 + 44));
    let mut writer = hound::WavWriter::new(&mut file, spec).map_err(failed)?;
    for sample in samples {
        writer.write_sample((sample * gain) as i16).map_err(failed)?;
    }
    writer.finalize().map_err(failed)?;
    let mut file = file.into_inner();
    mark_wav(&mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::ControlFlow;

    fn order(text: &str, voice: &str) -> SoundOrder {
        SoundOrder { text: text.to_owned(), voice: voice.to_owned(), seed: 1, speed: 1.0 }
    }

    fn render(order: &SoundOrder) -> Sound {
        sound(order, &mut |_| ControlFlow::Continue(())).expect("a sound")
    }

    #[test]
    fn a_text_becomes_an_audible_wav() {
        let sound = render(&order("Hello world, how are you?", "nova"));
        let mut reader = hound::WavReader::new(sound.wav.as_slice()).expect("a WAV");
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, SAMPLE_RATE, 16));
        assert_eq!(f64::from(reader.len()) / f64::from(SAMPLE_RATE), sound.duration_seconds);
        let samples: Vec<f64> =
            reader.samples::<i16>().map(|sample| f64::from(sample.expect("a sample"))).collect();
        let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64;
        assert!(power.sqrt() > 1_000.0 && samples.iter().all(|sample| sample.abs() < 32_000.0));
        let says = |text: &str| sound.wav.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(says("INFOISFT") && says("Procedural: ") && !says("Hello"));
        assert_eq!(sound.wav[4..8], (sound.wav.len() as u32 - 8).to_le_bytes());
    }

    #[test]
    fn a_silence_is_a_wav_of_zeros() {
        let silence = silence(0.25).expect("a silence");
        let mut reader = hound::WavReader::new(silence.wav.as_slice()).expect("a WAV");
        assert_eq!(reader.len(), SAMPLE_RATE / 4);
        assert!(reader.samples::<i16>().all(|sample| sample.expect("a sample") == 0));
        for length in [0.0, -1.0, f64::NAN, SILENCE_SECONDS_MAX + 1.0] {
            assert!(matches!(super::silence(length), Err(RenderError::Size(_))), "{length}");
        }
    }

    #[test]
    fn the_bytes_depend_on_text_speed_and_voice_only() {
        let base = order("one two three", "nova");
        let seconds = |order: &SoundOrder| render(order).duration_seconds;
        assert_eq!(render(&base).wav, render(&base).wav);
        assert_ne!(render(&base).wav, render(&order("one two three", "onyx")).wav);
        assert!(seconds(&order("one two three four five", "nova")) > seconds(&base));
        assert!(seconds(&SoundOrder { speed: 2.0, ..base.clone() }) < seconds(&base) * 0.6);
        assert!(seconds(&SoundOrder { speed: f64::NAN, ..base.clone() }) == seconds(&base));
    }

    #[test]
    fn a_text_of_any_length_becomes_a_sound() {
        for text in ["", " ", "…", "猫と海", "مرحبا", "🦊"] {
            assert!(render(&order(text, "")).duration_seconds > 0.05, "{text:?}");
        }
        let long = render(&order(&"lorem ipsum dolor ".repeat(2_000), "nova"));
        assert!((59.0..=SOUND_SECONDS_MAX).contains(&long.duration_seconds), "{}", long.duration_seconds);
    }

    #[test]
    fn progress_rises_to_100_and_can_stop_the_work() {
        let mut reported = vec![];
        sound(&order("some words", "nova"), &mut |percent| {
            reported.push(percent);
            ControlFlow::Continue(())
        })
        .expect("a sound");
        assert!(reported.is_sorted() && reported.last() == Some(&100));
        let stopped = sound(&order("some words", "nova"), &mut |_| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(RenderError::Stopped)));
    }
}
