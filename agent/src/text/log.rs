//! The log on stderr without hidden characters.

use super::{json, printable};
use std::io;
use tracing_subscriber::{
    field::{MakeExt as _, RecordFields},
    fmt::{
        FormatFields,
        format::{self, Writer},
    },
};

/// Formats the fields of the text format: the message, then `name=value`, each escaped.
pub struct PrintableFields;

impl<'writer> FormatFields<'writer> for PrintableFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> std::fmt::Result {
        let format = format::debug_fn(|writer, field, value| {
            let text = format!("{value:?}");
            match field.name() {
                "message" => write!(writer, "{}", printable(&text)),
                name => write!(writer, "{name}={}", printable(&text)),
            }
        });
        format.delimited(" ").format_fields(writer, fields)
    }
}

/// Writes JSON lines with JSON's escape for each hidden character.
pub struct JsonLines<W>(pub W);

impl<W: io::Write> io::Write for JsonLines<W> {
    /// The formatter hands over whole lines.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(json(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
