//! The agent's kernel side and tick in a process of their own, put on and taken off by command.

use super::share::Counted;
use crate::sh;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// Environment of the agent that is the user's, not the benchmark's.
const FOREIGN: [&str; 6] =
    ["NETWHY_KUBE", "NETWHY_CONFIG", "NETWHY_LISTEN", "NETWHY_CGROUP_ROOT", "NODE_NAME", "KUBECONFIG"];

/// Runs of the kernel programs while statistics were on.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    /// Time, ns, and runs by program.
    pub(super) programs: BTreeMap<String, (f64, f64)>,
    /// The same of the empty program.
    pub(super) empty: (f64, f64),
}

impl Runs {
    /// The difference since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let minus = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0, a.1 - b.1);
        let programs = self
            .programs
            .iter()
            .map(|(name, now)| (name.clone(), minus(*now, before.programs.get(name).copied().unwrap_or_default())));
        Self { programs: programs.collect(), empty: minus(self.empty, before.empty) }
    }
}

/// A running instrument; ends when dropped.
pub(super) struct Instrument {
    child: Child,
    // Closed first when dropped: that ends the process.
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Instrument {
    /// Starts it on a cgroup subtree; its programs are attached then.
    pub(super) fn start(bin: &Path, cgroup_root: &Path) -> Result<Self> {
        Self::start_with(bin, cgroup_root, None)
    }

    /// The same with a configuration file.
    pub(super) fn start_with(bin: &Path, cgroup_root: &Path, config: Option<&Path>) -> Result<Self> {
        // Through the laboratory's own starter, so that it ends with us even when we are killed.
        let mut command = Command::new(bin.join("netwhy-traffic"));
        command.args(["exec", "--"]).arg(bin.join("examples/bench"));
        command.args(["--kube", "off", "--node-name", "a", "--cgroup-root"]).arg(cgroup_root);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        for name in FOREIGN {
            command.env_remove(name);
        }
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().with_context(|| format!("start `{}`", sh::shown(&command)))?;
        let commands = child.stdin.take();
        let stdout = child.stdout.take().context("the instrument has no output")?;
        let mut this = Self { child, commands, answers: BufReader::new(stdout).lines() };
        this.answer().context("start the instrument")?;
        Ok(this)
    }

    fn answer(&mut self) -> Result<Value> {
        let Some(line) = self.answers.next() else { bail!("the instrument ended") };
        let value: Value = serde_json::from_str(&line?).context("the instrument's answer")?;
        match value.get("error") {
            Some(error) => bail!("the instrument says: {}", error.as_str().unwrap_or_default()),
            None => Ok(value),
        }
    }

    /// Gives a command and waits for the answer.
    pub(super) fn ask(&mut self, command: &str) -> Result<Value> {
        let commands = self.commands.as_mut().context("the instrument takes no commands any more")?;
        writeln!(commands, "{command}").with_context(|| format!("tell the instrument to {command}"))?;
        self.answer().with_context(|| format!("tell the instrument to {command}"))
    }

    /// Requests that the programs have timed so far.
    pub(super) fn counted(&mut self) -> Result<Counted> {
        let answer = self.ask("observed")?;
        Counted::of(&answer).context("the instrument tells no timed requests")
    }

    /// Statistics of all programs.
    pub(super) fn runs(&mut self) -> Result<Runs> {
        let answer = self.ask("runs")?;
        let pair = |row: &Value| (row["run_ns"].as_f64().unwrap_or(0.0), row["run_count"].as_f64().unwrap_or(0.0));
        let rows = answer["programs"].as_array().context("the instrument tells no programs")?;
        let programs = rows.iter().map(|row| (row["name"].as_str().unwrap_or_default().to_owned(), pair(row)));
        Ok(Runs { programs: programs.collect(), empty: pair(&answer["empty"]) })
    }
}

impl Drop for Instrument {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.child.wait();
    }
}
