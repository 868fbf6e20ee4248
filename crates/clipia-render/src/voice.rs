//! A voice: pulses of the glottis and breath, filtered by the resonances of a mouth.

use super::random::{Random, hash};
use super::speech::{Manner, Phone};
use std::f32::consts::{PI, TAU};

/// The samples per second.
pub(super) const SAMPLE_RATE: u32 = 24_000;
const RATE: f32 = SAMPLE_RATE as f32;
/// How fast the mouth changes to the next shape, in seconds.
const GLIDE_SECONDS: f32 = 0.028;

/// The properties of a speaker, and the state of the synthesis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    /// The pitch at rest, in Hz.
    pitch: f32,
    /// The factor of every resonance, by the length of the mouth.
    size: f32,
    /// The share of breath in the tone.
    breath: f32,
    /// The depth of the vibrato, as a share of the pitch.
    vibrato: f32,
}

impl Voice {
    /// The voice of a name. A name always has the same voice.
    pub(super) fn named(name: &str) -> Self {
        let mut random = Random::new(hash(name.trim().to_lowercase().as_bytes()));
        // The voices are from a low man's to a high woman's. A high voice has a small mouth.
        let height = random.unit();
        Self {
            pitch: 88.0 * 2.6_f32.powf(height),
            size: 0.9 + 0.26 * height + random.range(-0.04, 0.04),
            breath: random.range(0.02, 0.1),
            vibrato: random.range(0.006, 0.02),
        }
    }
}

/// A resonance: a filter with two poles.
#[derive(Clone, Copy, Debug, Default)]
struct Resonator {
    before: [f32; 2],
}

impl Resonator {
    fn step(&mut self, input: f32, hertz: f32, width: f32) -> f32 {
        let radius = (-PI * width / RATE).exp();
        let b = 2.0 * radius * (TAU * hertz / RATE).cos();
        let c = -radius * radius;
        let output = (1.0 - b - c) * input + b * self.before[0] + c * self.before[1];
        self.before = [output, self.before[0]];
        output
    }
}

pub(super) struct Speaker {
    voice: Voice,
    random: Random,
    mouth: [Resonator; 4],
    gap: Resonator,
    /// The phase of the glottis in its cycle, 0.0..1.0.
    phase: f32,
    formants: [f32; 3],
    /// The current loudness of the tone. It moves towards that of the sound.
    tone: f32,
    /// The current loudness of the hiss. It moves towards that of the sound.
    hiss: f32,
    gap_hertz: f32,
    pitch: f32,
    clock: f32,
    /// The flow at the lips of the sample before.
    flow: f32,
}

impl Speaker {
    pub(super) fn new(voice: Voice, seed: u64) -> Self {
        Self {
            voice,
            random: Random::new(seed),
            mouth: [Resonator::default(); 4],
            gap: Resonator::default(),
            phase: 0.0,
            formants: [500.0, 1500.0, 2500.0],
            tone: 0.0,
            hiss: 0.0,
            gap_hertz: 3000.0,
            pitch: 1.0,
            clock: 0.0,
            flow: 0.0,
        }
    }

    /// Adds the samples of one sound. The mouth already moves towards the next sound.
    pub(super) fn say(&mut self, phone: &Phone, next: Option<&Phone>, samples: &mut Vec<f32>) {
        let count = (phone.seconds * RATE) as usize;
        let glide = 1.0 - (-1.0 / (GLIDE_SECONDS * RATE)).exp();
        let quick = 1.0 - (-1.0 / (0.006 * RATE)).exp();
        let shapes = |phone: &Phone| matches!(phone.manner, Manner::Voiced | Manner::Buzz);
        for index in 0..count {
            let along = index as f32 / count as f32;
            let ahead = next.filter(|next| along > 0.7 && shapes(next));
            let target = ahead.unwrap_or(phone);
            if shapes(target) {
                for (now, wanted) in self.formants.iter_mut().zip(target.formants) {
                    *now += (wanted - *now) * glide;
                }
            }
            let (tone, hiss) = effort(phone, along);
            self.tone += (tone - self.tone) * quick * 0.6;
            self.hiss += (hiss - self.hiss) * quick;
            self.pitch += (phone.pitch - self.pitch) * glide * 0.5;
            if phone.manner != Manner::Voiced && phone.formants[1] > 0.0 {
                self.gap_hertz = phone.formants[1];
            }
            samples.push(self.sample());
        }
    }

    fn sample(&mut self) -> f32 {
        let Voice { pitch, size, breath, vibrato } = self.voice;
        self.clock += 1.0 / RATE;
        let hertz = pitch * self.pitch * (1.0 + vibrato * (self.clock * 5.1 * TAU).sin());
        self.phase = (self.phase + hertz / RATE).fract();
        let noise = self.random.range(-1.0, 1.0);
        let source = glottis(self.phase) + noise * breath;
        let [first, second, third] = self.formants.map(|hertz| (hertz * size).min(RATE * 0.42));
        let mut tone = source * self.tone;
        for (resonator, (hertz, width)) in self.mouth.iter_mut().zip([
            (first, 75.0),
            (second, 100.0),
            (third, 140.0),
            (3600.0 * size, 220.0),
        ]) {
            tone = resonator.step(tone, hertz, width);
        }
        let gap = self.gap.step(noise * self.hiss, (self.gap_hertz * size.sqrt()).min(RATE * 0.42), 1100.0);
        // Lips radiate the changes of the flow, which makes high frequencies louder.
        let sent = tone - 0.94 * self.flow;
        self.flow = tone;
        sent * 4.0 + gap * 0.9
    }
}

/// The loudness of tone and hiss at a share of a sound's length.
fn effort(phone: &Phone, along: f32) -> (f32, f32) {
    let loud = phone.loudness;
    match phone.manner {
        Manner::Silence => (0.0, 0.0),
        Manner::Voiced => (loud, 0.0),
        Manner::Hiss => (0.0, loud),
        Manner::Buzz => (loud, loud * 0.5),
        // A voiced consonant hums behind closed lips before its release.
        Manner::Burst if along < 0.6 => (if phone.formants[0] > 0.0 { 0.12 } else { 0.0 }, 0.0),
        Manner::Burst => (0.0, loud * (1.0 - (along - 0.6) / 0.4) * 1.6),
    }
}

/// The derivative of the flow through the glottis over one cycle: a slow opening and a quick closing (Rosenberg 1971).
fn glottis(phase: f32) -> f32 {
    const OPENING: f32 = 0.42;
    const CLOSED: f32 = 0.6;
    if phase < OPENING {
        (PI * phase / OPENING).sin() * 0.5
    } else if phase < CLOSED {
        -((PI / 2.0) * (phase - OPENING) / (CLOSED - OPENING)).sin() * 1.35
    } else {
        0.0
    }
}
