//! A file of questions from anywhere: an error or a set whose every question is a task, never a panic.

#![no_main]

use candor::task::questions::QuestionSet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(set)) = QuestionSet::from_toml(bytes) {
        for question in &set.questions {
            set.task_of(question).check().expect("the set was checked");
        }
    }
});
