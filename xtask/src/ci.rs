//! `cargo xtask ci`: everything that a change must pass.

use crate::{deny, elsewhere, sh, soak, test, toolchain};
use anyhow::{Result, bail};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// The eBPF crate's target.
const BPF_TARGET: &str = "bpfel-unknown-none";

/// Runs all checks, also after one has failed, and says at the end which did.
pub(crate) fn run() -> Result<()> {
    let workspace = sh::workspace()?;
    let toolchain = toolchain::ensure(&workspace)?;
    let mut checks = Checks::default();
    let host = |args: &[&str]| {
        let mut command = toolchain.cargo(&workspace);
        command.args(args);
        command
    };
    checks.run("cargo fmt --check", || step(host(&["fmt", "--all", "--check"])));
    checks.run("clippy, host", || {
        // libFuzzer needs a C++ compiler; the targets themselves are the agent's.
        let others = ["--exclude", "netwhy-ebpf", "--exclude", "netwhy-fuzz"];
        let arguments = [&["clippy", "--workspace"], &others[..], &["--all-targets", "--", "-D", "warnings"]];
        step(host(&arguments.concat()))
    });
    checks.run("clippy, the memory layout shared with the kernel", || {
        step(host(&["clippy", "--package", "netwhy-ebpf", "--lib", "--tests", "--", "-D", "warnings"]))
    });
    checks.run("clippy, kernel programs", || bpf(&toolchain, &workspace));
    checks.run("plugin on macOS and Windows", || elsewhere::check(&workspace, &toolchain));
    // Unit tests compare the generated pages with what the code says.
    checks.run("dependencies", || deny::check(&workspace));
    checks.run("tests", || test::run_in(&workspace, &toolchain, None, &test::Machine::this()));
    if rustix::process::geteuid().is_root() {
        checks.run("soak, one minute", || soak::run(&soak::Args::minute()));
    } else {
        sh::say("\nsoak: needs root: not run");
    }
    checks.finish()
}

#[derive(Default)]
struct Checks {
    done: Vec<(&'static str, Result<()>, Duration)>,
}

impl Checks {
    fn run(&mut self, name: &'static str, check: impl FnOnce() -> Result<()>) {
        sh::say(&format!("\n== {name}"));
        let start = Instant::now();
        let result = check();
        if let Err(error) = &result {
            sh::say(&format!("{error:#}"));
        }
        self.done.push((name, result, start.elapsed()));
    }

    fn finish(self) -> Result<()> {
        sh::say("");
        let mut failed = 0;
        for (name, result, took) in &self.done {
            let verdict = if result.is_ok() { "ok" } else { "FAILED" };
            failed += usize::from(result.is_err());
            sh::say(&format!("{verdict:<7} {:>6.1} s  {name}", took.as_secs_f64()));
        }
        if failed > 0 { bail!("{failed} of {} checks failed", self.done.len()) } else { Ok(()) }
    }
}

fn step(mut command: Command) -> Result<()> {
    let line = sh::shown(&command);
    sh::step(&line, &mut command)
}

/// Clippy for the kernel programs; a distribution's toolchain may lack it, then the compiler's own warnings must do.
fn bpf(toolchain: &toolchain::Toolchain, workspace: &Path) -> Result<()> {
    let has_clippy =
        ["cargo-clippy", "clippy-driver"].iter().all(|name| toolchain.sysroot.join("bin").join(name).is_file());
    let mut command = toolchain.own_cargo(workspace);
    command.arg(if has_clippy { "clippy" } else { "check" });
    command.args(["--package", "netwhy-ebpf", "--bins", "--target", BPF_TARGET, "-Z", "build-std=core"]);
    command.arg("--target-dir").arg(sh::target_dir(workspace).join("bpf-check"));
    let arch = std::env::consts::ARCH;
    let mut flags = vec![format!("--cfg=bpf_target_arch=\"{arch}\"")];
    if has_clippy {
        command.args(["--", "-D", "warnings"]);
    } else {
        sh::say(&format!(
            "  the toolchain {} has no clippy: the compiler's warnings are denied instead",
            toolchain.name
        ));
        flags.push("-Dwarnings".to_owned());
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    step(command)
}
