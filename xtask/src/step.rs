//! Steps with a name and a time: what a command does, told as it happens and summed up at the end.

use std::fmt;
use std::process::Command;
use std::time::{Duration, Instant};

/// Why a step failed, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    what: String,
    help: Option<String>,
}

impl Failure {
    /// A failure without advice.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: None }
    }

    /// What to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.help {
            Some(help) => write!(f, "\n      → {help}"),
            None => Ok(()),
        }
    }
}

/// What became of a step that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It did its work.
    Worked,
    /// There was nothing to do.
    Present,
    /// It could not be done here, and need not be: why.
    Skipped(String),
}

/// The steps of one command, in order.
#[derive(Debug, Default)]
pub struct Steps {
    rows: Vec<(&'static str, Result<Done, Failure>, Duration)>,
}

impl Steps {
    /// Runs `work`, says how it went, and returns whether what comes after may rely on it.
    pub fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<Done, Failure>) -> bool {
        let begun = Instant::now();
        let result = work();
        let took = begun.elapsed();
        println!("{}", line(name, &result, took));
        let relied = matches!(result, Ok(Done::Worked | Done::Present));
        self.rows.push((name, result, took));
        relied
    }

    /// Notes a step that was not tried because one that it needs went wrong.
    pub fn not_run(&mut self, name: &'static str, needs: &str) {
        self.run(name, || Err(Failure::new(format!("not run: it needs {needs}"))));
    }

    /// Whether any step failed.
    pub fn failed(&self) -> bool {
        self.rows.iter().any(|(_, result, _)| result.is_err())
    }

    /// Every step with its time, and the whole.
    pub fn summary(&self) -> String {
        let rows = self.rows.iter().map(|(name, result, took)| line(name, result, *took) + "\n");
        let whole: Duration = self.rows.iter().map(|(_, _, took)| *took).sum();
        let failed = self.rows.iter().filter(|(_, result, _)| result.is_err()).count();
        let verdict =
            if failed == 0 { "passed".to_owned() } else { format!("{failed} of {} steps failed", self.rows.len()) };
        format!("\nSummary\n{}      {verdict} in {}", rows.collect::<String>(), seconds(whole))
    }
}

fn line(name: &str, result: &Result<Done, Failure>, took: Duration) -> String {
    let (mark, note) = match result {
        Ok(Done::Worked) => (" ok ", String::new()),
        Ok(Done::Present) => (" ok ", "nothing to do".to_owned()),
        Ok(Done::Skipped(why)) => ("skip", why.clone()),
        Err(failure) => ("FAIL", failure.to_string()),
    };
    format!("{mark}  {name:<26} {:>9}  {note}", seconds(took)).trim_end().to_owned()
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}

/// Says what is about to run, runs it with its output in view, and makes a failure of a bad exit.
pub fn run(command: &mut Command) -> Result<Done, Failure> {
    let shown = show(command);
    println!("      $ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(Done::Worked),
        Ok(status) => Err(Failure::new(format!("`{shown}` ended with {status}"))),
        Err(error) => Err(Failure::new(format!("`{shown}` did not start: {error}"))),
    }
}

/// The `candor` command of the release build.
pub fn release_candor() -> Command {
    let mut command = crate::setup::cargo();
    command.args(["run", "--quiet", "--release", "--package", "candor", "--"]);
    command
}

/// Runs a command and reads the JSON objects among the lines it prints; everything else it says is in view.
pub fn json_lines(command: &mut Command) -> Result<Vec<serde_json::Value>, Failure> {
    let shown = show(command);
    println!("      $ {shown}");
    let output = command.stderr(std::process::Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::new(format!("`{shown}` did not start: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (objects, others): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with('{'));
    others.iter().for_each(|line| println!("{line}"));
    if !output.status.success() {
        return Err(Failure::new(format!("`{shown}` ended with {}", output.status)));
    }
    let read = |line: &&str| {
        serde_json::from_str(line).map_err(|error| Failure::new(format!("`{shown}` printed {line}: {error}")))
    };
    objects.iter().map(read).collect()
}

/// The first line a command prints, if it runs at all.
pub fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_whole_and_is_named_in_the_summary() {
        let mut steps = Steps::default();
        assert!(steps.run("first", || Ok(Done::Worked)));
        assert!(steps.run("second", || Ok(Done::Present)));
        assert!(!steps.run("third", || Ok(Done::Skipped("no browser here".to_owned()))));
        assert!(!steps.failed());
        assert!(!steps.run("fourth", || Err(Failure::new("it broke").help("mend it"))));
        steps.not_run("fifth", "fourth");
        assert!(steps.failed());
        let summary = steps.summary();
        for part in
            ["no browser here", "FAIL  fourth", "it broke", "→ mend it", "it needs fourth", "2 of 5 steps failed"]
        {
            assert!(summary.contains(part), "{part} missing in {summary}");
        }
    }

    #[test]
    fn times_read_well() {
        for (time, expected) in
            [(3, "3 ms"), (1_250, "1.2 s"), (59_940, "59.9 s"), (61_000, "1 min 01 s"), (600_000, "10 min 00 s")]
        {
            assert_eq!(seconds(Duration::from_millis(time)), expected);
        }
    }

    #[test]
    fn json_is_read_from_among_other_lines() {
        // Cargo is there, whatever the system: its version as text holds no object, its metadata is one.
        assert_eq!(json_lines(Command::new(env!("CARGO")).arg("--version")), Ok(Vec::new()));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let arguments = ["locate-project", "--manifest-path", manifest];
        let found = json_lines(Command::new(env!("CARGO")).args(arguments)).expect("it is here");
        assert!(found.len() == 1 && found[0]["root"].is_string(), "{found:?}");
        assert!(json_lines(Command::new(env!("CARGO")).arg("no-such-subcommand-anywhere")).is_err());
    }

    #[test]
    fn a_command_that_fails_or_does_not_exist_is_a_failure() {
        let failure = run(&mut Command::new("no-such-program-anywhere")).expect_err("there is none");
        assert!(failure.to_string().contains("did not start"), "{failure}");
        let failure = run(Command::new(env!("CARGO")).arg("no-such-subcommand-anywhere")).expect_err("there is none");
        assert!(failure.to_string().contains("ended with"), "{failure}");
    }
}
