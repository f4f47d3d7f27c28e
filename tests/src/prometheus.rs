//! Prometheus: Debian's as this machine has it, and one of version 3 beside it.

use crate::kubernetes::TOOLS;
use std::{
    env, fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// The two programs, which sid has in packages of their names.
const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];
/// The suite of Debian with Prometheus 3.
const SUITE: &str = "sid";
/// Program in the folder of [`TOOLS`] that unpacks a package: `suite-get SUITE PACKAGE FOLDER`.
const UNPACK: &str = "suite-get";

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// As `--version` prints it: `prometheus, version 3.5.3+ds1 (branch: …`.
    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once(", version ")?;
        let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().ok());
        Some(Self(numbers.next()??, numbers.next()??))
    }

    /// With which it scrapes native histograms: a feature, until 3.8 made them stable, or a global setting.
    pub const fn native_histograms(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self(..=2, _) | Self(3, ..=7) => (Some("native-histograms"), None),
            _ => (None, Some("scrape_native_histograms")),
        }
    }

    /// The setting of a scrape job that keeps classic histograms beside native ones. `None`: it has none, before 2.45.
    pub const fn classic_histograms(self) -> Option<&'static str> {
        match self {
            Self(..=1, _) | Self(2, ..=44) => None,
            Self(2, _) => Some("scrape_classic_histograms"),
            _ => Some("always_scrape_classic_histograms"),
        }
    }
}

/// A Prometheus and its promtool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    /// That of `server`.
    pub version: Version,
    /// The program `prometheus`.
    pub server: PathBuf,
    /// The program `promtool`.
    pub promtool: PathBuf,
}

impl Prometheus {
    /// `None`: `prometheus` does not run here.
    fn of(server: PathBuf, promtool: PathBuf) -> Option<Self> {
        let output = Command::new(&server).arg("--version").output().ok()?;
        // Older ones print it on stderr.
        let version = Version::read(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()))?;
        Some(Self { version, server, promtool })
    }
}

impl fmt::Display for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prometheus {}.{}", self.version.0, self.version.1)
    }
}

/// Finds one of Debian's programs: in `PATH`, else where `cargo xtask test` unpacks the package.
pub fn find(program: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let dirs = env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = env::split_paths(&dirs).map(|dir| dir.join(program)).collect();
    candidates.push(root.join(target).join("xtask/prometheus/usr/bin").join(program));
    candidates.into_iter().find(|path| path.is_file())
}

/// The one that [`find`] finds. `None`: a program is missing, or does not run.
pub fn installed() -> Option<Prometheus> {
    Prometheus::of(find("prometheus")?, find("promtool")?)
}

/// One of version 3: sid's, unpacked once below the user's cache folder. Remove it there to get a newer one.
///
/// # Errors
/// Why it is not to be had, as a test says it behind `SKIP`. It is the machine's own limit (`machine: …`) where nothing
/// was named that could have unpacked it, and where the program does not run.
pub fn third() -> Result<Prometheus, String> {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let cache = cache.ok_or("machine: no folder for Prometheus 3: set HOME")?;
    let tool = env::var_os(TOOLS).map(|tools| Path::new(&tools).join(UNPACK)).filter(|tool| tool.is_file());
    let bin = unpacked(tool.as_deref(), &cache.join("netwhy/prometheus3"))?;
    Prometheus::of(bin.join(PROGRAMS[0]), bin.join(PROGRAMS[1]))
        .ok_or_else(|| format!("machine: the Prometheus of {SUITE} in {} does not run", bin.display()))
}

/// The folder of the programs below `into`, where `tool` unpacks them if they are missing.
fn unpacked(tool: Option<&Path>, into: &Path) -> Result<PathBuf, String> {
    let bin = into.join("usr/bin");
    let has_both = || PROGRAMS.iter().all(|program| bin.join(program).is_file());
    if has_both() {
        return Ok(bin);
    }
    let tool = tool.ok_or_else(|| format!("machine: no Prometheus 3: set {TOOLS} to a folder with {UNPACK}"))?;
    let failed = |error: io::Error| format!("make {}: {error}", into.display());
    fs::create_dir_all(into.parent().unwrap_or(into)).map_err(failed)?;
    let lock = File::create(into.with_extension("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    // Another test may have done it meanwhile.
    if has_both() {
        return Ok(bin);
    }
    let part = into.with_extension("part");
    let _ = fs::remove_dir_all(&part);
    for package in PROGRAMS {
        let output = Command::new(tool).args([SUITE, package]).arg(&part).output();
        let output = output.map_err(|error| format!("start {}: {error}", tool.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let why = said.trim_end().lines().last().unwrap_or("no reason given");
            return Err(format!("no Prometheus 3: {} {SUITE} {package}: {why}", tool.display()));
        }
    }
    let _ = fs::remove_dir_all(into);
    fs::rename(&part, into).map_err(failed)?;
    if has_both() { Ok(bin) } else { Err(format!("no Prometheus 3: the packages of {SUITE} lack its programs")) }
}

#[cfg(test)]
mod tests;
