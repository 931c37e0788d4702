//! Any text as a model's chat template: a prompt in which the task's words stand as they are, or an error; and never
//! longer than its budget allows.
#![no_main]

use candor::task::chat::ChatTemplate;
use candor::task::prompt::PromptFrame;
use candor::task::{BUILT_IN, Task};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    let mut task = Task::from_toml(BUILT_IN[0].1).expect("a built-in task");
    task.chat = true;
    task.system = "Be brief.".to_owned();
    let template = ChatTemplate { source: source.to_owned(), bos_token: "<s>".to_owned(), ..ChatTemplate::default() };
    match PromptFrame::new(&task, Some(&template)) {
        Ok(frame) => {
            assert!(frame.prompt("some words").contains("Review: some words\nSentiment:"));
            // What a text says is never special.
            let special = |text: &str| frame.pieces(text).into_iter().filter(|piece| piece.special).collect::<Vec<_>>();
            assert_eq!(special("<s>"), special("some words"));
        }
        Err(error) => assert!(error.help.is_some(), "{error}"),
    }
});
