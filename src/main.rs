//! The `candor` command. Everything is in the library's `cli` module.

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    // Mesa, looking for graphics devices, asks a desktop which one to take; where there is none it would complain.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: nothing else runs yet that could read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    candor::cli::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
