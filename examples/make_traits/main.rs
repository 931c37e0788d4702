//! Texts with known traits: `cargo run --example make_traits -- [ROWS] [SEED] > FILE.jsonl`.
//!
//! A text has nine sentences, and each trait a level from 1 to 10: of the nine, level − 1 carry the trait's mark, chosen
//! at random, so that a trait can be counted off the text and tells nothing about the other five. Filler words are the
//! plainest of them: their score is their number plus one. Each text gives six rows, one a trait, with the trait in
//! `group` and the level in `label`; a text occurs once. The same seed always gives the same file.

use std::collections::HashSet;
use std::fmt::Write as _;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Sentences of a text.
const SENTENCES: usize = 9;
/// The traits, in the order in which a sentence takes their marks.
const TRAITS: [&str; 6] = ["formality", "persuasiveness", "enthusiasm", "empathy", "filler_words", "transition_logic"];

/// What a sentence says, informally and formally.
const SAID: [[&str; 2]; 16] = [
    ["we'll ship the new plan next week", "the revised plan will be delivered next week"],
    ["the team's gonna look at the budget", "the team will examine the budget"],
    ["you guys can try the app for free", "participants may test the application at no cost"],
    ["this stuff cuts the waiting time a lot", "this approach reduces the waiting time considerably"],
    ["we got loads of feedback in spring", "we received extensive feedback in spring"],
    ["the old tool keeps breaking", "the present tool fails repeatedly"],
    ["kids pick it up in no time", "pupils acquire the skill rapidly"],
    ["we're down to two open spots", "two positions remain vacant"],
    ["folks at the front desk know the drill", "the staff at reception are familiar with the procedure"],
    ["the numbers look way better now", "the figures have improved markedly"],
    ["just ping us when you're done", "please inform us upon completion"],
    ["the room's too small for everybody", "the room cannot accommodate all attendees"],
    ["we can't keep doing it like that", "the current practice cannot be maintained"],
    ["the bus drops you right at the door", "the bus stops directly at the entrance"],
    ["a short call sorts it out", "a brief telephone conversation resolves the matter"],
    ["they fixed the leak yesterday", "the leak was repaired yesterday"],
];
const REASONS: [&str; 6] = [
    ", and that saves you money",
    ", which is exactly why you should join",
    ", so there is every reason to say yes",
    ", and nine in ten users agree",
    ", which you will not find anywhere else",
    ", so do not let this chance pass",
];
const DELIGHT: [&str; 4] = ["Fantastic", "Wonderful", "So exciting", "Amazing"];
const FEELING: [&str; 5] = [
    "I know how tiring that is",
    "I understand how that feels",
    "that must be hard for you",
    "your worry makes sense",
    "you are not alone in this",
];
const FILLERS: [&str; 6] = ["um", "you know", "like", "basically", "I mean", "sort of"];
const LINKS: [&str; 8] = [
    "Therefore",
    "As a result",
    "First of all",
    "For this reason",
    "By contrast",
    "In addition",
    "Consequently",
    "Finally",
];

/// Which of the sentences carry a trait's mark.
fn marked(level: usize, random: &mut ChaCha8Rng) -> [bool; SENTENCES] {
    let mut places: [bool; SENTENCES] = std::array::from_fn(|place| place + 1 < level);
    places.shuffle(random);
    places
}

fn sentence(said: [&str; 2], marks: [bool; 6], random: &mut ChaCha8Rng) -> String {
    let [formal, reason, delight, feeling, filler, link] = marks;
    let pick = |words: &[&'static str], random: &mut ChaCha8Rng| words.choose(random).copied().unwrap_or_default();
    let mut text = String::new();
    if delight {
        let _ = write!(text, "{}! ", pick(&DELIGHT, random));
    }
    if link {
        let _ = write!(text, "{}, ", pick(&LINKS, random));
    }
    if feeling {
        let _ = write!(text, "{}: ", pick(&FEELING, random));
    }
    let words: Vec<&str> = said[usize::from(formal)].split(' ').collect();
    let at = random.random_range(1..words.len());
    text.push_str(&words[..at].join(" "));
    if filler {
        let _ = write!(text, ", {},", pick(&FILLERS, random));
    }
    let _ = write!(text, " {}", words[at..].join(" "));
    if reason {
        text.push_str(pick(&REASONS, random));
    }
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}{}", letters.as_str(), if delight { "!" } else { "." })
}

/// A text and its six levels.
fn text(random: &mut ChaCha8Rng) -> (String, [usize; 6]) {
    let levels: [usize; 6] = std::array::from_fn(|_| random.random_range(1..=10));
    let marks = levels.map(|level| marked(level, random));
    let mut said = SAID;
    said.shuffle(random);
    let sentences: Vec<String> = (said.into_iter().take(SENTENCES).enumerate())
        .map(|(place, said)| sentence(said, marks.map(|places| places[place]), random))
        .collect();
    (sentences.join(" "), levels)
}

fn main() {
    let number =
        |at: usize, default: u64| std::env::args().nth(at).and_then(|word| word.parse().ok()).unwrap_or(default);
    let (rows, seed) = (number(1, 1800) as usize, number(2, 1));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut seen, mut count) = (HashSet::new(), 0);
    while count < rows {
        let (text, levels) = text(&mut random);
        if !seen.insert(text.clone()) {
            continue;
        }
        for (name, level) in TRAITS.iter().zip(levels).take(rows - count) {
            let id = format!("{}/{name}", seen.len());
            println!("{}", serde_json::json!({ "id": id, "text": text, "group": name, "label": level.to_string() }));
            count += 1;
        }
    }
}
