//! Debian's kernels: found, fetched and unpacked, without being installed.

use crate::{Unavailable, sh};
use anyhow::{Context as _, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Modules that the tests need, those that others depend on are found; what a kernel has built in or lacks is left out.
const MODULES: [&str; 16] = [
    "bridge",
    "veth",
    "nf_tables",
    "nft_numgen",
    "nft_ct",
    "nft_chain_nat",
    "nft_redir",
    "nft_limit",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nft_reject_inet",
    "sch_htb",
    "sch_tbf",
    "tcp_bbr",
    "tun",
    "crc32c_generic",
];

/// An unpacked kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Name of the package without `linux-image-`.
    pub(super) name: String,
    /// The image to boot.
    pub(super) image: PathBuf,
    /// Modules in the order of loading: name and bytes.
    pub(super) modules: Vec<(String, Vec<u8>)>,
}

impl Kernel {
    /// The newest kernel of a series such as `6.1`, or the one that is named in full. Kept below `dir`.
    pub(super) fn fetch(series: &str, dir: &Path) -> Result<Self> {
        let name = match newest(&names(series)?, series) {
            Some(name) => name,
            None => {
                let mut update = Command::new("apt-get");
                update.arg("update");
                sh::step("updating apt's package lists", &mut update)?;
                newest(&names(series)?, series).ok_or_else(|| {
                    Unavailable::error(format!("apt has no kernel {series}: see `apt-cache pkgnames linux-image-`"))
                })?
            }
        };
        let root = dir.join(&name);
        if !root.join("boot").is_dir() {
            unpack(&name, dir, &root)?;
        }
        let image =
            find(&root.join("boot"), |file| file.starts_with("vmlinuz")).context("the package has no kernel")?;
        let modules = modules(&root)?;
        Ok(Self { name, image, modules })
    }
}

/// Packages of a series, without their common prefix.
fn names(series: &str) -> Result<Vec<String>> {
    let text = sh::output(Command::new("apt-cache").args(["pkgnames", &format!("linux-image-{series}")]))?;
    Ok(text.lines().filter_map(|line| line.strip_prefix("linux-image-")).map(str::to_owned).collect())
}

/// The newest that is made for machines like QEMU's: `cloud` goes before others, which have thousands of drivers.
fn newest(names: &[String], series: &str) -> Option<String> {
    let suits = |name: &&String| {
        let more = name.strip_prefix(series);
        let same_series = more.is_some_and(|more| more.is_empty() || !more.starts_with(|c: char| c.is_ascii_digit()));
        same_series && name.ends_with("-amd64") && !name.contains("-rt-") && !name.contains("-unsigned")
    };
    let version = |name: &str| -> Vec<u64> {
        name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    names.iter().filter(suits).max_by_key(|name| (name.contains("-cloud-"), version(name))).cloned()
}

fn unpack(name: &str, dir: &Path, root: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    let package = format!("linux-image-{name}");
    let mut download = Command::new("apt-get");
    download.current_dir(dir).args(["download", &package]);
    sh::step(&format!("fetching {package}"), &mut download)?;
    let file = find(dir, |file| file.starts_with(&format!("{package}_")) && file.ends_with(".deb"));
    let file = file.with_context(|| format!("apt-get download left no {package}_*.deb in {}", dir.display()))?;
    // Under another name until it is complete.
    let partial = root.with_extension("partial");
    let _ = fs::remove_dir_all(&partial);
    sh::output(Command::new("dpkg").arg("-x").arg(&file).arg(&partial))?;
    fs::rename(&partial, root).with_context(|| format!("name {}", root.display()))?;
    fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))
}

/// The first entry of a directory whose name suits.
fn find(dir: &Path, suits: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).collect();
    names.sort();
    names.into_iter().find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&suits))
}

/// Wanted modules with those that they depend on, these first.
fn modules(root: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = BTreeMap::new();
    for base in ["lib/modules", "usr/lib/modules"] {
        collect(&root.join(base), &mut files);
    }
    let mut loaded = Vec::new();
    let mut seen = BTreeSet::new();
    for name in MODULES {
        load(name, &files, &mut seen, &mut loaded)?;
    }
    Ok(loaded)
}

/// All modules below a directory by name.
fn collect(dir: &Path, files: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files);
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            files.insert(name.replace('-', "_"), path);
        }
    }
}

fn load(
    name: &str,
    files: &BTreeMap<String, PathBuf>,
    seen: &mut BTreeSet<String>,
    loaded: &mut Vec<(String, Vec<u8>)>,
) -> Result<()> {
    let name = name.replace('-', "_");
    let Some(path) = files.get(&name).filter(|_| seen.insert(name.clone())) else { return Ok(()) };
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => decompress("xz", path)?,
        Some("zst") => decompress("zstd", path)?,
        Some("gz") => decompress("gzip", path)?,
        _ => fs::read(path).with_context(|| format!("read {}", path.display()))?,
    };
    for needed in dependencies(&bytes) {
        load(&needed, files, seen, loaded)?;
    }
    loaded.push((name, bytes));
    Ok(())
}

fn decompress(program: &str, path: &Path) -> Result<Vec<u8>> {
    let output = Command::new(program).arg("-dc").arg(path).output();
    let output = output.with_context(|| format!("start `{program} -dc {}`: is it installed?", path.display()))?;
    anyhow::ensure!(output.status.success(), "`{program} -dc {}` failed ({})", path.display(), output.status);
    Ok(output.stdout)
}

/// The dependencies of a module: the text `depends=a,b` of its `.modinfo` section.
fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|window| window == KEY) else { return Vec::new() };
    let rest = &module[at + KEY.len()..];
    let list = &rest[..rest.iter().position(|byte| *byte == 0).unwrap_or(0)];
    String::from_utf8_lossy(list).split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
