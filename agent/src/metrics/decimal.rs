//! Decimal form of floating-point values.

use std::fmt::{self, Write as _};

/// Shortest decimal form that reads back as the same number, always with a point.
pub(super) fn float(text: &mut String, value: f64) -> fmt::Result {
    let start = text.len();
    write!(text, "{value}")?;
    if text[start..].bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        text.push_str(".0");
    }
    Ok(())
}
