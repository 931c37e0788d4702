//! Writes `models/tiny.gguf`: `cargo run --example make_tiny_model [FILE]`.

mod model;
mod vocabulary;

fn main() -> candor::Result<()> {
    let path =
        std::env::args().nth(1).unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny.gguf").into());
    let bytes = model::make()?;
    std::fs::write(&path, &bytes).map_err(|error| candor::Error::from(error).at_file(&path))?;
    println!("{path}: {} bytes", bytes.len());
    Ok(())
}
