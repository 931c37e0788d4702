//! A classification made up for the tests of this folder.

use candor::protocol::{Classification, LabelProbability, LabelScore, NextToken, Prediction, SequenceScore};

fn sequence(id: u32, text: &str, probability: f64) -> SequenceScore {
    SequenceScore {
        ids: vec![id],
        text: text.to_owned(),
        forms: vec![text.to_owned()],
        logprob: probability.ln(),
        probability,
    }
}

fn next(rank: usize, id: u32, token: &str, probability: f64, label: Option<&str>) -> NextToken {
    NextToken {
        rank,
        id,
        token: token.to_owned(),
        logprob: probability.ln(),
        probability,
        label: label.map(str::to_owned),
    }
}

/// Negative wins with three tokens (50%, 8%, 2%) against positive (20%); a fifth of the mass is on no label.
pub fn classification() -> Classification {
    let score = |name: &str, share: f64, tokens: Vec<SequenceScore>| {
        let probability: f64 = tokens.iter().map(|token| token.probability).sum();
        LabelScore { name: name.to_owned(), logprob: probability.ln(), probability, share, tokens }
    };
    let labels = vec![
        score("positive", 0.25, vec![sequence(11, " positive", 0.2)]),
        score(
            "negative",
            0.75,
            vec![sequence(21, " Negative", 0.08), sequence(22, " negative", 0.5), sequence(23, " neg", 0.02)],
        ),
    ];
    Classification {
        prediction: Prediction {
            id: "1".to_owned(),
            text: "a text".to_owned(),
            group: None,
            expected: None,
            label: "negative".to_owned(),
            labels: labels
                .iter()
                .map(|label| (label.name.clone(), LabelProbability { logprob: label.logprob, share: label.share }))
                .collect(),
            total_probability: 0.6,
            share: 0.75,
            other_mass: 0.2,
            confidence: 0.6,
            interval: None,
            set: None,
            verbalized: None,
            calibrator_forced: None,
            correct: None,
        },
        labels,
        next: vec![
            next(1, 22, " negative", 0.5, Some("negative")),
            next(2, 11, " positive", 0.2, Some("positive")),
            next(3, 21, " Negative", 0.08, Some("negative")),
            next(4, 99, " the", 0.05, None),
        ],
        prompt_tokens: 80,
        tokens_computed: 18,
        tokens_reused: 62,
        truncated: None,
        seconds: 0.21,
        warnings: Vec::new(),
        vector: Vec::new(),
    }
}
