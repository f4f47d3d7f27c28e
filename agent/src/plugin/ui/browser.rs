//! Opens the user's browser.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

/// Opens a URL, if there is a desktop. The URL was printed, so that a failure needs no message.
pub(super) fn open(url: &str) {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let Some(program) = program(std::env::consts::OS, is_set) else { return };
    let started = Command::new(program)
        .arg(OsStr::new(url))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Ok(mut child) = started {
        // It ends soon after it has handed over the URL.
        std::thread::spawn(move || child.wait());
    }
}

/// The program that opens URLs. `None`: no desktop, as in a shell over SSH.
fn program(system: &str, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    match (system, is_set("WSL_DISTRO_NAME")) {
        ("macos", _) => Some("open"),
        ("windows", _) => Some("explorer"),
        (_, true) => Some("wslview"),
        _ => (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")).then_some("xdg-open"),
    }
}

#[cfg(test)]
mod tests;
