//! Files with secrets and templates: bounded, and without the line break at their end.

use super::template::{self, Template};
use crate::plugin::Failure;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// Longest secret, bytes.
const MAX_SECRET: u64 = 8 << 10;

/// The text of a file. It blocks.
///
/// # Errors
/// A file that can't be read, is empty, too long, or no text.
pub(super) fn read_now(file: &Path) -> Result<String, Failure> {
    let text = bounded(file, MAX_SECRET)?.trim().to_owned();
    if text.is_empty() {
        return Err(Failure::new(format!("{} is empty", file.display()), "write the secret into it"));
    }
    Ok(text)
}

/// As [`read_now`], on another thread.
///
/// # Errors
/// As [`read_now`].
pub(super) async fn read(file: &Path) -> Result<String, Failure> {
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || read_now(&file)).await;
    read.unwrap_or_else(|error| Err(Failure::new(format!("can't read a file: {error}"), "")))
}

/// The template of a file.
///
/// # Errors
/// A file that can't be read, or is no template.
pub(super) fn template(file: &Path) -> Result<Template, Failure> {
    let text = bounded(file, template::MAX_BYTES)?;
    let remedy = "docs/respond.md shows a template";
    Template::read(&text).map_err(|why| Failure::new(format!("{}: {why}", file.display()), remedy))
}

fn bounded(file: &Path, most: u64) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::new(format!("can't read {}: {error}", file.display()), "");
    let mut text = String::new();
    File::open(file).and_then(|opened| opened.take(most + 1).read_to_string(&mut text)).map_err(failed)?;
    if text.len() as u64 > most {
        return Err(Failure::new(format!("{} is longer than {most} bytes", file.display()), ""));
    }
    Ok(text)
}
