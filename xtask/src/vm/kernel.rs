//! Debian's kernels: found, fetched and unpacked, without being installed.

use super::{arch::Arch, lists::Lists};
use crate::{Unavailable, sh};
use anyhow::{Context as _, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Modules that the tests need, those that others depend on are found; what a kernel has built in or lacks is left out.
const MODULES: [&str; 17] = [
    "bridge",
    "veth",
    "nf_tables",
    // A module of its own before Linux 5.18.
    "nft_counter",
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
    /// Its architecture.
    pub(super) arch: Arch,
    /// Name of the package without `linux-image-`.
    pub(super) name: String,
    /// The image to boot.
    pub(super) image: PathBuf,
    /// Modules in the order of loading: name and bytes.
    pub(super) modules: Vec<(String, Vec<u8>)>,
    /// A busybox of its architecture. `None`: this machine's is.
    pub(super) busybox: Option<PathBuf>,
}

impl Kernel {
    /// The newest kernel of a series such as `6.1`, the one that is named in full, or for [`NEWEST`] the newest that any
    /// suite offers. Kept below `dir`.
    pub(super) fn fetch(series: &str, arch: Arch, dir: &Path) -> Result<Self> {
        let (lists, name) = choose(series, arch, dir)?;
        let root = dir.join(&name);
        if image(&root, &name).is_none() {
            unpack(&lists, &name, dir, &root)?;
        }
        let image = image(&root, &name).with_context(|| format!("the packages of Linux {name} have no vmlinuz"))?;
        let modules = modules(&root)?;
        let busybox = if arch.is_native() { None } else { Some(busybox(&lists, arch, dir)?) };
        Ok(Self { arch, name, image, modules, busybox })
    }
}

/// Stands for the newest kernel of all suites.
pub(super) const NEWEST: &str = "newest";

/// The package of a series, without its prefix, and the list that has it: this machine's if it has one.
fn choose(series: &str, arch: Arch, dir: &Path) -> Result<(Lists, String)> {
    let all = Lists::all(arch, dir);
    // A suite that can't be read must not hide what others have.
    let mut unread = Vec::new();
    for again in [false, true] {
        unread.clear();
        let mut found = Vec::new();
        for lists in &all {
            match lists.update(again).and_then(|()| names(lists, series)) {
                Ok(names) => found.extend(newest(&names, series, arch).map(|name| (lists, name))),
                Err(error) => unread.push(format!("{error:#}")),
            }
            if series != NEWEST && !found.is_empty() {
                break;
            }
        }
        if let Some((lists, name)) = found.into_iter().max_by_key(|(_, name)| version(name)) {
            return Ok((lists.clone(), name));
        }
    }
    let mut text =
        format!("neither apt nor Debian's other suites have a kernel {series}; see `apt-cache pkgnames linux-image-`");
    if let Some(first) = unread.first() {
        text.push_str(&format!("; {} of {} lists could not be read: {first}", unread.len(), all.len()));
    }
    Err(Unavailable::error(text))
}

/// Packages of a series, without their common prefix.
fn names(lists: &Lists, series: &str) -> Result<Vec<String>> {
    let series = if series == NEWEST { "" } else { series };
    let names = lists.names(&format!("linux-image-{series}"))?;
    Ok(names.iter().filter_map(|name| name.strip_prefix("linux-image-")).map(str::to_owned).collect())
}

/// The newest that is made for machines like QEMU's: `cloud` goes before others, which have thousands of drivers.
fn newest(names: &[String], series: &str, arch: Arch) -> Option<String> {
    let ending = format!("-{}", arch.debian());
    let suits = |name: &&String| {
        let more = if series == NEWEST { Some("") } else { name.strip_prefix(series) };
        let same_series = more.is_some_and(|more| more.is_empty() || !more.starts_with(|c: char| c.is_ascii_digit()));
        same_series && name.ends_with(&ending) && !name.contains("-rt-") && !name.contains("-unsigned")
    };
    names.iter().filter(suits).max_by_key(|name| (name.contains("-cloud-"), version(name))).cloned()
}

/// The numbers in a name, to compare versions.
fn version(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// The image to boot: in `boot`, or from Linux 7.0 on beside the modules.
fn image(root: &Path, name: &str) -> Option<PathBuf> {
    let folders = [root.join("boot"), root.join("usr/lib/modules").join(name)];
    folders.iter().find_map(|folder| find(folder, |file| file.starts_with("vmlinuz")))
}

/// Fetches and unpacks the packages of a kernel. Nothing is installed.
fn unpack(lists: &Lists, name: &str, dir: &Path, root: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    // Under another name until it is complete.
    let partial = root.with_extension("partial");
    for old in [&partial, root] {
        let _ = fs::remove_dir_all(old);
    }
    let depends = sh::output(lists.apt("apt-cache").args(["depends", &format!("linux-image-{name}")]))?;
    for package in packages(&depends, name) {
        unpack_package(lists, &package, dir, &partial)?;
    }
    fs::rename(&partial, root).with_context(|| format!("name {}", root.display()))
}

/// Fetches a package to `dir` and unpacks it below `into`.
fn unpack_package(lists: &Lists, package: &str, dir: &Path, into: &Path) -> Result<()> {
    let mut download = lists.apt("apt-get");
    download.current_dir(dir).args(["download", package]);
    sh::step(&format!("fetching {package}"), &mut download)?;
    let file = find(dir, |file| file.starts_with(&format!("{package}_")) && file.ends_with(".deb"));
    let file = file.with_context(|| format!("apt-get download left no {package}_*.deb in {}", dir.display()))?;
    sh::output(Command::new("dpkg").arg("-x").arg(&file).arg(into))?;
    fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))
}

/// A busybox of an architecture that this machine does not have.
fn busybox(lists: &Lists, arch: Arch, dir: &Path) -> Result<PathBuf> {
    let root = dir.join(format!("busybox-{}", arch.debian()));
    let found =
        || ["bin/busybox", "usr/bin/busybox"].map(|path| root.join(path)).into_iter().find(|path| path.is_file());
    if let Some(path) = found() {
        return Ok(path);
    }
    unpack_package(lists, "busybox-static", dir, &root)?;
    found().with_context(|| format!("the package busybox-static left no program below {}", root.display()))
}

/// The image's package, and those that hold its image and modules from Linux 7.0 on. `depends`: what `apt-cache depends`
/// says about the first.
fn packages(depends: &str, name: &str) -> Vec<String> {
    let needed = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let parts = needed.filter(|package| {
        ["linux-binary-", "linux-modules-"].iter().any(|part| package.strip_prefix(part) == Some(name))
    });
    std::iter::once(format!("linux-image-{name}")).chain(parts.map(str::to_owned)).collect()
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
