//! A byte-level BPE vocabulary, learned from a few sentences.
//!
//! Three special tokens, the 256 bytes, then merges until it is full. The sentences repeat the words that tasks use
//! as labels, so that ` positive`, ` Yes` and their like are single tokens as they are in real vocabularies, while
//! most other words take several.

use std::collections::BTreeMap;

const SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// llama.cpp's numbers for token types.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

/// What merges are learned from, besides [`WHOLE_WORDS`].
const TEXT: &str = "The review is about a film that I saw with my family. It was a good story and the actors were \
    great, but the end was too long and a little sad. I would see it again. Another review says the opposite: the \
    plot made no sense, the sound was bad, and nobody in the room laughed. This was not worth the money that it cost. \
    What do you think of the text, is it a good or a bad review? Answer with one word and say which class it has. \
    The service in the shop was slow and the staff did not care, so we left and went to another place. They were \
    kind there, and the food was fresh and warm. All in all it was the best day of the week for me and for my friends.";

/// Words that must be one token, as they stand in text (a space before them or not).
const WHOLE_WORDS: [&str; 32] = [
    " positive",
    " negative",
    " neutral",
    "yes",
    "no",
    "Yes",
    "No",
    " yes",
    " no",
    " Yes",
    " No",
    "YES",
    "NO",
    "y",
    "n",
    "Y",
    "N",
    "Review",
    " Review",
    "Sentiment",
    "user",
    "system",
    "assistant",
    " the",
    " and",
    " world",
    " sports",
    " business",
    " science",
    " review",
    " good",
    " bad",
];
/// How often each of them counts: more often than anything in the sentences.
const WEIGHT: usize = 100;

/// A vocabulary as GGUF stores it.
pub struct Vocabulary {
    /// Token texts, by id, in GPT-2's alphabet for bytes.
    pub tokens: Vec<String>,
    /// Token types, by id.
    pub types: Vec<i32>,
    /// Merges in order of precedence: two tokens with a space between.
    pub merges: Vec<String>,
}

impl Vocabulary {
    /// Learns as many merges as fit.
    pub fn new(size: usize) -> Self {
        let mut tokens: Vec<String> = SPECIAL.map(String::from).to_vec();
        let mut alphabet: Vec<char> = (0..=255).map(letter).collect();
        alphabet.sort_unstable();
        tokens.extend(alphabet.iter().map(char::to_string));
        let mut merges = Vec::new();
        let mut words = words();
        while tokens.len() < size {
            let Some((left, right)) = most_frequent_pair(&words) else { break };
            words.iter_mut().for_each(|(word, _)| merge(word, &left, &right));
            tokens.push(format!("{left}{right}"));
            merges.push(format!("{left} {right}"));
        }
        let types = (0..tokens.len()).map(|id| if id < SPECIAL.len() { CONTROL } else { NORMAL }).collect();
        Self { tokens, types, merges }
    }
}

/// The character that stands for a byte in GPT-2's vocabularies: printable ones for themselves, the others shifted
/// past the first 256.
fn letter(byte: u8) -> char {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if printable(&byte) {
        return char::from(byte);
    }
    let place = (0..byte).filter(|other| !printable(other)).count();
    char::from_u32(256 + place as u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Words as lists of tokens (at first, of bytes), with how often they count.
fn words() -> Vec<(Vec<String>, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for word in TEXT.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        *counts.entry(format!(" {word}")).or_default() += 1;
    }
    for word in WHOLE_WORDS {
        *counts.entry(word.to_string()).or_default() += WEIGHT;
    }
    counts
        .into_iter()
        .map(|(word, count)| (word.bytes().map(|byte| letter(byte).to_string()).collect(), count))
        .collect()
}

/// The pair of neighbours that counts most, the alphabetically first of several; `None` if none is left.
fn most_frequent_pair(words: &[(Vec<String>, usize)]) -> Option<(String, String)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (word, count) in words {
        for pair in word.windows(2) {
            *counts.entry((&pair[0], &pair[1])).or_default() += count;
        }
    }
    let best = *counts.values().max()?;
    let (pair, _) = counts.into_iter().find(|(_, count)| *count == best)?;
    Some((pair.0.to_string(), pair.1.to_string()))
}

/// Joins every `left` that a `right` follows.
fn merge(word: &mut Vec<String>, left: &str, right: &str) {
    let mut i = 0;
    while i + 1 < word.len() {
        if word[i] == left && word[i + 1] == right {
            word[i].push_str(right);
            word.remove(i + 1);
        }
        i += 1;
    }
}
