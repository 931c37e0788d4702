//! Texts as weighted word counts: TF-IDF as scikit-learn's `TfidfVectorizer` computes it by default (words of two or
//! more letters or digits, smoothed inverse document frequency, rows of length one).
//!
//! Words that occur in a single text teach nothing that carries over and are left out; of the others, the most frequent
//! are kept, so that the dense matrix that the learner takes stays small.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::{Error, Result};

/// Words that are kept, the most frequent first.
const MOST_WORDS: usize = 2000;
/// Texts a word must occur in.
const FEWEST_TEXTS: usize = 2;

/// Words and their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    places: HashMap<String, usize>,
    /// Inverse document frequencies: ln((1 + n) / (1 + texts with the word)) + 1.
    weights: Vec<f64>,
}

impl Vocabulary {
    /// Counts the words of texts.
    ///
    /// # Errors
    /// Texts that share no word.
    pub fn fit(texts: &[&str]) -> Result<Self> {
        let mut frequency: BTreeMap<String, usize> = BTreeMap::new();
        for text in texts {
            words(text).collect::<BTreeSet<_>>().into_iter().for_each(|word| *frequency.entry(word).or_insert(0) += 1);
        }
        let mut kept: Vec<(String, usize)> =
            frequency.into_iter().filter(|(_, texts)| *texts >= FEWEST_TEXTS).collect();
        // Stable: of equals, the first in the alphabet.
        kept.sort_by_key(|(_, texts)| std::cmp::Reverse(*texts));
        kept.truncate(MOST_WORDS);
        if kept.is_empty() {
            return Err(Error::input("no two training texts share a word").help("word counts need more or other texts"));
        }
        let n = texts.len() as f64;
        let weights = kept.iter().map(|(_, texts)| ((1.0 + n) / (1.0 + *texts as f64)).ln() + 1.0).collect();
        let places = kept.into_iter().enumerate().map(|(place, (word, _))| (word, place)).collect();
        Ok(Self { places, weights })
    }

    /// Each text's weighted counts, a value a word, of Euclidean length one (zero where no word is known).
    pub fn vectors(&self, texts: &[&str]) -> Vec<Vec<f64>> {
        texts.iter().map(|text| self.vector(text)).collect()
    }

    fn vector(&self, text: &str) -> Vec<f64> {
        let mut vector = vec![0.0; self.weights.len()];
        for word in words(text) {
            if let Some(place) = self.places.get(&word) {
                vector[*place] += self.weights[*place];
            }
        }
        let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value /= length);
        }
        vector
    }
}

/// Lower-case words of two or more letters, digits or underscores.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let pieces = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    pieces.filter(|word| word.chars().nth(1).is_some()).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of scikit-learn's `TfidfVectorizer(min_df=2)` on the same texts.
    #[test]
    fn weights_are_scikit_learns() {
        let texts = ["the cat sat on the mat", "the dog sat", "a cat and a dog and the bird"];
        let vocabulary = Vocabulary::fit(&texts).unwrap();
        let mut names: Vec<&str> = vocabulary.places.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cat", "dog", "sat", "the"]);
        let vectors = vocabulary.vectors(&["the cat sat on the mat", "zebra"]);
        let value = |word: &str| vectors[0][vocabulary.places[word]];
        for (word, known) in [("cat", 0.476_063_1), ("dog", 0.0), ("sat", 0.476_063_1), ("the", 0.739_409_6)] {
            assert!((value(word) - known).abs() < 1e-5, "{word}: {}", value(word));
        }
        assert!(vectors[1].iter().all(|value| *value == 0.0));
        assert!(Vocabulary::fit(&["one", "two"]).is_err());
    }
}
