//! Any bytes as a task file: a task that reads back from its own canonical text, or an error with a line.
#![no_main]

use candor::task::Task;
use candor::task::prompt::PromptFrame;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| match Task::from_toml(data) {
    Ok(task) => {
        let text = task.to_toml();
        let again = Task::from_toml(&text).expect("a task's own text");
        assert_eq!(again.to_toml(), text);
        if !task.chat {
            let prompt = PromptFrame::new(&task, None).expect("a checked task").prompt("some words");
            assert!(prompt.contains("some words"));
        }
    }
    Err(error) => assert!(error.line.is_some() && error.help.is_some(), "{error}"),
});
