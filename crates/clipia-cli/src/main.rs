//! clipia
fn main() {}
