//! Lets `cargo build` link the module on macOS, whose linker must know that Python provides the missing symbols.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
