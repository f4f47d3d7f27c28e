//! `cargo xtask chart`: the Helm chart, checked by helm itself and against the Kubernetes API types.

use crate::{helm, sh, toolchain};
use anyhow::Result;
use std::{path::PathBuf, process::Command};

/// Lint the Helm chart, render it, and check every document against the Kubernetes API types
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also write the chart's package into this folder
    #[arg(long, value_name = "DIR")]
    package: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = sh::workspace()?;
    let program = helm::ensure(&workspace)?;
    let chart = workspace.join("charts/netwhy");
    let helm = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(args).arg(&chart);
        command
    };
    println!(
        "helm {} ({})",
        sh::output(Command::new(&program).args(["version", "--short"]))?.trim(),
        program.display()
    );
    sh::step("helm lint --strict", &mut helm(&["lint", "--strict"]))?;
    let rendered = sh::output(&mut helm(&["template", "netwhy"]))?;
    println!("with the default values:");
    for kind in rendered.lines().filter_map(|line| line.strip_prefix("kind: ")) {
        println!("  {kind}");
    }
    let toolchain = toolchain::ensure(&workspace)?;
    let mut tests = toolchain.cargo(&workspace);
    tests.args(["test", "--package", "netwhy-tests", "--test", "chart", "--color", "never", "--", "--show-output"]);
    let (passed, text) =
        sh::captured("every combination of its switches, against the API types", &mut tests, |_| None)?;
    for line in text.lines().filter(|line| line.starts_with("test ") || line.starts_with("combinations: ")) {
        println!("  {line}");
    }
    if !passed {
        anyhow::bail!("the chart is not right:\n{text}");
    }
    if let Some(dir) = &args.package {
        let mut command = helm(&["package"]);
        command.arg("--destination").arg(dir);
        print!("{}", sh::output(&mut command)?);
    }
    Ok(())
}
