//! Project automation: `cargo xtask setup | demo | test | ci | bench`.

mod bench;
mod demo;
mod setup;
mod step;
mod test;

use std::process::ExitCode;

use lexopt::prelude::*;
use step::{Failure, Steps};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  setup                        installs what building, running and testing need, and nothing that is there
  demo [--no-open] [--port N]  sets up, builds the page, serves it on 127.0.0.1 with the default model, opens it
  test                         sets up, then formats, lints and tests everything, a real browser included
  ci                           the same as test, where a missing browser is a failure
  bench [--prompts FILE] [--threads 1,2] [--repeats N] [--out FILE] [--peers FOLDER [--python PROGRAM]] [--webgpu]
                               measures speed natively and in the browser, and other engines beside it, in one run
";

enum Task {
    Help,
    Setup,
    Demo(demo::Options),
    Test,
    Ci,
    Bench(bench::Options),
    RunWasm(Vec<std::ffi::OsString>),
}

fn main() -> ExitCode {
    let task = match parse(lexopt::Parser::from_env()) {
        Ok(task) => task,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let result = match task {
        Task::Help => {
            print!("{USAGE}");
            Ok(())
        }
        Task::Setup => set_up(),
        Task::Demo(options) => demo::demo(&options),
        Task::Test => test::test(xtask::place::is_set("CI")),
        Task::Ci => test::test(true),
        Task::Bench(options) => bench::bench(&options),
        Task::RunWasm(words) => test::run_wasm(&words),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Task, lexopt::Error> {
    let mut task = None;
    while let Some(argument) = parser.next()? {
        task = Some(match (argument, task) {
            (Short('h') | Long("help"), _) => return Ok(Task::Help),
            (Value(name), None) => match name.string()?.as_str() {
                "setup" => Task::Setup,
                "demo" => Task::Demo(demo::Options::default()),
                "test" => Task::Test,
                "ci" => Task::Ci,
                "bench" => Task::Bench(bench::Options::default()),
                "run-wasm" => return Ok(Task::RunWasm(parser.raw_args()?.collect())),
                other => return Err(format!("there is no command {other}").into()),
            },
            (Long("no-open"), Some(Task::Demo(options))) => Task::Demo(demo::Options { no_open: true, ..options }),
            (Long("port"), Some(Task::Demo(options))) => {
                Task::Demo(demo::Options { port: Some(parser.value()?.parse()?), ..options })
            }
            (Long("webgpu"), Some(Task::Bench(options))) => Task::Bench(bench::Options { webgpu: true, ..options }),
            (Long(name), Some(Task::Bench(mut options))) => {
                let name = name.to_owned();
                let value = parser.value()?;
                match name.as_str() {
                    "prompts" => options.prompts = Some(value.into()),
                    "threads" => options.threads = numbers(&value.string()?)?,
                    "repeats" => options.repeats = value.parse()?,
                    "out" => options.out = Some(value.into()),
                    "peers" => options.peers = Some(value.into()),
                    "python" => options.python = value.string()?,
                    other => return Err(format!("bench has no option --{other}").into()),
                }
                Task::Bench(options)
            }
            (other, _) => return Err(other.unexpected()),
        });
    }
    Ok(task.unwrap_or(Task::Help))
}

/// `1,2,4`
fn numbers(list: &str) -> Result<Vec<usize>, lexopt::Error> {
    let parse = |part: &str| part.trim().parse().map_err(|_| format!("{part:?} in {list:?} is no number").into());
    list.split(',').map(parse).collect()
}

fn set_up() -> Result<(), Failure> {
    let home = setup::Home::find()?;
    let mut steps = Steps::default();
    setup::web(&mut steps, &home);
    setup::browser(&mut steps, xtask::place::is_set("CI"));
    setup::graphics(&mut steps, xtask::place::is_set("CI"));
    setup::model(&mut steps, &home, &mut setup::candor());
    if steps.failed() { Err(Failure::new("something could not be set up: see above")) } else { Ok(()) }
}
