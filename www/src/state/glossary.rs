//! The words of the trade, each in plain words first.

/// An entry of the glossary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name in addresses: `#/help/token`.
    pub id: &'static str,
    /// Plain words.
    pub plain: &'static str,
    /// The field's term.
    pub term: &'static str,
    /// What it means here.
    pub text: &'static str,
    /// How it is computed.
    pub formula: Option<&'static str>,
    /// Where it comes from.
    pub source: Option<&'static str>,
}

/// The entry of that name.
pub fn entry(id: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.id == id)
}

/// All entries, in an order that can be read from top to bottom.
pub const ENTRIES: &[Entry] = &[
    Entry {
        id: "token",
        plain: "piece of text the model works with",
        term: "token",
        text: "A model does not read letters or words but pieces from a fixed list, its vocabulary. “ positive” with a \
               space before it and “positive” without are two different pieces. Each has a number, its token id.",
        formula: None,
        source: Some("Sennrich, Haddow & Birch 2016 (byte-pair encoding)"),
    },
    Entry {
        id: "probability",
        plain: "how likely the model holds each next piece",
        term: "next-token probability",
        text: "After reading the prompt, the model gives every token of its vocabulary a probability of coming next. \
               Together they make 100%. Candor reads them once, right where the answer would begin, and writes no text.",
        formula: Some("p(token) = exp(logit of token) / Σ exp(logit of every token)"),
        source: None,
    },
    Entry {
        id: "logprob",
        plain: "a probability on a scale that keeps small numbers apart",
        term: "log-probability",
        text: "The natural logarithm of the probability: 0 is certain, −0.693 is one half, −2.303 one tenth, −6.908 \
               one thousandth.",
        formula: Some("log p = ln(probability)"),
        source: None,
    },
    Entry {
        id: "label",
        plain: "one of the possible answers",
        term: "label",
        text: "The names you want to tell apart, such as positive and negative. A label is a name; what the model \
               would write for it are its spellings.",
        formula: None,
        source: None,
    },
    Entry {
        id: "form",
        plain: "a spelling that counts as this answer",
        term: "surface form",
        text: "“ yes”, “ Yes” and “ YES” mean the same answer. The probabilities of all spellings of a label are added \
               up; a token that several spellings begin with counts once. Where spellings of two labels begin with \
               the same token, Candor reads on as far as needed to tell them apart, and says so.",
        formula: Some("p(label) = Σ p(first token of each spelling, each token once)"),
        source: Some("Holtzman et al. 2021 (surface form competition)"),
    },
    Entry {
        id: "total",
        plain: "how much of all probability is on this answer",
        term: "total probability",
        text: "The label's probability over the whole vocabulary, words that are no label included. It is the model's \
               raw confidence. Whether it is also how often the model is right, only labelled data can tell: that is \
               what calibration is for.",
        formula: Some("p(label), over all tokens of the vocabulary"),
        source: None,
    },
    Entry {
        id: "share",
        plain: "how much of the labels' probability is on this answer",
        term: "share",
        text: "The same, looking at the labels only: what is on other words is left out, and the rest is made to add \
               up to 100%. With a bias correction, the correction is included. The label with the largest share is \
               the decision.",
        formula: Some("share(label) = p(label) / Σ p(every label)"),
        source: None,
    },
    Entry {
        id: "other",
        plain: "probability on words that are no label",
        term: "mass on no label",
        text: "What remains when all labels are added up. When it is large, the model would rather say something \
               else: the question, the examples or the spellings do not fit this model.",
        formula: Some("1 − Σ p(every label)"),
        source: None,
    },
    Entry {
        id: "raw",
        plain: "not yet compared with how often it is right",
        term: "uncalibrated",
        text: "A model that says 90% may be right 60% or 99% of the time. Calibration compares what it says with what \
               turned out to be true on labelled examples, and corrects the number. What this page shows is the \
               model's own, raw number.",
        formula: None,
        source: Some("Guo et al. 2017 (On calibration of modern neural networks)"),
    },
    Entry {
        id: "template",
        plain: "the words around your text",
        term: "prompt template",
        text: "The model continues a text. The template puts yours into a frame whose natural continuation is the \
               answer, such as “Review: {text} Sentiment:”. It contains {text} exactly once.",
        formula: None,
        source: None,
    },
    Entry {
        id: "examples",
        plain: "worked examples shown to the model first",
        term: "few-shot examples",
        text: "A handful of texts with their right answers, before yours. A small model understands a task far better \
               from examples than from an instruction. They are read once and kept, so they cost nothing per text.",
        formula: None,
        source: Some("Brown et al. 2020 (few-shot learners)"),
    },
    Entry {
        id: "chat",
        plain: "talking to the model the way it was trained to chat",
        term: "chat template",
        text: "Chat models were trained on conversations with markers around each turn. With chat on, system text, \
               examples and your text are written as such a conversation, by the template stored in the model file.",
        formula: None,
        source: None,
    },
    Entry {
        id: "prefix",
        plain: "the part of the prompt that is read only once",
        term: "prefix cache",
        text: "Instruction and examples are the same for every text. The model's state after reading them is kept; \
               for each text only its own tokens are computed. “Reused” counts the tokens saved.",
        formula: None,
        source: None,
    },
    Entry {
        id: "bias",
        plain: "a preference for an answer, whatever the text says",
        term: "label bias",
        text: "Models prefer some answers because of the prompt or because the word is common. A correction estimates \
               that preference and divides it out: contextual, from texts without content such as “N/A”; domain, from \
               random words of your texts; batch, from the average over many texts; PMI, from the prompt without the text.",
        formula: Some("share(label) ∝ p(label) / p(label without evidence)"),
        source: Some("Zhao 2021 (contextual), Fei 2023 (domain), Zhou 2023 (batch), Holtzman 2021 (PMI)"),
    },
    Entry {
        id: "context",
        plain: "how much the model can read at once",
        term: "context length",
        text: "The longest prompt, in tokens. A longer text is cut at its end, and you are told where.",
        formula: None,
        source: None,
    },
    Entry {
        id: "gguf",
        plain: "a model in one file",
        term: "GGUF",
        text: "The file format of llama.cpp: weights, vocabulary and settings in one file that ends in .gguf. Candor \
               reads files of Llama-type models.",
        formula: None,
        source: Some("ggml project (GGUF specification)"),
    },
    Entry {
        id: "calibrator",
        plain: "what turns the model's number into how often it is right",
        term: "calibrator",
        text: "A curve that is fitted on rows whose true label is known: of all answers with this confidence, so many were \
               right. It belongs to one model and one task, because another model, or another prompt, has another curve.",
        formula: Some("calibrated confidence = share of right answers among answers like this one"),
        source: Some("Platt 1999; Zadrozny and Elkan 2002; Guo et al. 2017"),
    },
    Entry {
        id: "calibrated",
        plain: "how often answers like this one are right",
        term: "calibrated confidence",
        text: "The model's own number, corrected by what is known of such answers. It says nothing about the other labels, \
               so it may fall below 50% while the answer stays. In brackets, where the method gives one, stands the \
               Venn–Abers interval: the narrower, the more rows speak for the number.",
        formula: None,
        source: Some("Vovk and Petej 2014"),
    },
    Entry {
        id: "conformal",
        plain: "the labels that cannot be ruled out",
        term: "conformal set",
        text: "A set of labels that holds the true one as often as is promised, nine times in ten here, if new texts are \
               like the labelled rows. One label in it: the model is sure enough. Several: it cannot tell these apart.",
        formula: Some("all labels whose share is at least 1 − the ⌈0.9 (n + 1)⌉-th smallest misfit of n labelled rows"),
        source: Some("Sadinle, Lei and Wasserman 2019"),
    },
    Entry {
        id: "quantization",
        plain: "weights stored with fewer bits",
        term: "quantization",
        text: "Q4_1 stores each weight in four bits, with a scale and a minimum for every 32 weights. The file is \
               seven times smaller than in 32-bit numbers. Candor uses the stored values exactly.",
        formula: Some("weight = scale × integer + minimum"),
        source: None,
    },
    Entry {
        id: "backend",
        plain: "the part of your computer that does the work",
        term: "backend",
        text: "The processor with vector instructions (SIMD128) works in every current browser; a graphics card, \
               through WebGPU, where there is one and it is faster. The page shows which is used, and why.",
        formula: None,
        source: None,
    },
    Entry {
        id: "storage",
        plain: "the browser's private folder for this page",
        term: "origin-private file system",
        text: "Models are kept there, so they are downloaded once. Only this page can read it; clearing the site's \
               data in the browser removes it.",
        formula: None,
        source: Some("WHATWG File System standard"),
    },
    Entry {
        id: "adapter",
        plain: "what fine-tuning has learnt, beside the model",
        term: "low-rank adapter (LoRA)",
        text: "Fine-tuning on your labelled texts does not change the model file. It makes a small second file, an \
               adapter, that gives some of the model's matrices a thin second path. It is applied while the model reads, \
               swapped in a moment, and fits only the model that it was trained on.",
        formula: Some("y = W x + (alpha / r) · B (A x)"),
        source: Some("Hu et al. 2021"),
    },
    Entry {
        id: "probe",
        plain: "a small classifier on what the model has understood",
        term: "probe",
        text: "Before a model says its next word, it has a list of numbers that stands for all it has read. A probe is a \
               regularized logistic regression on these numbers, trained on your labelled texts in seconds. The model \
               stays as it is. It is judged on texts that it was not trained on.",
        formula: Some("log p(label) = w(label) · h + b(label), up to a sum over all labels"),
        source: Some("Alain & Bengio 2016"),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn entries_are_whole_and_named_once() {
        let mut seen = HashSet::new();
        for entry in ENTRIES {
            assert!(seen.insert(entry.id), "{} twice", entry.id);
            assert!(entry.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", entry.id);
            assert!(!entry.plain.is_empty() && entry.text.len() > 60, "{}", entry.id);
            assert!(!entry.text.contains("  "), "{}: a line break left two spaces", entry.id);
        }
        assert_eq!(super::entry("token").map(|entry| entry.term), Some("token"));
        assert_eq!(super::entry("nonsense"), None);
    }
}
