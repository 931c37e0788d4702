//! `candor tokens`: the most likely next tokens after a prompt.

use serde::Serialize;

use super::backend;
use super::classify::load;
use super::output::{Output, one_line, percent};
use crate::engine::{Cancel, Control};
use crate::error::Result;
use crate::protocol::NextToken;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// A model of the manifest, or a GGUF file.
    #[arg(long)]
    model: String,
    /// The prompt, taken as it is. Special tokens such as <|im_start|> are read with --special.
    #[arg(long)]
    prompt: String,
    /// How many tokens to print.
    #[arg(long, default_value_t = 12)]
    top: usize,
    /// Read special tokens in the prompt.
    #[arg(long)]
    special: bool,
    #[command(flatten)]
    backend: backend::Arguments,
}

#[derive(Serialize)]
struct Report {
    prompt_tokens: Vec<u32>,
    next: Vec<NextToken>,
}

/// Runs the command.
///
/// # Errors
/// A model that cannot be loaded; an empty prompt; output that cannot be written.
pub fn run(arguments: Arguments, json: bool) -> Result<()> {
    let classifier = load(&arguments.model, arguments.backend.choice()?)?;
    let mut quiet = |_, _| {};
    let mut control = Control::new(Cancel::default(), &mut quiet);
    let work = classifier.next_tokens(&arguments.prompt, arguments.special, arguments.top, &mut control);
    let (prompt_tokens, next) = pollster::block_on(work)?;
    let mut output = Output::standard();
    if json {
        output.json(&Report { prompt_tokens, next })?;
    } else {
        output.line(&format!("{} prompt tokens: {prompt_tokens:?}", prompt_tokens.len()))?;
        let rows: Vec<Vec<String>> = (next.iter())
            .map(|token| {
                vec![
                    token.rank.to_string(),
                    format!("\"{}\"", one_line(&token.token, 40)),
                    token.id.to_string(),
                    format!("{:.6}", token.logprob),
                    format!("{:.6}", token.probability),
                    percent(token.probability, 2),
                ]
            })
            .collect();
        output.table(&["rank", "token", "id", "log-prob", "probability", "percent"], &rows)?;
    }
    output.flush()
}
