//! Composes a short piece of music from a prompt, with chords, a melody, a bass, drums, and a voice without words.

use super::random::{Random, hash};
use super::sound::wav;
use super::voice::SAMPLE_RATE;
use super::{MusicOrder, PROMPT_CHARS_MAX, Progress, RenderError, Sound, report};
use std::f32::consts::TAU;

const RATE: f32 = SAMPLE_RATE as f32;
/// The bars of a piece.
const BARS: usize = 8;
/// The beats of a bar.
const BEATS: usize = 4;
/// How long the last notes may ring, in seconds.
const TAIL_SECONDS: f32 = 2.0;
/// The slowest and the fastest tempo, in beats per minute. At the slowest tempo a piece takes 36 seconds.
const TEMPO: (f32, f32) = (56.0, 140.0);
/// The percent of the work that is done when every bar is played.
const PLAYED: usize = 96;

/// The words that make a piece slower. Those below make it faster, and sadder.
const SLOW: [&str; 12] = [
    "ambient", "ballad", "calm", "chill", "dreamy", "lo-fi", "lofi", "lullaby", "sad", "sleepy", "slow",
    "warm",
];
const FAST: [&str; 12] = [
    "dance",
    "disco",
    "driving",
    "drum",
    "electro",
    "energetic",
    "fast",
    "happy",
    "house",
    "punk",
    "techno",
    "upbeat",
];
const MINOR: [&str; 12] = [
    "blue",
    "dark",
    "drama",
    "epic",
    "haunt",
    "lonely",
    "melanchol",
    "minor",
    "mysterious",
    "sad",
    "storm",
    "tense",
];

/// The steps of the two scales, in semitones above the key.
const MAJOR_SCALE: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];
const MINOR_SCALE: [i32; 7] = [0, 2, 3, 5, 7, 8, 10];

/// Progressions of four chords. Each chord is given by the step of its root in the scale.
const PROGRESSIONS: [[usize; 4]; 5] = [[0, 4, 5, 3], [0, 5, 3, 4], [5, 3, 0, 4], [0, 3, 4, 3], [1, 4, 0, 5]];

/// The properties of a whole piece.
struct Piece {
    beat_seconds: f32,
    scale: [i32; 7],
    /// The pitch of the key, in Hz.
    key: f32,
    progression: [usize; 4],
    sung: bool,
}

/// Composes and plays a piece.
///
/// # Errors
/// An encoder's failure, or a stop by `progress`.
pub fn music(order: &MusicOrder, progress: Progress<'_>) -> Result<Sound, RenderError> {
    report(progress, 0)?;
    let prompt: String = order.prompt.chars().take(PROMPT_CHARS_MAX).flat_map(char::to_lowercase).collect();
    let mut random = Random::new(hash(prompt.as_bytes()) ^ order.seed);
    let piece = Piece::of(&prompt, !order.instrumental, &mut random);
    let bar_seconds = piece.beat_seconds * BEATS as f32;
    let length = ((bar_seconds * BARS as f32 + TAIL_SECONDS) * RATE) as usize;
    let mut samples = vec![0.0; length];
    // The second half repeats the melody of the first.
    let melody: Vec<usize> = (0..BARS / 2 * BEATS).map(|_| random.below(5)).collect();
    for bar in 0..BARS {
        let from = bar_seconds * bar as f32;
        piece.play_bar(bar, from, &melody, &mut random, &mut samples);
        report(progress, (PLAYED * (bar + 1) / BARS) as u8)?;
    }
    let wav = wav(&samples)?;
    report(progress, 100)?;
    Ok(Sound { duration_seconds: samples.len() as f64 / f64::from(SAMPLE_RATE), wav })
}

impl Piece {
    fn of(prompt: &str, sung: bool, random: &mut Random) -> Self {
        let reported = |words: &[&str]| words.iter().filter(|word| prompt.contains(*word)).count() as f32;
        let tempo = 92.0 - 12.0 * reported(&SLOW) + 14.0 * reported(&FAST) + random.range(-6.0, 6.0);
        let scale = if reported(&MINOR) > 0.0 { MINOR_SCALE } else { MAJOR_SCALE };
        Self {
            beat_seconds: 60.0 / tempo.clamp(TEMPO.0, TEMPO.1),
            scale,
            key: 220.0 * semitones(random.below(12) as i32 - 6),
            progression: PROGRESSIONS[random.below(PROGRESSIONS.len())],
            sung,
        }
    }

    /// The pitch of a step of the scale, in Hz. A step beyond the scale is in the next octave.
    fn pitch(&self, step: usize) -> f32 {
        let octaves = i32::try_from(step / 7).unwrap_or(0);
        self.key * semitones(self.scale[step % 7] + 12 * octaves)
    }

    fn play_bar(&self, bar: usize, from: f32, melody: &[usize], random: &mut Random, samples: &mut [f32]) {
        let (beat, root) = (self.beat_seconds, self.progression[bar % 4]);
        for third in [0, 2, 4] {
            let pitch = self.pitch(root + third);
            add(samples, from, beat * 4.0, |at| 0.13 * soft(at, pitch) * (-at * 0.5).exp());
        }
        for half in 0..2 {
            let pitch = self.pitch(root) / 4.0;
            let at = from + beat * 2.0 * half as f32;
            add(samples, at, beat * 1.8, |at| 0.34 * soft(at, pitch) * (-at * 1.2).exp());
        }
        for number in 0..BEATS {
            let at = from + beat * number as f32;
            let pitch = self.pitch(root + [0, 2, 4, 7, 1][melody[(bar * BEATS + number) % melody.len()]]);
            match self.sung {
                true => add(samples, at, beat * 0.95, |at| 0.3 * hum(at, 2.0 * pitch, beat * 0.95)),
                false => add(samples, at, beat * 1.6, |at| 0.26 * pluck(at, 2.0 * pitch)),
            }
            match number % 2 {
                0 => add(samples, at, 0.25, |at| 0.7 * thump(at)),
                _ => add(samples, at, 0.2, |at| 0.2 * random.range(-1.0, 1.0) * (-at * 24.0).exp()),
            }
            add(samples, at + beat / 2.0, 0.06, |at| 0.08 * random.range(-1.0, 1.0) * (-at * 60.0).exp());
        }
    }
}

/// The ratio of two pitches that are `count` semitones apart.
fn semitones(count: i32) -> f32 {
    2.0_f32.powf(count as f32 / 12.0)
}

/// Adds a note that begins at `from` and lasts `seconds`. `wave` is its amplitude, by the seconds since its beginning.
fn add(samples: &mut [f32], from: f32, seconds: f32, mut wave: impl FnMut(f32) -> f32) {
    let start = (from * RATE) as usize;
    let length = (seconds * RATE) as usize;
    for (index, sample) in samples.iter_mut().skip(start).take(length).enumerate() {
        let at = index as f32 / RATE;
        // The note fades in and out within a few milliseconds, so that it does not click.
        let edge = (at * 250.0).min((seconds - at) * 120.0).clamp(0.0, 1.0);
        *sample += edge * wave(at);
    }
}

fn soft(at: f32, pitch: f32) -> f32 {
    let turn = TAU * pitch * at;
    turn.sin() + 0.3 * (2.0 * turn).sin() + 0.1 * (3.0 * turn).sin()
}

fn pluck(at: f32, pitch: f32) -> f32 {
    let turn = TAU * pitch * at;
    (-at * 3.0).exp() * turn.sin() + (-at * 6.0).exp() * (0.5 * (2.0 * turn).sin() + 0.3 * (3.0 * turn).sin())
}

/// The sound of a drum, whose pitch falls after the stroke.
fn thump(at: f32) -> f32 {
    (TAU * (48.0 * at + 4.0 * (1.0 - (-at * 30.0).exp()))).sin() * (-at * 14.0).exp()
}

/// A sung "ah": the harmonics of a pitch with vibrato. The resonances of an open mouth give their strength.
fn hum(at: f32, pitch: f32, seconds: f32) -> f32 {
    const RESONANCES: [(f32, f32); 3] = [(730.0, 1.0), (1_090.0, 0.6), (2_440.0, 0.25)];
    let swell = (at / seconds * 3.0).min(1.0);
    let turn = TAU * (pitch * at + 0.004 * pitch * (TAU * 5.2 * at).sin() / 5.2);
    let harmonics = (1..=8).map(|number| {
        let hertz = pitch * number as f32;
        let near = |(peak, strength): (f32, f32)| strength * (-((hertz - peak) / 260.0).powi(2)).exp();
        (0.06 + RESONANCES.into_iter().map(near).sum::<f32>()) / number as f32 * (turn * number as f32).sin()
    });
    swell * harmonics.sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::ControlFlow;

    fn play(prompt: &str, seed: u64, instrumental: bool) -> Sound {
        let order = MusicOrder { prompt: prompt.to_owned(), seed, instrumental };
        music(&order, &mut |_| ControlFlow::Continue(())).expect("a piece")
    }

    #[test]
    fn a_prompt_becomes_an_audible_piece_of_its_own() {
        let piece = play("warm lo-fi beat for a product demo", 1, true);
        let samples: Vec<f64> = hound::WavReader::new(piece.wav.as_slice())
            .expect("a WAV")
            .into_samples::<i16>()
            .map(|sample| f64::from(sample.expect("a sample")))
            .collect();
        let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64;
        assert!(power.sqrt() > 1_000.0, "{power}");
        assert!(piece.wav == play("warm lo-fi beat for a product demo", 1, true).wav);
        for other in [
            play("warm lo-fi beat for a product demo", 1, false),
            play("warm lo-fi beat for a product demo", 2, true),
            play("a storm", 1, true),
        ] {
            assert!(piece.wav != other.wav);
        }
        assert!(piece.duration_seconds > play("fast upbeat techno", 1, true).duration_seconds);
    }

    #[test]
    fn every_piece_is_as_long_as_the_tempo_allows_and_can_be_stopped() {
        for prompt in ["", "猫", &"slow ".repeat(5_000), &SLOW.join(" "), &FAST.join(" ")] {
            let seconds = play(prompt, u64::MAX, false).duration_seconds;
            assert!((15.0..37.0).contains(&seconds), "{seconds}");
        }
        let order = MusicOrder { prompt: String::new(), seed: 0, instrumental: true };
        let mut reported = vec![];
        let stopped = music(&order, &mut |percent| {
            reported.push(percent);
            if percent > 50 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(stopped, Err(RenderError::Stopped)) && reported.is_sorted(), "{reported:?}");
    }
}
