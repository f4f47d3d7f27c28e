//! `cargo xtask docs`: the pages that are made from the code's tables.

use crate::sh;
use anyhow::{Context as _, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Regenerate the pages in docs/ that are made from the code's tables
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail when a page isn't current
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = sh::workspace()?;
    let (changed, all) = generate(&workspace)?;
    if args.check {
        return verdict(&changed);
    }
    for (path, text) in &changed {
        let file = workspace.join(path);
        let write = || {
            fs::create_dir_all(file.parent().unwrap_or(&workspace))?;
            fs::write(&file, text)
        };
        write().with_context(|| format!("write {}", file.display()))?;
        println!("wrote {}", path.display());
    }
    println!("{} of {all} pages were current", all - changed.len());
    Ok(())
}

fn verdict(changed: &[(PathBuf, String)]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = changed.iter().map(|(path, _)| path.display().to_string()).collect();
    bail!("not current: {}; run `cargo xtask docs`", names.join(", "))
}

/// Pages that differ from what the code says, with what it says; and how many pages there are.
fn generate(workspace: &Path) -> Result<(Vec<(PathBuf, String)>, usize)> {
    let scratch = sh::target_dir(workspace).join("xtask/docs");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).with_context(|| format!("empty {}", scratch.display()))?;
    }
    fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    let mut command = sh::cargo(workspace);
    // Needs no kernel programs, so it needs no eBPF toolchain.
    command.args([
        "run",
        "--quiet",
        "--package",
        "netwhy-agent",
        "--no-default-features",
        "--example",
        "gendocs",
        "--",
    ]);
    command.arg(&scratch);
    sh::step("generating the pages", &mut command)?;
    let mut pages = Vec::new();
    collect(&scratch, Path::new(""), &mut pages)?;
    let all = pages.len();
    pages.retain(|(path, text)| fs::read_to_string(workspace.join(path)).ok().as_ref() != Some(text));
    Ok((pages, all))
}

/// All files below a folder with their texts.
fn collect(root: &Path, below: &Path, pages: &mut Vec<(PathBuf, String)>) -> Result<()> {
    let dir = root.join(below);
    for entry in fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))? {
        let entry = entry.with_context(|| format!("read {}", dir.display()))?;
        let path = below.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &path, pages)?;
        } else {
            let text = fs::read_to_string(entry.path()).with_context(|| format!("read {}", entry.path().display()))?;
            pages.push((path, text));
        }
    }
    pages.sort();
    Ok(())
}
