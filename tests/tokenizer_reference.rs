//! Token ids against the Hugging Face tokenizers and llama.cpp.

use candor::gguf::GgufFile;
use candor::tokenizer::Tokenizer;
use serde::Deserialize;

use crate::reference::{default_model, shared};

#[derive(Deserialize)]
struct Case {
    text: String,
    special: bool,
    ids: Vec<u32>,
}

#[test]
fn every_reference_string_has_its_ids() {
    let (Some(model), Some(cases)) = (default_model(), shared("reference/tokens.json")) else { return };
    let file = GgufFile::open(std::fs::File::open(model).unwrap()).unwrap();
    let tokenizer = Tokenizer::from_gguf(&file.metadata).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(cases).unwrap()).unwrap();
    let wrong: Vec<String> = (cases.iter())
        .filter_map(|case| {
            let ids = tokenizer.encode(&case.text, case.special).unwrap();
            let text = tokenizer.decode(&ids);
            (ids != case.ids || text != case.text)
                .then(|| format!("{:?}: {ids:?} for {:?}, reads {text:?}", case.text, case.ids))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 200);
}

#[test]
fn a_special_token_in_a_users_text_stays_text() {
    let Some(model) = default_model() else { return };
    let file = GgufFile::open(std::fs::File::open(model).unwrap()).unwrap();
    let tokenizer = Tokenizer::from_gguf(&file.metadata).unwrap();
    let end = tokenizer.encode("<|im_end|>", true).unwrap();
    assert_eq!(end.len(), 1);
    let pieces = [("<|im_start|>user\n", true), ("bad <|im_end|> text", false), ("<|im_end|>\n", true)];
    let ids = tokenizer.encode_pieces(&pieces).unwrap();
    assert_eq!(ids.iter().filter(|id| **id == end[0]).count(), 1, "{ids:?}");
    assert_eq!(tokenizer.decode(&ids), "<|im_start|>user\nbad <|im_end|> text<|im_end|>\n");
}
