//! A point where a test has a tool panic. Without the feature `failpoints` nothing of it is built.
//!
//! `FAULT_PANIC=get_balance` has each call of the tool `get_balance` panic.

#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) const fn called(_: &str) {}

#[cfg(feature = "failpoints")]
pub(crate) fn called(tool: &str) {
    let named = std::env::var("FAULT_PANIC").is_ok_and(|named| named == tool);
    assert!(!named, "the tool {tool} panics, as FAULT_PANIC asks");
}
