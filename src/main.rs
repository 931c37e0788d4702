//! The `candor` command. Everything is in the library's `cli` module.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    candor::cli::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
