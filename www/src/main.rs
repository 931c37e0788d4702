//! The page's program.

fn main() {
    console_error_panic_hook::set_once();
    candor_web::app::start();
}
