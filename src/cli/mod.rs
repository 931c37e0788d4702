//! The `candor` command.

pub mod fetch;
pub mod inspect;
pub mod manifest;
pub mod model;
pub mod store;

/// Entry point.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
