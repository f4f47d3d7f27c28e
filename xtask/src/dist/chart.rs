//! The chart's package. helm decides what is in it, but writes the time of the packaging: that is replaced.

use super::File;
use crate::{
    artifact::archive::{self, Entry},
    sh,
};
use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use std::{fs, io::Read as _, path::Path, process::Command};

/// Name of the package's file.
pub(super) fn name() -> String {
    format!("netwhy-{}.tgz", env!("CARGO_PKG_VERSION"))
}

/// Packages the chart.
pub(super) fn package(workspace: &Path, helm: &Path, seconds: u64) -> Result<File> {
    let folder = sh::target_dir(workspace).join(format!("xtask/chart-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let mut command = Command::new(helm);
    command.arg("package").arg(workspace.join("charts/netwhy")).arg("--destination").arg(&folder);
    let packaged = sh::output(&mut command).and_then(|_| only_file(&folder));
    fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    let File { name: given, bytes } = packaged?;
    ensure!(given == name(), "the chart has another version: helm wrote {given}, not {}", name());
    let bytes = archive::gzip(&archive::pack(&entries(&bytes)?, seconds)?)?;
    Ok(File { name: given, bytes })
}

fn only_file(folder: &Path) -> Result<File> {
    let mut files = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let file = files.pop().filter(|_| files.is_empty()).context("helm did not write one package")?;
    let name = file.file_name().into_string().ok().context("helm's package has a strange name")?;
    Ok(File { name, bytes: fs::read(file.path())? })
}

/// The files of a package, sorted, of the same permissions.
fn entries(package: &[u8]) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(package)).entries().context("read helm's package")? {
        let mut entry = entry.context("read helm's package")?;
        let path = entry.path().context("read helm's package")?.into_owned();
        let path = path.to_str().with_context(|| format!("{} is no text", path.display()))?.to_owned();
        ensure!(entry.header().entry_type().is_file(), "helm's package has {path}, which is no file");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).with_context(|| format!("read {path} in helm's package"))?;
        entries.push(Entry { path, mode: 0o644, content: Some(content) });
    }
    ensure!(!entries.is_empty(), "helm's package is empty");
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

#[cfg(test)]
mod tests;
