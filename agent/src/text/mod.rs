//! Text from outside on its way to a terminal, a log, a label or an Event: hidden characters become visible.
//!
//! Names of cgroups and Pods, messages of Events and servers, recordings: whoever writes them may add control
//! characters that drive the reader's terminal, or format characters that hide and reorder text. [`printable`] escapes
//! them. [`Text`] is the only form that [`print`] takes, so that a string can't reach stdout unescaped.

mod hidden;
pub mod html;
pub mod log;

use clap::error::{ContextKind, ContextValue};
use hidden::is_hidden;
use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, Write as _},
    ops::Deref,
};

/// The text with each hidden character as an escape such as `\x1b`, `\n` or `\u{202e}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden, |out, c| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Writing to a String can't fail.
        c if u32::from(c) < 0x100 => drop(write!(out, "\\x{:02x}", u32::from(c))),
        c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
    })
}

/// JSON text with each hidden character as JSON's own escape, so that its meaning stays. Line breaks stay.
pub fn json(text: &str) -> Cow<'_, str> {
    let hidden = |c| c != '\n' && is_hidden(c);
    escaped(text, hidden, |out, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// Upper bound on the number of values in a JSON text. A value of one byte may cost tens of bytes once it is read.
pub fn json_values(text: &[u8]) -> usize {
    text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count()
}

/// True if a text can be shown as it is. Line breaks are allowed.
pub fn is_printable(text: &str) -> bool {
    !text.contains(|c| c != '\n' && is_hidden(c))
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool, escape: impl Fn(&mut String, char)) -> Cow<'_, str> {
    // Nearly every text is printable ASCII.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) { escape(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Text that is safe to show. Only the methods here add styles and line breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// A text within one line, escaped.
    pub fn new(text: &str) -> Self {
        Self(printable(text).into_owned())
    }

    /// A text of several lines. Its line breaks stay, all else is escaped.
    pub fn lines(text: &str) -> Self {
        let mut out = Self::default();
        for line in text.split_inclusive('\n') {
            out.push(line.strip_suffix('\n').unwrap_or(line));
            if line.ends_with('\n') {
                out.end_line();
            }
        }
        out
    }

    /// A JSON document.
    pub fn json(text: &str) -> Self {
        Self(json(text).into_owned())
    }

    /// An escaped text between the terminal's codes for a style, such as `31` for red.
    pub fn styled(code: &'static str, text: &str) -> Self {
        Self(format!("\x1b[{code}m{}\x1b[0m", printable(text)))
    }

    /// The codes that clear a terminal.
    pub fn clear_screen() -> Self {
        Self("\x1b[H\x1b[2J".to_owned())
    }

    /// Adds a text within a line, escaped.
    pub fn push(&mut self, text: &str) {
        self.0.push_str(&printable(text));
    }

    /// Adds a safe text.
    pub fn append(&mut self, text: &Self) {
        self.0.push_str(&text.0);
    }

    /// Ends the line.
    pub fn end_line(&mut self) {
        self.0.push('\n');
    }

    /// Removes blanks at the end.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.0.truncate(self.0.trim_end().len());
        self
    }

    /// The texts with a line break between them.
    pub fn joined(texts: impl IntoIterator<Item = Self>) -> Self {
        Self(texts.into_iter().map(|text| text.0).collect::<Vec<_>>().join("\n"))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes to stdout.
///
/// # Errors
/// When writing fails, also on a closed pipe.
pub fn print(text: &Text) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes one line to stderr, escaped.
pub fn complain(line: &str) {
    // Nobody is left to report a closed stderr to.
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// Prints an error or the help of the command line. Arguments that the error quotes are escaped.
pub fn print_usage(error: clap::Error) {
    let error = with_printable_arguments(error);
    let plain = error.render().to_string();
    // A closed terminal is no reason to fail. Colors stay unless something else has hidden characters.
    let _ = if is_printable(&plain) { error.print() } else { write!(io::stderr(), "{}", Text::lines(&plain)) };
}

/// The error with what it quotes of the arguments escaped, line breaks included: they would forge lines of their own.
fn with_printable_arguments(mut error: clap::Error) -> clap::Error {
    let quoted: Vec<(ContextKind, ContextValue)> = error
        .context()
        .filter_map(|(kind, value)| {
            let value = match value {
                ContextValue::String(text) => ContextValue::String(printable(text).into_owned()),
                ContextValue::Strings(texts) => {
                    ContextValue::Strings(texts.iter().map(|text| printable(text).into_owned()).collect())
                }
                _ => return None,
            };
            Some((kind, value))
        })
        .collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    error
}

#[cfg(test)]
pub(crate) mod tests;
