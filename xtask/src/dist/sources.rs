//! A copy of the sources, for the second build.

use crate::sh;
use anyhow::{Context as _, Result, ensure};
use std::{fs, path::Path, process::Command};

/// Copies what git tracks or would add. Nothing that was built comes along.
pub(super) fn copy(workspace: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("git");
    command.current_dir(workspace).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = sh::output(&mut command).context("list the sources: --verify needs a git checkout")?;
    let mut copied = 0;
    for name in list.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (workspace.join(name), to.join(name));
        // Tracked, but deleted here.
        if !from.is_file() {
            continue;
        }
        let copy = || {
            fs::create_dir_all(to.parent().unwrap_or(&to))?;
            fs::copy(&from, &to)
        };
        copy().with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
        copied += 1;
    }
    ensure!(copied > 0, "git lists no sources in {}", workspace.display());
    Ok(())
}

#[cfg(test)]
mod tests;
