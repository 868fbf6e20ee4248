//! Turns letters into sounds: a rough reading of any text, with a rhythm and a melody.

use super::random::{Random, hash};

/// How a sound is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Manner {
    Silence,
    /// Voiced and open: vowels, nasals, liquids.
    Voiced,
    /// Breath through a narrow gap.
    Hiss,
    /// Voice and breath at once, as in z and v.
    Buzz,
    /// Closed, then released.
    Burst,
}

/// One sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phone {
    pub(super) manner: Manner,
    /// The first three resonances of the mouth, in Hz. For a hiss, the second one is the frequency of its noise.
    pub(super) formants: [f32; 3],
    /// The loudness, 0.0..=1.0.
    pub(super) loudness: f32,
    pub(super) seconds: f32,
    /// The pitch relative to the voice's own, which is 1.0.
    pub(super) pitch: f32,
}

const A: [f32; 3] = [730.0, 1250.0, 2500.0];
const E: [f32; 3] = [530.0, 1840.0, 2500.0];
const I: [f32; 3] = [290.0, 2250.0, 3000.0];
const O: [f32; 3] = [480.0, 900.0, 2400.0];
const U: [f32; 3] = [320.0, 800.0, 2250.0];
const SCHWA: [f32; 3] = [500.0, 1480.0, 2500.0];

/// The sound of one letter, or of two together: manner, resonances, loudness, seconds.
type Sounding = (Manner, [f32; 3], f32, f32);

fn pair(first: char, second: char) -> Option<Sounding> {
    Some(match (first, second) {
        ('s', 'h') | ('c', 'h') | ('s', 'c') => (Manner::Hiss, [0.0, 3000.0, 0.0], 0.32, 0.11),
        ('t', 'h') => (Manner::Hiss, [0.0, 5200.0, 0.0], 0.14, 0.08),
        ('p', 'h') => (Manner::Hiss, [0.0, 4600.0, 0.0], 0.16, 0.09),
        ('q', 'u') | ('c', 'k') => (Manner::Burst, [0.0, 1900.0, 0.0], 0.34, 0.08),
        ('n', 'g') => (Manner::Voiced, [280.0, 1900.0, 2600.0], 0.4, 0.08),
        ('o', 'o') | ('o', 'u') => (Manner::Voiced, U, 0.9, 0.14),
        ('e', 'e') | ('e', 'a') | ('i', 'e') => (Manner::Voiced, I, 0.85, 0.14),
        ('a', 'i') | ('a', 'y') | ('e', 'i') => (Manner::Voiced, E, 0.95, 0.15),
        _ => return None,
    })
}

fn single(letter: char) -> Option<Sounding> {
    Some(match letter {
        'a' | 'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'а' | 'я' => (Manner::Voiced, A, 1.0, 0.12),
        'e' | 'è' | 'é' | 'ê' | 'ë' | 'е' | 'э' => (Manner::Voiced, E, 0.92, 0.1),
        'i' | 'ì' | 'í' | 'î' | 'ï' | 'y' | 'и' | 'ы' => (Manner::Voiced, I, 0.8, 0.09),
        'o' | 'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'о' | 'ё' => (Manner::Voiced, O, 0.95, 0.11),
        'u' | 'ù' | 'ú' | 'û' | 'ü' | 'у' | 'ю' => (Manner::Voiced, U, 0.85, 0.1),
        'm' | 'м' => (Manner::Voiced, [250.0, 1000.0, 2200.0], 0.42, 0.075),
        'n' | 'ñ' | 'н' => (Manner::Voiced, [270.0, 1650.0, 2500.0], 0.42, 0.07),
        'l' | 'л' => (Manner::Voiced, [360.0, 1150.0, 2700.0], 0.55, 0.065),
        'r' | 'р' => (Manner::Voiced, [420.0, 1250.0, 1650.0], 0.55, 0.065),
        'w' => (Manner::Voiced, [300.0, 650.0, 2200.0], 0.5, 0.06),
        'j' | 'й' => (Manner::Voiced, [270.0, 2200.0, 2950.0], 0.5, 0.055),
        's' | 'ç' | 'x' | 'с' | 'ц' => (Manner::Hiss, [0.0, 5600.0, 0.0], 0.26, 0.1),
        'f' | 'ф' => (Manner::Hiss, [0.0, 4400.0, 0.0], 0.14, 0.085),
        'h' | 'х' => (Manner::Hiss, [0.0, 1500.0, 0.0], 0.12, 0.06),
        'ш' | 'щ' | 'ч' | 'ж' => (Manner::Hiss, [0.0, 3000.0, 0.0], 0.3, 0.1),
        'z' | 'з' => (Manner::Buzz, [250.0, 5200.0, 2600.0], 0.3, 0.08),
        'v' | 'в' => (Manner::Buzz, [280.0, 4000.0, 2400.0], 0.26, 0.065),
        't' | 'т' => (Manner::Burst, [0.0, 4300.0, 0.0], 0.34, 0.07),
        'k' | 'c' | 'q' | 'к' => (Manner::Burst, [0.0, 2000.0, 0.0], 0.34, 0.075),
        'p' | 'п' => (Manner::Burst, [0.0, 1000.0, 0.0], 0.3, 0.07),
        'd' | 'д' => (Manner::Burst, [200.0, 3400.0, 0.0], 0.26, 0.055),
        'g' | 'г' => (Manner::Burst, [200.0, 1800.0, 0.0], 0.26, 0.06),
        'b' | 'б' => (Manner::Burst, [200.0, 800.0, 0.0], 0.26, 0.055),
        _ => return None,
    })
}

const DIGITS: [&str; 10] = ["ziro", "wan", "tu", "thri", "for", "faiv", "siks", "seven", "eit", "nain"];

/// The sounds of a text, of at most `seconds_max` together. `speed` divides every length.
pub(super) fn phones(text: &str, seed: u64, speed: f32, seconds_max: f32) -> Vec<Phone> {
    let mut line = Line {
        phones: vec![],
        seconds: 0.0,
        seconds_max,
        speed,
        random: Random::new(seed ^ hash(text.as_bytes())),
    };
    line.pause(0.08);
    for sentence in text.split_inclusive(['.', '!', '?', '\n', '。', '！', '？']) {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        for (index, word) in words.iter().enumerate() {
            if line.seconds >= seconds_max {
                return line.phones;
            }
            let along = (index as f32 + 0.5) / words.len() as f32;
            line.word(word, melody(sentence, along));
        }
        line.pause(0.24);
    }
    line.phones
}

/// The pitch along a sentence. It falls, and rises at the end of a question.
fn melody(sentence: &str, along: f32) -> f32 {
    let question = sentence.trim_end().ends_with(['?', '？']);
    let fall = 1.1 - 0.2 * along;
    if question && along > 0.6 { fall + (along - 0.6) * 0.85 } else { fall }
}

struct Line {
    phones: Vec<Phone>,
    seconds: f32,
    seconds_max: f32,
    speed: f32,
    random: Random,
}

impl Line {
    fn push(&mut self, (manner, formants, loudness, seconds): Sounding, pitch: f32, stretch: f32) {
        let seconds = (seconds * stretch / self.speed).min(self.seconds_max - self.seconds);
        if seconds > 0.004 {
            self.seconds += seconds;
            self.phones.push(Phone { manner, formants, loudness, seconds, pitch });
        }
    }

    fn pause(&mut self, seconds: f32) {
        self.push((Manner::Silence, SCHWA, 0.0, seconds), 1.0, 1.0);
    }

    fn word(&mut self, word: &str, melody: f32) {
        let letters: Vec<char> = word
            .chars()
            .flat_map(char::to_lowercase)
            .flat_map(|c| match c.to_digit(10) {
                Some(digit) => DIGITS[digit as usize].chars().collect(),
                None => vec![c],
            })
            .collect();
        // One syllable of each word is stressed: higher, longer, louder.
        let stressed = self.random.below(2);
        let emphasis = self.random.range(1.06, 1.18);
        let mut vowels = 0;
        let mut index = 0;
        while let Some(letter) = letters.get(index).copied() {
            let next = letters.get(index + 1).copied();
            let both = next.and_then(|next| pair(letter, next));
            index += if both.is_some() || next == Some(letter) { 2 } else { 1 };
            let silent_e = letter == 'e' && index == letters.len() && vowels > 0;
            let sounding = both.or_else(|| single(letter));
            match sounding {
                _ if silent_e => {}
                Some(sounding) if sounding.0 == Manner::Voiced && sounding.2 > 0.7 => {
                    let (pitch, stretch) =
                        if vowels == stressed { (melody * emphasis, 1.25) } else { (melody, 0.95) };
                    let wander = self.random.range(0.97, 1.03);
                    self.push(sounding, pitch * wander, stretch);
                    vowels += 1;
                }
                Some(sounding) => self.push(sounding, melody, 1.0),
                None if letter.is_alphabetic() => {
                    self.strange(letter, melody);
                    vowels += 1;
                }
                None if matches!(letter, ',' | ';' | ':' | '—' | '、' | '，') => self.pause(0.16),
                None => {}
            }
        }
        self.pause(0.045);
    }

    /// Adds the syllable for a letter of an unknown script. A letter always has the same syllable.
    fn strange(&mut self, letter: char, melody: f32) {
        let bits = hash(letter.encode_utf8(&mut [0; 4]).as_bytes());
        let consonant = ['m', 'n', 'k', 't', 's', 'h', 'r', 'w', 'y', 'g'][(bits % 10) as usize];
        let vowel = ['a', 'i', 'u', 'e', 'o'][(bits / 10 % 5) as usize];
        let bend = 0.94 + 0.12 * ((bits / 50 % 8) as f32 / 7.0);
        for letter in [consonant, vowel] {
            if let Some(sounding) = single(letter) {
                self.push(sounding, melody * bend, 1.0);
            }
        }
    }
}
