//! `exec`: enters cgroups and a network namespace, then becomes another program.

use anyhow::{Context as _, Result, bail};
use rustix::{
    process::{Signal, set_parent_process_death_signal},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use std::{
    ffi::OsString,
    fs::{self, File},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

/// Run a program inside cgroups and a network namespace
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Cgroup directory to enter (version 2)
    #[arg(long, value_name = "DIR")]
    cgroup: Option<PathBuf>,
    /// Further cgroup directory to enter (a version 1 controller's); can be repeated
    #[arg(long, value_name = "DIR")]
    cgroup_v1: Vec<PathBuf>,
    /// Network namespace to enter, as `ip netns` names it
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
    /// Let the program live on when the starting thread ends
    #[arg(long)]
    outlive: bool,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !args.outlive {
        set_parent_process_death_signal(Some(Signal::KILL)).context("tie the program's life to its starter's")?;
    }
    for dir in args.cgroup_v1.iter().chain(&args.cgroup) {
        let file = dir.join("cgroup.procs");
        // 0 stands for the process that writes.
        fs::write(&file, "0").with_context(|| format!("enter the cgroup {}", dir.display()))?;
    }
    if let Some(name) = &args.netns {
        let path = Path::new("/run/netns").join(name);
        let file = File::open(&path).with_context(|| format!("open {} (see `ip netns list`)", path.display()))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("enter the network namespace {name}"))?;
    }
    let Some((program, rest)) = args.command.split_first() else { bail!("no program to run") };
    // Returns only when it fails.
    let error = Command::new(program).args(rest).exec();
    Err(error).with_context(|| format!("execute {}", program.display()))
}
