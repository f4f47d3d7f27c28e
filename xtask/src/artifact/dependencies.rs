//! The crates that a program is made of, as cargo resolves them for one target.

#[cfg(test)]
mod tests;

use super::program::{PACKAGE, Program};
use crate::sh;
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    /// Name.
    pub(crate) name: String,
    /// Version.
    pub(crate) version: String,
    /// SPDX expression. `None`: it states none.
    pub(crate) licence: Option<String>,
    /// SHA-256 of what the registry has. `None`: it is part of this repository.
    pub(crate) checksum: Option<String>,
}

/// All crates of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dependencies {
    /// The program itself comes first.
    pub(crate) packages: Vec<Package>,
    /// Indices of the crates that each one uses.
    pub(crate) uses: Vec<BTreeSet<usize>>,
}

impl Dependencies {
    /// Those of a program for this target; of the agent also those of the kernel programs in it.
    pub(crate) fn of(program: Program, workspace: &Path, target: &str) -> Result<Self> {
        let lock = fs::read_to_string(workspace.join("Cargo.lock")).context("read Cargo.lock")?;
        let checksums = checksums(&lock);
        let mut this = Self::default();
        this.add(&tree(workspace, PACKAGE, target, program.features())?, &checksums)?;
        if program == Program::Agent {
            let programs = this.add(&tree(workspace, "netwhy-ebpf", "bpfel-unknown-none", &[])?, &checksums)?;
            this.uses[0].insert(programs);
        }
        Ok(this)
    }

    /// Adds a tree as [`tree`] prints it. Returns the index of its root.
    fn add(&mut self, tree: &str, checksums: &BTreeMap<(String, String), String>) -> Result<usize> {
        let mut path: Vec<usize> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let parse = || -> Option<(usize, &str, &str, &str)> {
                let (package, licence) = line[digits..].split_once('|')?;
                let mut words = package.split(' ');
                Some((line[..digits].parse().ok()?, words.next()?, words.next()?.strip_prefix('v')?, licence))
            };
            let (depth, name, version, licence) = parse().with_context(|| format!("read {line:?} of cargo tree"))?;
            // A package that was shown before is marked, and its own dependencies are not shown again.
            let licence = licence.trim_end_matches("(*)").trim();
            let key = (name.to_owned(), version.to_owned());
            let package = Package {
                licence: (!licence.is_empty()).then(|| licence.replace('/', " OR ")),
                checksum: checksums.get(&key).cloned(),
                name: key.0,
                version: key.1,
            };
            let index = self.index(package);
            ensure!(depth <= path.len(), "cargo tree skips a level at {line:?}");
            path.truncate(depth);
            if let Some(parent) = path.last() {
                self.uses[*parent].insert(index);
            }
            path.push(index);
        }
        path.first().copied().context("cargo tree names no crate")
    }

    fn index(&mut self, package: Package) -> usize {
        if let Some(known) = self.packages.iter().position(|known| *known == package) {
            return known;
        }
        self.packages.push(package);
        self.uses.push(BTreeSet::new());
        self.packages.len() - 1
    }
}

/// The tree of what is linked into a package's program: depth, name, version and licence a line.
fn tree(workspace: &Path, package: &str, target: &str, features: &[&str]) -> Result<String> {
    let mut command = sh::cargo(workspace);
    command.args(["tree", "--locked", "--package", package, "--target", target, "--edges", "normal"]);
    command.args(features);
    command.args(["--prefix", "depth", "--format", "{p}|{l}"]);
    sh::output(&mut command)
}

/// Checksums in a lock file by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.map(|text| text.trim_matches('"').to_owned())
    };
    let entry = |block| Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?));
    lock.split("[[package]]").filter_map(entry).collect()
}
