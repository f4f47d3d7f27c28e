//! The list of a program's crates inside the program: the section `.dep-v0` of `cargo-auditable`, which `cargo audit bin`
//! and image scanners read.

#[cfg(test)]
mod tests;

use super::dependencies::Dependencies;
use crate::sh;
use anyhow::{Context as _, Result};
use flate2::{Compression, write::ZlibEncoder};
use serde_json::{Value, json};
use std::{fs, io::Write as _, path::Path, process::Command};

/// The section's name.
const SECTION: &str = ".dep-v0";

/// Adds the list to a program's file. `objcopy`: the one of the program's architecture.
pub(crate) fn embed(program: &Path, all: &Dependencies, objcopy: &str) -> Result<()> {
    let list = program.with_extension("dep-v0");
    fs::write(&list, compressed(all)?).with_context(|| format!("write {}", list.display()))?;
    let mut command = Command::new(objcopy);
    // A program that was not linked anew has it already.
    command.args(["--remove-section", SECTION, "--add-section"]).arg(format!("{SECTION}={}", list.display()));
    command.args(["--set-section-flags", &format!("{SECTION}=noload,readonly")]).arg(program);
    sh::output(&mut command)
        .with_context(|| format!("add the list of crates to the program ({objcopy} is in Debian's binutils)"))?;
    fs::remove_file(&list).with_context(|| format!("remove {}", list.display()))
}

/// The section's content: JSON through zlib.
fn compressed(all: &Dependencies) -> Result<Vec<u8>> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(list(all).to_string().as_bytes()).and_then(|()| zlib.finish()).context("compress the list of crates")
}

/// The format demands an order: by name and version.
fn list(all: &Dependencies) -> Value {
    let mut order: Vec<usize> = (0..all.packages.len()).collect();
    order.sort_by(|a, b| all.packages[*a].cmp(&all.packages[*b]));
    let mut place = vec![0; order.len()];
    for (at, index) in order.iter().enumerate() {
        place[*index] = at;
    }
    let package = |index: &usize| {
        let package = &all.packages[*index];
        let source = if package.checksum.is_some() { "crates.io" } else { "local" };
        let mut uses: Vec<usize> = all.uses[*index].iter().map(|used| place[*used]).collect();
        uses.sort_unstable();
        let mut entry = json!({"name": package.name, "version": package.version, "source": source});
        if !uses.is_empty() {
            entry["dependencies"] = json!(uses);
        }
        if *index == 0 {
            entry["root"] = true.into();
        }
        entry
    };
    json!({"packages": order.iter().map(package).collect::<Vec<_>>()})
}
