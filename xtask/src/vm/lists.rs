//! Lists of packages: those of this machine's apt, and other suites of the same mirror with lists of their own, so that
//! nothing of the machine's apt changes and nothing is installed.

use super::arch::Arch;
use crate::sh;
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Suites with kernels that the machine's own may lack, the oldest first.
const SUITES: [&str; 5] = ["bullseye", "bookworm", "trixie", "trixie-backports", "sid"];

/// A mirror's list.
#[derive(Clone, Debug)]
pub(super) enum Lists {
    /// This machine's.
    Machine,
    /// A suite's, kept below a folder.
    Suite { name: &'static str, arch: Arch, dir: PathBuf },
}

impl Lists {
    /// All that have packages of an architecture: the machine's own, then the suites, which keep their files below `dir`.
    pub(super) fn all(arch: Arch, dir: &Path) -> Vec<Self> {
        let folder = if arch.is_native() { "apt".to_owned() } else { format!("apt-{}", arch.debian()) };
        let suite = |name: &'static str| Self::Suite { name, arch, dir: dir.join(&folder).join(name) };
        arch.is_native().then_some(Self::Machine).into_iter().chain(SUITES.map(suite)).collect()
    }

    /// Fetches the list. A suite's is fetched once and then kept, unless `again`.
    pub(super) fn update(&self, again: bool) -> Result<()> {
        let title = match self {
            Self::Machine if !again => return Ok(()),
            Self::Machine => "updating apt's package lists".to_owned(),
            Self::Suite { dir, .. } if dir.join("complete").exists() && !again => return Ok(()),
            Self::Suite { name, dir, .. } => {
                prepare(name, dir)?;
                format!("fetching the package list of {name}")
            }
        };
        sh::step(&title, self.apt("apt-get").arg("update"))?;
        if let Self::Suite { dir, .. } = self {
            fs::write(dir.join("complete"), "").with_context(|| format!("write {}/complete", dir.display()))?;
        }
        Ok(())
    }

    /// Names of packages that begin so.
    pub(super) fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let text = sh::output(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// One of apt's programs that works with this list.
    pub(super) fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Self::Suite { dir, arch, .. } = self {
            let path = |option: &str, below: &str| format!("{option}={}", dir.join(below).display());
            for option in [
                path("Dir::Etc::sourcelist", "sources.list"),
                "Dir::Etc::sourceparts=/dev/null".to_owned(),
                path("Dir::State::lists", "lists"),
                path("Dir::Cache", ""),
                "Dir::State::status=/dev/null".to_owned(),
                // As root apt would fetch as a user of its own, who may not write here.
                "APT::Sandbox::User=root".to_owned(),
                "Acquire::Languages=none".to_owned(),
                format!("APT::Architecture={}", arch.debian()),
            ] {
                command.args(["-o", &option]);
            }
        }
        command
    }
}

/// Makes the folders of a suite, and the file that names it.
fn prepare(suite: &str, dir: &Path) -> Result<()> {
    for below in ["lists/partial", "archives/partial"] {
        let folder = dir.join(below);
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let format = "$(REPO_URI) $(SUITE) $(COMPONENT)";
    let text = sh::output(Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]))?;
    let mirror = mirror(&text).context("apt's sources name no mirror of Debian")?;
    let file = dir.join("sources.list");
    fs::write(&file, format!("deb {mirror} {suite} main\n")).with_context(|| format!("write {}", file.display()))
}

/// The mirror of the machine's own suite: the first whose address ends with `debian`, as Debian's archives do.
fn mirror(targets: &str) -> Option<&str> {
    let addresses = targets.lines().filter_map(|line| line.split_whitespace().next());
    addresses.map(|address| address.trim_end_matches('/')).find(|address| address.ends_with("/debian"))
}

#[cfg(test)]
mod tests;
