//! `cargo xtask …`: everything a contributor does. It builds without the eBPF toolchain, because it installs it.

mod apt;
mod artifact;
mod bench;
mod browser;
mod build;
mod chart;
mod ci;
mod demo;
mod deny;
mod dist;
mod docs;
mod elsewhere;
mod eval;
mod fuzz;
mod grpc;
mod helm;
mod image;
mod kube;
mod mcp;
mod progress;
mod pypi;
mod sh;
mod soak;
mod test;
mod toolchain;
mod vm;

use clap::{Parser, Subcommand};
use std::{fmt, process::ExitCode};

/// Exit code of an interrupted program, as a shell reports it.
const INTERRUPTED: u8 = 130;
/// Exit code when this machine can't do what was asked.
const UNAVAILABLE: u8 = 69;

/// Contributor's tasks for netwhy
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    after_help = "Examples:\n  \
                  cargo xtask demo                            see a fault named\n  \
                  cargo xtask ci                              check a change as it must pass\n  \
                  cargo xtask eval --only laboratory --quick  measure accuracy in minutes\n\n\
                  Exit codes: 0 success, 1 failure, 2 bad usage, 69 this machine can't do it, 130 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    #[command(after_help = "Example: cargo xtask demo --fault cpu-throttle")]
    Demo(demo::Args),
    #[command(after_help = "Example: cargo xtask test --filter accept_queue")]
    Test(test::Args),
    /// Check format, lints (host and BPF), generated docs, and run the tests
    #[command(after_help = "Example: cargo xtask ci")]
    Ci,
    #[command(after_help = "Example: cargo xtask bench --only load --loads keepalive --pairs 60")]
    Bench(bench::Args),
    #[command(after_help = "Example: cargo xtask eval --only laboratory --quick")]
    Eval(eval::Args),
    #[command(after_help = "Example: cargo xtask fuzz --minutes 10")]
    Fuzz(fuzz::Args),
    #[command(after_help = "Example: cargo xtask soak --minutes 60 --release")]
    Soak(soak::Args),
    #[command(after_help = "Example: cargo xtask vm 6.1 6.12 --filter accept_queue")]
    Vm(vm::Args),
    #[command(after_help = "Example: cargo xtask docs --check")]
    Docs(docs::Args),
    #[command(after_help = "Example: cargo xtask build --target x86_64-unknown-linux-musl")]
    Build(build::Args),
    #[command(after_help = "Example: cargo xtask image --tag registry.example/netwhy-agent:0.1.0")]
    Image(image::Args),
    #[command(after_help = "Example: cargo xtask dist --verify --url https://downloads.example/netwhy/v0.1.0 \
                            --sign-key release.pem")]
    Dist(dist::Args),
    #[command(after_help = "Example: cargo xtask chart --package target/charts")]
    Chart(chart::Args),
    /// Make sure that the eBPF toolchain is there, and build the agent with it
    #[command(after_help = "Example: cargo xtask build-ebpf --release")]
    BuildEbpf {
        /// With optimisations
        #[arg(long)]
        release: bool,
    },
}

/// This machine can't do what was asked.
#[derive(Debug)]
struct Unavailable(String);

impl Unavailable {
    fn error(text: String) -> anyhow::Error {
        anyhow::Error::new(Self(text))
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Task::Demo(args) => match demo::run(&args) {
            Ok(demo::Outcome::Named) => Ok(()),
            Ok(demo::Outcome::Missed) => return ExitCode::FAILURE,
            Ok(demo::Outcome::Interrupted) => return ExitCode::from(INTERRUPTED),
            Err(error) => Err(error),
        },
        Task::Test(args) => test::run(&args),
        Task::Ci => ci::run(),
        Task::Bench(args) => bench::run(&args),
        Task::Eval(args) => eval::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Soak(args) => soak::run(&args),
        Task::Vm(args) => vm::run(&args),
        Task::Docs(args) => docs::run(&args),
        Task::Build(args) => build::run(&args),
        Task::Image(args) => image::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Chart(args) => chart::run(&args),
        Task::BuildEbpf { release } => build_ebpf(release),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<bench::Stopped>() {
                return ExitCode::from(INTERRUPTED);
            }
            if error.is::<Unavailable>() { ExitCode::from(UNAVAILABLE) } else { ExitCode::FAILURE }
        }
    }
}

fn build_ebpf(release: bool) -> anyhow::Result<()> {
    let workspace = sh::workspace()?;
    let toolchain = toolchain::ensure(&workspace)?;
    sh::say(&format!("eBPF toolchain: {} ({})", toolchain.name, toolchain.sysroot.display()));
    let mut command = toolchain.cargo(&workspace);
    command.args(["build", "--package", "netwhy-agent"]);
    if release {
        command.arg("--release");
    }
    sh::run(&mut command)
}

#[cfg(test)]
mod tests;
