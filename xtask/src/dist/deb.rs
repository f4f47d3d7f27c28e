//! A Debian package of both programs and the systemd unit, written without Debian's tools: an `ar` archive (deb(5)) of
//! the format's version, the control files and the files.

use super::File;
use crate::artifact::{
    archive::{self, Entry},
    target::Arch,
};
use anyhow::{Context as _, Result};
use std::{fs, path::Path};

/// Restarts an agent that runs; the administrator starts it for the first time. As Debian's policy has it, the wrapper
/// asks whether services may be touched, and a service that fails does not fail the package.
const AFTER_INSTALLATION: &str = "#!/bin/sh
set -e
case \"$1\" in
configure|abort-upgrade|abort-deconfigure|abort-remove)
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload || true
    if systemctl --quiet is-active netwhy.service; then
      deb-systemd-invoke restart netwhy.service || true
    fi
  fi
  ;;
esac
";
/// Stops the agent, and disables it while its unit is there: afterwards a link to nothing would stay.
const BEFORE_REMOVAL: &str = "#!/bin/sh
set -e
if [ \"$1\" = remove ]; then
  if [ -d /run/systemd/system ]; then
    deb-systemd-invoke stop netwhy.service || true
  fi
  if command -v systemctl >/dev/null; then
    systemctl --quiet disable netwhy.service || true
  fi
fi
";
/// Lets systemd forget the unit.
const AFTER_REMOVAL: &str = "#!/bin/sh
set -e
if [ \"$1\" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload || true
fi
";

/// Name of the package's file.
pub(super) fn name(arch: Arch) -> String {
    format!("netwhy_{}_{}.deb", env!("CARGO_PKG_VERSION"), arch.debian)
}

/// The package. `programs`: names and contents.
pub(super) fn package(programs: &[(&str, &[u8])], arch: Arch, workspace: &Path, seconds: u64) -> Result<File> {
    let files = files(programs, workspace)?;
    let control = control_files(&files, arch);
    let gzip = |entries: &[Entry]| archive::gzip(&archive::pack(entries, seconds)?);
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", gzip(&control)?),
        ("data.tar.gz", gzip(&archive::with_folders(files))?),
    ];
    Ok(File { name: name(arch), bytes: ar(&members, seconds) })
}

/// The files as they are installed.
fn files(programs: &[(&str, &[u8])], workspace: &Path) -> Result<Vec<Entry>> {
    let read = |name: &str| {
        let file = workspace.join(name);
        fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))
    };
    // A package's programs are not in /usr/local.
    let unit = read("docs/netwhy.service")?.replace("/usr/local/bin/", "/usr/bin/");
    let mut files = vec![
        entry("etc/netwhy.yaml", 0o644, read("docs/netwhy.example.yaml")?),
        entry("usr/lib/systemd/system/netwhy.service", 0o644, unit),
    ];
    files.extend(programs.iter().map(|(name, bytes)| entry(&format!("usr/bin/{name}"), 0o755, *bytes)));
    for (name, text) in archive::licences(workspace)? {
        files.push(entry(&format!("usr/share/doc/netwhy/{name}"), 0o644, text));
    }
    Ok(files)
}

/// What dpkg reads.
fn control_files(files: &[Entry], arch: Arch) -> [Entry; 5] {
    let (version, architecture) = (env!("CARGO_PKG_VERSION"), arch.debian);
    let size: usize = files.iter().filter_map(|entry| entry.content.as_ref()).map(Vec::len).sum();
    let kibibytes = size.div_ceil(1024);
    let control = format!(
        "Package: netwhy\n\
         Version: {version}\n\
         Architecture: {architecture}\n\
         Maintainer: the netwhy authors\n\
         Installed-Size: {kibibytes}\n\
         Section: net\n\
         Priority: optional\n\
         Description: why is it slow, and who is to blame\n \
         netwhy-agent measures loss, response times, CPU and more with eBPF, for\n \
         systemd units, containers and Pods. kubectl-netwhy asks agents.\n"
    );
    // Files that the administrator changes: an upgrade asks before it replaces them.
    let configuration = files.iter().filter(|entry| entry.path.starts_with("etc/"));
    let configuration: String = configuration.map(|entry| format!("/{}\n", entry.path)).collect();
    [
        entry("control", 0o644, control),
        entry("conffiles", 0o644, configuration),
        entry("postinst", 0o755, AFTER_INSTALLATION),
        entry("prerm", 0o755, BEFORE_REMOVAL),
        entry("postrm", 0o755, AFTER_REMOVAL),
    ]
}

fn entry(path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Entry {
    Entry { path: path.to_owned(), mode, content: Some(content.into()) }
}

/// An archive of root's files, all of one time, s since 1970.
fn ar(members: &[(&str, Vec<u8>)], seconds: u64) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        // Name, time, user, group, mode, size: columns of fixed width.
        let header = format!("{name:<16}{seconds:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, "100644", content.len());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
