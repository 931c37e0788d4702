//! Other engines on the same model and prompts, in the same run.
//!
//! Their programs lie in a folder that the caller names, with their packages installed; none of it belongs to the
//! project. Each prints one JSON object a line. One that is not there or fails is a failed step, and the others go on.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::table::{Row, Table, Way};
use crate::step::{self, Done, Failure, Steps};

/// The peers' folder and what they measure.
#[derive(Debug, Clone, Copy)]
pub struct Peers<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The Python that has their packages.
    pub python: &'a str,
    /// The model's file.
    pub model: &'a Path,
    /// The file of whole prompts.
    pub prompts: &'a Path,
}

impl Peers<'_> {
    /// Runs them one after the other; `scratch` is a folder for what they make.
    pub fn run(&self, steps: &mut Steps, table: &mut Table, threads: &[usize], scratch: &Path) {
        let configurations: Vec<Value> = threads.iter().map(|threads| json!({ "threads": threads })).collect();
        let configurations = Value::from(configurations).to_string();
        steps.run("wllama, browser", || {
            let mut node = self.node("wllama.mjs");
            self.take(table, Way::Browser, node.arg(self.model).arg(self.prompts).arg(&configurations))
        });
        let exported = steps.run("onnxruntime, native", || {
            let mut python = self.python("onnx_export.py");
            self.take(table, Way::Native, python.arg(self.model).arg(self.prompts).arg(scratch))
        });
        if exported {
            steps.run("onnxruntime, browser", || {
                self.take(table, Way::Browser, self.node("ort.mjs").arg(scratch).arg(&configurations))
            });
        } else {
            steps.not_run("onnxruntime, browser", "the model as ONNX");
        }
        for threads in threads {
            steps.run("llama.cpp, native", || {
                let mut python = self.python("llama_cpp_bench.py");
                self.take(table, Way::Native, python.arg(self.model).arg(self.prompts).arg(threads.to_string()))
            });
        }
        steps.run("torch, native", || {
            let most = threads.iter().max().copied().unwrap_or(1);
            self.take(table, Way::Native, self.python("peft_cpu.py").arg(self.model).arg(most.to_string()))
        });
    }

    /// Runs the one that can use a browser's graphics device; where the device is a program that lacks what it needs, it
    /// computes on the processor without saying so.
    pub fn run_webgpu(&self, steps: &mut Steps, table: &mut Table) {
        steps.run("wllama, WebGPU", || {
            let mut node = self.node("wllama.mjs");
            let node = node.arg(self.model).arg(self.prompts).arg(r#"[{"threads":2,"gpu":true}]"#);
            self.take(table, Way::Graphics, node)
        });
    }

    fn node(&self, program: &str) -> Command {
        let folder = self.folder.join("browser");
        let mut command = Command::new("node");
        command.current_dir(&folder).arg(program);
        if let Some(chromium) = super::chromium() {
            command.env("CHROME", chromium);
        }
        command
    }

    fn python(&self, program: &str) -> Command {
        let mut command = Command::new(self.python);
        command.current_dir(self.folder).arg(program);
        command
    }

    fn take(&self, table: &mut Table, way: Way, command: &mut Command) -> Result<Done, Failure> {
        let mut failure = None;
        for report in step::json_lines(command)? {
            match report["error"].as_str() {
                Some(error) => failure = Some(Failure::new(error.to_owned())),
                None => table.push(row(way, &report)),
            }
        }
        failure.map_or(Ok(Done::Worked), Err)
    }
}

/// A line of a peer's program. Each names its figures in its own way.
fn row(way: Way, report: &Value) -> Row {
    let first = |names: &[&str]| names.iter().find_map(|name| report[*name].as_f64());
    Row {
        engine: report["engine"].as_str().unwrap_or("?").to_owned(),
        way,
        // A device is one, however many threads feed it.
        threads: if way == Way::Graphics { 1 } else { report["threads"].as_u64().unwrap_or(0) },
        note: String::new(),
        examples_per_s: first(&["examples_per_s_whole_prompt", "examples_per_s"]),
        prefix_examples_per_s: first(&["examples_per_s_shared_prefix"]),
        prefill_tokens_per_s: first(&["prefill_tokens_per_s", "forward_tokens_per_s", "tokens_per_s"]),
        peak_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_s_line_is_understood() {
        for (line, examples, prefix, prefill) in [
            (json!({"engine": "wllama", "threads": 1, "examples_per_s": 0.5}), Some(0.5), None, None),
            (
                json!({"engine": "llama.cpp", "threads": 2, "prefill_tokens_per_s": 250.0,
                       "examples_per_s_whole_prompt": 2.6, "examples_per_s_shared_prefix": 9.9}),
                Some(2.6),
                Some(9.9),
                Some(250.0),
            ),
            (json!({"engine": "torch+peft", "threads": 2, "forward_tokens_per_s": 529.0}), None, None, Some(529.0)),
        ] {
            let row = row(Way::Native, &line);
            assert_eq!(
                (row.examples_per_s, row.prefix_examples_per_s, row.prefill_tokens_per_s),
                (examples, prefix, prefill)
            );
        }
    }
}
