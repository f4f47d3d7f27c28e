//! `keep` and `attend`: a process that ends with another, also when that is killed.

use anyhow::{Context as _, Result, bail};
use netwhy_tests::kept::Kept;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write as _},
    os::fd::OwnedFd,
    process::Command,
};

/// Kill a process and its descendants when standard input ends
///
/// Standard input is a pipe whose other end is the starter's. Prints a line as soon as the process can't escape.
#[derive(clap::Args)]
pub(crate) struct KeepArgs {
    /// Its id
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    process: i32,
}

/// Run a program that ends with this one, also when this one is killed
///
/// Prints its process id.
#[derive(clap::Args)]
pub(crate) struct AttendArgs {
    /// The program and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

pub(crate) fn keep(args: &KeepArgs) -> Result<()> {
    let process = open(args.process).with_context(|| format!("open the process {}", args.process))?;
    say(args.process)?;
    io::copy(&mut io::stdin().lock(), &mut io::sink()).context("wait for the starter's end")?;
    if has_ended(&process)? {
        // The id may be another's by now.
        return Ok(());
    }
    let mut all = Vec::new();
    descendants(args.process, &mut all);
    all.push(process);
    for process in all {
        match pidfd_send_signal(&process, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error).context("kill it"),
        }
    }
    Ok(())
}

pub(crate) fn attend(args: &AttendArgs) -> Result<()> {
    let Some((program, rest)) = args.command.split_first() else { bail!("no program to run") };
    let child = Command::new(program).args(rest).spawn().with_context(|| format!("start {}", program.display()))?;
    let mut kept = Kept::new(&env::current_exe().context("find this program")?, child)?;
    say(kept.id())?;
    kept.wait().with_context(|| format!("wait for {}", program.display()))?;
    Ok(())
}

fn say(process: impl std::fmt::Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{process}").and_then(|()| out.flush()).context("print the process id")
}

fn open(process: i32) -> Result<OwnedFd> {
    let process = Pid::from_raw(process).context("0 is no process")?;
    Ok(pidfd_open(process, PidfdFlags::empty())?)
}

fn has_ended(process: &OwnedFd) -> Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&now)).context("look after the process")? > 0)
}

/// The processes that this one has started, theirs first. Those that end meanwhile are left out.
fn descendants(process: i32, all: &mut Vec<OwnedFd>) {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    for thread in threads {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            let opened = open(child);
            descendants(child, all);
            all.extend(opened);
        }
    }
}
