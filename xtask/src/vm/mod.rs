//! `cargo xtask vm`: the kernel tests on other kernels, each in a QEMU machine of its own.

mod arch;
mod boot;
mod cpio;
mod guest;
mod image;
mod kernel;
mod lists;
mod machine;
mod programs;
mod table;

use crate::{Unavailable, apt, sh, test};
use anyhow::{Context as _, Result, anyhow, bail};
use arch::Arch;
use boot::{Boot, Ended};
use guest::{Outcome, Verdict};
use kernel::Kernel;
use serde_json::{Value, json};
use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

/// Kernels when none is named: the oldest with everything, and Debian's newest.
const KERNELS: [&str; 2] = ["6.1", "6.12"];
/// The same for machines that look like Nodes.
const KERNEL_OF_MACHINES: &str = "6.12";
/// Programs besides QEMU, and the packages that they come from.
const TOOLS: [(&str, &str); 5] = [
    ("busybox", "busybox-static"),
    ("xz", "xz-utils"),
    ("timeout", "coreutils"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
];

/// Run the kernel tests on other kernels, inside QEMU
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Series or exact kernels from Debian's packages, such as 6.1 or 6.12.117+deb12-cloud-amd64; `newest`: the newest that
    /// any suite offers [default: 6.1 and 6.12; with --machine 6.12]
    #[arg(value_name = "KERNEL")]
    kernels: Vec<String>,
    /// Boot a machine that looks like a Node and run its own tests instead; can be repeated
    #[arg(long = "machine", value_enum, value_name = "NAME")]
    machines: Vec<machine::Choice>,
    /// Architecture of the machines; the kernel tests themselves need programs that only this machine's have
    #[arg(long, value_enum, value_name = "NAME", default_value_t = Arch::Amd64, requires_if("arm64", "machines"))]
    arch: Arch,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT", conflicts_with = "machines")]
    filter: Option<String>,
    /// Give up a machine after this long; an emulated one may need most of an hour
    #[arg(long, default_value_t = 3600, value_name = "S")]
    seconds: u32,
    /// Write the outcome to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a table of signals and kernels to this file, in Markdown
    #[arg(long, value_name = "FILE", conflicts_with = "machines")]
    table: Option<PathBuf>,
}

impl Args {
    /// Kernels that were named, or the usual ones.
    fn kernels(&self) -> Vec<&str> {
        match (self.kernels.as_slice(), self.machines.as_slice()) {
            ([], []) => KERNELS.to_vec(),
            ([], _) => vec![KERNEL_OF_MACHINES],
            (named, _) => named.iter().map(String::as_str).collect(),
        }
    }

    /// Test programs that run in the machines.
    fn test_programs(&self, workspace: &Path) -> Vec<String> {
        if self.machines.is_empty() { test::kernel_tests(workspace) } else { vec![machine::TESTS.to_owned()] }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    check_machine(args.arch)?;
    let workspace = sh::workspace()?;
    let programs = programs::build(&workspace, args.arch, &args.test_programs(&workspace))?;
    let dir = sh::target_dir(&workspace).join("vm");
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let kernels: Vec<Kernel> =
        args.kernels().into_iter().map(|series| Kernel::fetch(series, args.arch, &dir)).collect::<Result<_>>()?;
    let machines = machine::chosen(&args.machines);
    let on_each = |kernel| machines.iter().map(move |machine| Boot { kernel, machine: *machine });
    let boots: Vec<Boot<'_>> = kernels.iter().flat_map(on_each).collect();
    let cpus = thread::available_parallelism().map_or(1, NonZero::get);
    let run = |boot: &Boot<'_>| boot.run(&workspace, &dir, &programs, args);
    let mut all = Vec::new();
    for round in boot::rounds(boots, cpus) {
        let ended: Result<Vec<Ended>> = thread::scope(|scope| {
            let running: Vec<_> = round.iter().map(|boot| scope.spawn(move || run(boot))).collect();
            running.into_iter().map(|one| one.join().map_err(|_| anyhow!("a machine's thread panicked"))?).collect()
        });
        all.extend(ended?);
    }
    report(args, &all)
}

/// Prints and writes how the machines ended; an error when one ended badly.
fn report(args: &Args, all: &[Ended]) -> Result<()> {
    all.iter().for_each(print);
    if args.machines.is_empty() {
        for (name, why) in guest::EXCLUDED {
            println!("not run in an emulated machine: {name}: {why}");
        }
    }
    if let Some(file) = &args.json {
        let kernels: Vec<Value> = all.iter().map(json).collect();
        let text = serde_json::to_string_pretty(&json!({ "kernels": kernels }))?;
        fs::write(file, format!("{text}\n")).with_context(|| format!("write {}", file.display()))?;
    }
    if let Some(file) = &args.table {
        let outcomes: Vec<_> = all.iter().map(|ended| (ended.name.as_str(), &ended.outcome)).collect();
        fs::write(file, table::markdown(&outcomes)).with_context(|| format!("write {}", file.display()))?;
    }
    let failed = all.iter().filter(|ended| !ended.outcome.ended_well()).count();
    if failed > 0 { bail!("{failed} of {} machines failed", all.len()) } else { Ok(()) }
}

fn check_machine(arch: Arch) -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(Unavailable::error("the machines run on x86_64: run it on such a machine".to_owned()));
    }
    let missing = || -> Vec<&str> {
        let tools = TOOLS.into_iter().chain([arch.qemu()]);
        tools.filter(|(program, _)| !sh::in_path(program)).map(|(_, package)| package).collect()
    };
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

fn count(outcome: &Outcome, suits: impl Fn(&Verdict) -> bool) -> usize {
    outcome.tests.iter().filter(|test| suits(&test.verdict)).count()
}

fn print(ended: &Ended) {
    let Ended { name, outcome, seconds, .. } = ended;
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

fn json(ended: &Ended) -> Value {
    let Ended { name, machine, outcome, seconds } = ended;
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
        "kernel": name, "machine": machine, "release": outcome.release, "seconds": seconds,
        "boot_seconds": outcome.boot_seconds, "complete": outcome.complete, "panic": outcome.panic,
        "preflight": outcome.preflight,
        "tests": outcome.tests.iter().map(test).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
