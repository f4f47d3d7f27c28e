//! `cargo xtask build`: both programs as releases have them, without archives.

use crate::{
    artifact::{
        self,
        program::{self, Build, Program},
        target::{self, Target},
    },
    sh, toolchain,
};
use anyhow::Result;

/// Build both programs, linked statically, for this machine's architecture or for another one
///
/// Where rustup has no standard library for the target, the eBPF toolchain builds it. Another architecture needs a C
/// compiler such as Debian's gcc-aarch64-linux-gnu. Prints the paths of the programs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build for this target; given again, also for another architecture [default: this machine's]
    #[arg(long = "target", value_name = "TARGET", value_parser = Target::parse)]
    targets: Vec<Target>,
    /// Cargo's profile; dev builds faster, but makes larger programs
    #[arg(long, value_name = "NAME", default_value = program::PROFILE)]
    profile: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (workspace, targets) = (sh::workspace()?, target::ready(&args.targets)?);
    let (toolchain, folder) = (toolchain::ensure(&workspace)?, sh::target_dir(&workspace));
    for (target, tools) in &targets {
        let build = Build {
            workspace: &workspace,
            toolchain: &toolchain,
            target,
            tools,
            profile: &args.profile,
            folder: &folder,
        };
        for program in [Program::Agent, Program::Plugin] {
            println!("{}", artifact::build(program, &build)?.display());
        }
    }
    Ok(())
}
