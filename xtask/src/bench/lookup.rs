//! `kubectl netwhy` against thousands of agents.
//!
//! The agents are synthetic (views made up, HTTP server and JSON the real ones), in one process with a stand-in for the
//! API server that forwards ports and passes requests on over TCP: without TLS, and on the same CPUs as the plugin that
//! is measured.

use super::{Context, statistics::Spread, table::Row, verdict::Goal};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

/// Agents, and of these, some that never answer.
const AGENTS: usize = 5000;
const MUTE: usize = 10;
/// Within this the whole cluster must have been asked, s.
const LIMIT: f64 = 15.0;

/// Synthetic agents; they end when dropped.
struct Fleet {
    child: Child,
    kubeconfig: PathBuf,
}

impl Fleet {
    fn start(context: &Context, more: &[&str]) -> Result<Self> {
        let mut command = Command::new(context.bin.join("examples/fleet"));
        command.args(["--agents", &AGENTS.to_string()]).args(more);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start the synthetic agents")?;
        let mut line = String::new();
        let kubeconfig = context.logs.join("fleet.kubeconfig");
        let read = BufReader::new(child.stdout.take().context("their output")?).read_line(&mut line);
        let fleet = Self { child, kubeconfig };
        read.context("wait for the synthetic agents")?;
        let ready: Value =
            serde_json::from_str(&line).context("the synthetic agents didn't start: is `ulimit -n` 12000?")?;
        let url = ready["url"].as_str().context("no URL")?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "fleet",
            "clusters": [{"name": "fleet", "cluster": {"server": url}}],
            "users": [{"name": "fleet", "user": {}}],
            "contexts": [{"name": "fleet", "context": {"cluster": "fleet", "user": "fleet", "namespace": "shop"}}]
        });
        fs::write(&fleet.kubeconfig, config.to_string()).context("write a kubeconfig")?;
        Ok(fleet)
    }

    /// Runs the plugin; returns its time in seconds, its JSON, and the lines on its stderr.
    fn ask(&self, plugin: &Path, args: &[&str]) -> Result<(f64, Value, usize)> {
        let mut command = Command::new(plugin);
        command.args(args).args(["-o", "json", "--kubeconfig"]).arg(&self.kubeconfig).stdin(Stdio::null());
        let began = Instant::now();
        let output = command.output().context("start kubectl-netwhy")?;
        let seconds = began.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl-netwhy {}: {said}", args.join(" "));
        let warnings = said.lines().filter(|line| line.starts_with("warning: ")).count();
        Ok((seconds, serde_json::from_slice(&output.stdout)?, warnings))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.kubeconfig);
    }
}

/// Asks all agents for everything that the plugin asks of all.
pub(super) fn run(context: &Context, runs: usize, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let plugin = context.bin.join("kubectl-netwhy");
    let fleet = Fleet::start(context, &[])?;
    out["lookup_agents"] = json!(AGENTS);
    for (key, args) in [
        ("hints", &["hints", "-A"][..]),
        ("nodes", &["nodes"]),
        ("matrix", &["matrix"]),
        ("why", &["why", "pod/app-00007-0"]),
    ] {
        let mut seconds = Vec::new();
        for _ in 0..runs {
            let (took, answer, _) = fleet.ask(&plugin, args)?;
            check(key, &answer)?;
            seconds.push(took);
        }
        put(key, &format!("`{}` of {AGENTS} agents", args.join(" ")), &seconds, rows, out)?;
    }
    drop(fleet);
    let fleet = Fleet::start(context, &["--proxy"])?;
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let (took, answer, _) = fleet.ask(&plugin, &["hints", "-A"])?;
        check("hints", &answer)?;
        seconds.push(took);
    }
    put("hints_proxy", &format!("`hints -A` of {AGENTS} agents by the Pod proxy"), &seconds, rows, out)?;
    drop(fleet);
    let fleet = Fleet::start(context, &["--mute", &MUTE.to_string()])?;
    let mut seconds = Vec::new();
    for _ in 0..runs {
        let (took, answer, warnings) = fleet.ask(&plugin, &["hints", "-A"])?;
        let missing = answer["not_answered"].as_array().map_or(0, Vec::len);
        ensure!(
            (missing, warnings) == (MUTE, MUTE),
            "{MUTE} agents are mute, {missing} were missed, {warnings} told of"
        );
        seconds.push(took);
    }
    put("hints_partial", &format!("the same when {MUTE} of them never answer"), &seconds, rows, out)
}

/// The answer is whole.
fn check(key: &str, answer: &Value) -> Result<()> {
    let count = |name: &str| answer[name].as_array().map_or(0, Vec::len);
    match key {
        "hints" => ensure!(count("items") == AGENTS, "{} hints of {AGENTS}", count("items")),
        "nodes" => {
            ensure!(count("items") == AGENTS, "{} Nodes of {AGENTS}", count("items"));
            // Every 500th is lossy, as the others see it.
            let first = &answer["items"][0];
            let lossy = first["node"].as_str().is_some_and(|name| name.ends_with("000") || name.ends_with("500"));
            ensure!(lossy, "the first Node isn't a lossy one: {first}");
        }
        "matrix" => ensure!(count("nodes") == AGENTS, "{} Nodes of {AGENTS}", count("nodes")),
        "why" => ensure!(answer["verdict"]["cause"] == "path_loss", "{}", answer["verdict"]),
        other => bail!("{other} is not known"),
    }
    Ok(())
}

fn put(key: &str, what: &str, seconds: &[f64], rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let spread = Spread::of(seconds).context("no runs")?;
    out["lookup_seconds"][key] = json!(spread.figure);
    rows.push(Row {
        what: what.to_owned(),
        value: format!("{:.2} s", spread.figure),
        spread: format!("{:.2} … {:.2}  n={}", spread.low, spread.high, spread.n),
        target: "≤ 15 s",
        verdict: Some(Goal::AtMost(LIMIT).verdict(&spread)),
    });
    Ok(())
}
