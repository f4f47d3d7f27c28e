//! The programs inside: the agent, the tests, and the files of this machine that they need.

use super::{cpio::Cpio, guest::Programs, kernel::Kernel};
use crate::sh;
use anyhow::{Context as _, Result};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Programs of this machine that the laboratory runs.
const TOOLS: [&str; 5] = ["ip", "tc", "nft", "setpriv", "unshare"];
/// Real clients and servers; tests say which they miss.
const PEERS: [&str; 4] = ["nginx", "curl", "wrk", "openssl"];

/// Writes the archive for one kernel; `script` is its first program.
pub(super) fn write(programs: &Programs, kernel: &Kernel, script: &str, file: &Path) -> Result<()> {
    let mut cpio = Cpio::default();
    for dir in ["proc", "sys", "tmp", "run", "applets", "bin", "etc", "mnt"] {
        cpio.directory(dir);
    }
    // nginx looks its user up.
    cpio.file("etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n");
    cpio.file("etc/group", b"root:x:0:\nnogroup:x:65534:\nnobody:x:65534:\nwww-data:x:33:\n");
    // As every Node has one, which an agent must not be able to read.
    cpio.private("etc/shadow", b"root:*:::::::\n");
    let own = || in_path("busybox").context("no busybox: install busybox-static");
    let busybox = kernel.busybox.clone().map_or_else(own, Ok)?;
    cpio.file("bin/busybox", &read(&busybox)?);
    cpio.link("bin/sh", "busybox");
    let mut libraries = BTreeSet::new();
    // Of another architecture there is busybox only.
    for tool in TOOLS.into_iter().filter(|_| kernel.arch.is_native()) {
        let path = in_path(tool).with_context(|| format!("no {tool}: install iproute2, nftables and util-linux"))?;
        libraries.extend(needs(&path)?);
        cpio.file(&format!("usr/sbin/{tool}"), &read(&path)?);
    }
    for peer in PEERS.into_iter().filter(|_| kernel.arch.is_native()) {
        let Some(path) = in_path(peer) else { continue };
        libraries.extend(needs(&path)?);
        cpio.file(&format!("usr/sbin/{peer}"), &read(&path)?);
    }
    // At their own paths: test programs know where the traffic program is.
    let ours = [&programs.agent, &programs.taken_over, &programs.traffic]
        .into_iter()
        .chain(programs.tests.iter().map(|(_, path)| path));
    for path in ours {
        if kernel.arch.is_native() {
            libraries.extend(needs(path)?);
        }
        // Beside the archive, because archives are made side by side.
        let copy = file.with_extension("stripped");
        cpio.file(&path.to_string_lossy(), &stripped(path, &copy, kernel.arch.strip())?);
    }
    for library in libraries {
        cpio.file(&library.to_string_lossy(), &read(&library)?);
    }
    for (n, (name, bytes)) in kernel.modules.iter().enumerate() {
        cpio.file(&format!("modules/{n:02}-{name}.ko"), bytes);
    }
    cpio.file("init", script.as_bytes());
    fs::write(file, cpio.finish()).with_context(|| format!("write {}", file.display()))
}

/// Shared libraries of a program, the loader among them.
fn needs(program: &Path) -> Result<Vec<PathBuf>> {
    let text = sh::output(Command::new("ldd").arg(program))?;
    Ok(libraries(&text))
}

/// Paths in what `ldd` prints.
fn libraries(text: &str) -> Vec<PathBuf> {
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

/// A program without its debugging information, which would fill the machine's memory.
fn stripped(path: &Path, copy: &Path, strip: &str) -> Result<Vec<u8>> {
    let stripped = sh::output(Command::new(strip).arg("--strip-debug").arg("-o").arg(copy).arg(path));
    let bytes = match stripped {
        Ok(_) => read(copy),
        // Without `strip` it is larger, and may still fit.
        Err(_) => read(path),
    };
    let _ = fs::remove_file(copy);
    bytes
}

fn in_path(program: &str) -> Option<PathBuf> {
    // sbin is not in every user's path.
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests;
