//! `cargo xtask vm`: the kernel tests on other kernels, each in a QEMU machine of its own.

mod cpio;
mod guest;
mod image;
mod kernel;

use crate::{Unavailable, apt, sh, test, toolchain};
use anyhow::{Context as _, Result, anyhow, bail};
use guest::Programs;
use guest::{Outcome, Verdict};
use kernel::Kernel;
use serde_json::{Value, json};
use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Instant,
};

/// Kernels when none is named: the oldest with everything, and Debian's newest.
const KERNELS: [&str; 2] = ["6.1", "6.12"];
/// Programs, and the packages that they come from.
const TOOLS: [(&str, &str); 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("xz", "xz-utils"),
    ("timeout", "coreutils"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
];

/// How long a machine may take to boot with KVM.
const PROBE_SECONDS: u32 = 40;

/// Run the kernel tests on other kernels, inside QEMU
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Series or exact kernels from Debian's packages, such as 6.1 or 6.12.117+deb12-cloud-amd64
    #[arg(value_name = "KERNEL", default_values = KERNELS)]
    kernels: Vec<String>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Give up a machine after this long; an emulated one may need most of an hour
    #[arg(long, default_value_t = 3600, value_name = "S")]
    seconds: u32,
    /// Write the outcome to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    check_machine()?;
    let workspace = sh::workspace()?;
    let programs = build(&workspace)?;
    let dir = sh::target_dir(&workspace).join("vm");
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let kernels: Vec<Kernel> = args.kernels.iter().map(|series| Kernel::fetch(series, &dir)).collect::<Result<_>>()?;
    let mut outcomes = Vec::new();
    // A machine has one CPU: as many side by side as there are here.
    for several in kernels.chunks(thread::available_parallelism().map_or(1, NonZero::get)) {
        let boot = |kernel| boot(&workspace, &dir, &programs, kernel, args);
        let ended: Result<Vec<_>> = thread::scope(|scope| {
            let running: Vec<_> = several.iter().map(|kernel| scope.spawn(move || boot(kernel))).collect();
            running.into_iter().map(|one| one.join().map_err(|_| anyhow!("a machine's thread panicked"))?).collect()
        });
        outcomes.extend(several.iter().map(|kernel| kernel.name.clone()).zip(ended?));
    }
    let mut failed = 0;
    for (name, (outcome, seconds)) in &outcomes {
        print(name, outcome, *seconds);
        failed += usize::from(!ended_well(outcome));
    }
    for (name, why) in guest::EXCLUDED {
        println!("not run in an emulated machine: {name}: {why}");
    }
    if let Some(file) = &args.json {
        let kernels: Vec<Value> =
            outcomes.iter().map(|(name, (outcome, seconds))| json(name, outcome, *seconds)).collect();
        let text = serde_json::to_string_pretty(&json!({ "kernels": kernels }))?;
        fs::write(file, format!("{text}\n")).with_context(|| format!("write {}", file.display()))?;
    }
    if failed > 0 { bail!("{failed} of {} kernels failed", outcomes.len()) } else { Ok(()) }
}

fn check_machine() -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(Unavailable::error("the machines are x86_64: run it on such a machine".to_owned()));
    }
    let missing =
        || TOOLS.iter().filter(|(program, _)| !sh::in_path(program)).map(|(_, package)| *package).collect::<Vec<_>>();
    if !missing().is_empty() {
        let _ = apt::install("QEMU and what runs inside", &missing());
    }
    let missing = missing();
    if missing.is_empty() && sh::in_path("apt-get") && sh::in_path("dpkg") {
        return Ok(());
    }
    let text = "kernels come from Debian's packages and run in QEMU: this needs apt-get, dpkg";
    Err(Unavailable::error(format!("{text} and the packages {}", missing.join(", "))))
}

/// Builds the agent and the kernel tests, as `cargo xtask test` does.
fn build(workspace: &Path) -> Result<Programs> {
    let toolchain = toolchain::ensure(workspace)?;
    sh::say("building the agent and the kernel tests");
    let mut build = toolchain.cargo(workspace);
    build.args(["build", "--package", "netwhy-agent", "--package", "netwhy-tests", "--bins"]);
    build.args(["--example", "taken_over"]);
    sh::run(build.stdout(Stdio::null()))?;
    let mut command = toolchain.cargo(workspace);
    command.args(["test", "--no-run", "--message-format", "json", "--package", "netwhy-tests"]);
    let names = test::kernel_tests(workspace);
    command.args(names.iter().flat_map(|name| ["--test", name]));
    let tests = if names.is_empty() { Vec::new() } else { executables(&sh::output(&mut command)?) };
    let debug = sh::target_dir(workspace).join("debug");
    Ok(Programs {
        agent: debug.join("netwhy-agent"),
        taken_over: debug.join("examples/taken_over"),
        traffic: debug.join("netwhy-traffic"),
        tests,
    })
}

/// Test programs in cargo's messages.
fn executables(messages: &str) -> Vec<(String, PathBuf)> {
    let program = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_test = message["profile"]["test"] == true;
        let name = message["target"]["name"].as_str()?.to_owned();
        let path = message["executable"].as_str()?;
        is_test.then(|| (name, PathBuf::from(path)))
    };
    messages.lines().filter_map(program).collect()
}

/// Runs one machine to its end. Returns its outcome and the seconds that it took.
fn boot(workspace: &Path, dir: &Path, programs: &Programs, kernel: &Kernel, args: &Args) -> Result<(Outcome, f64)> {
    let archive = dir.join(format!("{}.cpio", kernel.name));
    image::write(programs, kernel, args.filter.as_deref(), &archive)?;
    let accelerator = if !Path::new("/dev/kvm").exists() {
        "tcg"
    } else if can_boot(kernel, &archive) {
        "kvm"
    } else {
        sh::say("  KVM can't be used here: every instruction is emulated instead");
        "tcg"
    };
    let ended = power_on(workspace, kernel, &archive, args.seconds, accelerator)?;
    let _ = fs::remove_file(&archive);
    Ok(ended)
}

/// Whether a machine boots with KVM. The device may exist and not work: under nested virtualisation a machine often
/// hangs at an instruction that the host does not support.
fn can_boot(kernel: &Kernel, archive: &Path) -> bool {
    let console = machine(kernel, archive, PROBE_SECONDS, "kvm", guest::PROBE).stdin(Stdio::null()).output();
    console.is_ok_and(|console| !Outcome::read(&String::from_utf8_lossy(&console.stdout)).release.is_empty())
}

/// A machine with an accelerator of QEMU's, for at most `limit` s; `also`: on its kernel's command line.
fn machine(kernel: &Kernel, archive: &Path, limit: u32, accelerator: &str, also: &str) -> Command {
    // In the foreground, Ctrl-C reaches the machine too, and the machine ends with this process.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "timeout", "--foreground", "--kill-after=5", &limit.to_string()]);
    command.arg("qemu-system-x86_64");
    command.args(["-accel", accelerator, "-cpu", "max", "-smp", "1", "-m", "1024", "-no-reboot"]);
    command.args(["-display", "none", "-monitor", "none", "-serial", "stdio", "-nic", "none"]);
    command.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(archive);
    command.args(["-append", &format!("console=ttyS0 panic=-1 loglevel=3 net.ifnames=0 {also}")]);
    command
}

/// Boots one machine with an accelerator of QEMU's, for at most `limit` s.
fn power_on(
    workspace: &Path,
    kernel: &Kernel,
    archive: &Path,
    limit: u32,
    accelerator: &str,
) -> Result<(Outcome, f64)> {
    let mut command = machine(kernel, archive, limit, accelerator, "");
    let began = Instant::now();
    let mut progress = guest::Progress::default();
    let name = format!("tests on Linux {}", kernel.name);
    let (_, console) = sh::captured(&name, &mut command, |line| progress.line(line))?;
    let seconds = began.elapsed().as_secs_f64();
    let log = sh::keep_log(workspace, &format!("vm-{}.log", kernel.name), &console)?;
    let outcome = Outcome::read(&console);
    if !ended_well(&outcome) {
        sh::say(&format!("  the machine's console is kept in {}", log.display()));
    }
    Ok((outcome, seconds))
}

fn ended_well(outcome: &Outcome) -> bool {
    let bad = |verdict: &Verdict| matches!(verdict, Verdict::Failed(_) | Verdict::Unfinished);
    outcome.complete && outcome.panic.is_none() && !outcome.tests.iter().any(|test| bad(&test.verdict))
}

fn count(outcome: &Outcome, suits: impl Fn(&Verdict) -> bool) -> usize {
    outcome.tests.iter().filter(|test| suits(&test.verdict)).count()
}

fn print(name: &str, outcome: &Outcome, seconds: f64) {
    println!("\n== Linux {name}");
    if outcome.release.is_empty() {
        println!("did not boot");
        return;
    }
    print!("{}", outcome.preflight);
    println!();
    for test in &outcome.tests {
        match &test.verdict {
            Verdict::Passed => println!("ok       {}", test.name),
            Verdict::Failed(why) => {
                println!("FAILED   {}", test.name);
                why.lines().for_each(|line| println!("         {line}"));
            }
            Verdict::Skipped(why) => println!("SKIP     {}: {why}", test.name),
            Verdict::Unfinished => println!("NO END   {}", test.name),
        }
    }
    if let Some(panic) = &outcome.panic {
        println!("the kernel said: {panic}");
    }
    if !outcome.complete {
        println!("it did not come to its end");
    }
    println!(
        "{} passed, {} failed, {} skipped; booted in {:.1} s, {seconds:.0} s in all",
        count(outcome, |verdict| *verdict == Verdict::Passed),
        count(outcome, |verdict| matches!(verdict, Verdict::Failed(_) | Verdict::Unfinished)),
        count(outcome, |verdict| matches!(verdict, Verdict::Skipped(_))),
        outcome.boot_seconds,
    );
}

fn json(name: &str, outcome: &Outcome, seconds: f64) -> Value {
    let test = |test: &guest::Test| {
        let (verdict, why) = match &test.verdict {
            Verdict::Passed => ("passed", None),
            Verdict::Failed(why) => ("failed", Some(why)),
            Verdict::Skipped(why) => ("skipped", Some(why)),
            Verdict::Unfinished => ("unfinished", None),
        };
        json!({ "name": test.name, "verdict": verdict, "why": why })
    };
    json!({
        "kernel": name, "release": outcome.release, "seconds": seconds, "boot_seconds": outcome.boot_seconds,
        "complete": outcome.complete, "panic": outcome.panic, "preflight": outcome.preflight,
        "tests": outcome.tests.iter().map(test).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
