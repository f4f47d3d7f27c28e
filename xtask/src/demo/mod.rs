//! `cargo xtask demo`: shows on this machine how the agent finds a fault.
//!
//! It builds the agent and opens a small shop on three Nodes, which are network namespaces. The agent observes it. Then
//! the demo injects one fault and waits for the hint that names it.

pub(crate) mod agent;
pub(crate) mod http;
mod picture;
mod result;
mod screen;
mod table;

use crate::{
    Unavailable, apt, sh,
    toolchain::{self, Toolchain},
};
use agent::Agent;
use anyhow::{Context as _, Result, bail};
use netwhy_tests::{
    lab::{Expectation, Fault, FaultKind, Injected, Shop, missing_tools},
    stop,
};
use result::Found;
use screen::Screen;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Interval between requests for hints.
const POLL: Duration = Duration::from_millis(250);
/// Interval between redraws of the table.
const REDRAW: Duration = Duration::from_secs(1);
/// How long the agent may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// How long the first build takes on two cores.
const USUAL: &str = "3 min";
/// Where cargo puts the programs. The default profile, because it shares its dependencies with `cargo xtask` itself.
const PROFILE_DIR: &str = "debug";
/// Oldest kernel that is worth trying.
const OLDEST_KERNEL: (u32, u32) = (5, 10);

/// Build, watch real traffic, break one thing, and see it named
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Watch the healthy shop this long before breaking something
    #[arg(long, default_value_t = 12, value_name = "N")]
    seconds: u64,
    /// Fault to inject: loss, delay, cpu-throttle, slow-reader, accept-queue-full, peer-unreachable, refused, slow-app,
    /// dns or none; with a magnitude if wanted, such as `loss=0.5`, `delay=50`, `cpu-throttle=3`, `loss=2:per-packet`
    #[arg(long, default_value = "loss", value_name = "NAME")]
    fault: Fault,
    /// Wait this long for the hint
    #[arg(long, default_value_t = 45, value_name = "N")]
    wait: u64,
    /// Leave everything running at the end until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Print the outcome as JSON, and no tables
    #[arg(long)]
    json: bool,
    /// Write the outcome as an SVG picture too
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// The demo's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The expected hint came; or, without a fault, none.
    Named,
    /// It didn't.
    Missed,
    /// Ctrl-C.
    Interrupted,
}

/// Runs the demo.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    check_machine()?;
    let workspace = sh::workspace()?;
    toolchain::ensure_beside(&workspace, |toolchain| build(&workspace, toolchain))?;
    let target = sh::target_dir(&workspace);
    let logs = target.join("demo");
    fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;

    stop::install().context("handle Ctrl-C")?;
    sh::say("making three nodes (network namespaces) with ten pods (cgroups) and real traffic between them");
    let bin = target.join(PROFILE_DIR);
    let shop = Shop::open(&bin.join("netwhy-traffic"), Some("cubic"))?;
    sh::say("starting the agent");
    let agent = Agent::start(&bin, shop.lab(), logs.join("agent.log"))?;
    agent.wait_ready(READY)?;
    // From here on everything is cleaned up by being dropped: the agent first, then the shop.
    let mut demo = Demo { agent, shop, screen: Screen::new(args.json), drawn: None, logs };
    demo.play(args)
}

/// Builds the agent and the traffic programs, and nothing that the demo doesn't run.
fn build(workspace: &Path, toolchain: &Toolchain) -> Result<()> {
    let mut build = toolchain.cargo(workspace);
    build.args(["build", "--package", "netwhy-agent", "--package", "netwhy-tests"]);
    build.args(["--bin", "netwhy-agent", "--bin", "netwhy-traffic"]);
    build.args(["--no-default-features", "--features", "netwhy-agent/ebpf"]);
    sh::compile("compiling the agent and its kernel programs", USUAL, &mut build)
}

/// Names what this machine lacks.
pub(crate) fn check_machine() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(Unavailable::error(
            "this makes network namespaces and cgroups and loads BPF programs: run it as root, for example \
             `sudo -E env PATH=\"$PATH\" cargo xtask demo`"
                .to_owned(),
        ));
    }
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST_KERNEL {
        let (major, minor) = OLDEST_KERNEL;
        return Err(Unavailable::error(format!(
            "kernel {release} is too old: the agent needs {major}.{minor} or newer"
        )));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err(Unavailable::error(format!(
            "kernel {release} has no BTF (/sys/kernel/btf/vmlinux): the agent needs a kernel with CONFIG_DEBUG_INFO_BTF"
        )));
    }
    if !missing_tools().is_empty() {
        // The laboratory itself says what is missing if this doesn't help.
        let _ = apt::install("iproute2 and nftables", &["iproute2", "nftables"]);
    }
    Ok(())
}

/// The running shop and agent.
struct Demo {
    // Dropped in this order.
    agent: Agent,
    shop: Shop,
    screen: Screen,
    /// When the table was last drawn.
    drawn: Option<Instant>,
    logs: PathBuf,
}

/// A fault from its injection to its hint.
struct Played<'a> {
    injected: &'a Injected,
    expectation: &'a Expectation,
    /// Hints that fired before it.
    before: Vec<Value>,
    found: Found,
}

impl Demo {
    fn play(&mut self, args: &Args) -> Result<Outcome> {
        let expectation = args.fault.expectation(&self.shop)?;
        sh::say(&format!("healthy traffic for {} s", args.seconds));
        let end = Instant::now() + Duration::from_secs(args.seconds);
        while Instant::now() < end {
            if stop::sleep(POLL) {
                return Ok(Outcome::Interrupted);
            }
            self.draw()?;
        }
        self.screen.leave();
        let before = self.hints()?;

        let broken_at = Instant::now();
        let injected = args.fault.inject(&mut self.shop)?;
        self.announce(&injected, &expectation);
        let Some(found) = self.wait_for_hint(&expectation, broken_at, Duration::from_secs(args.wait))? else {
            return Ok(Outcome::Interrupted);
        };
        self.screen.leave();
        let outcome =
            self.print_outcome(args, &Played { injected: &injected, expectation: &expectation, before, found })?;
        if args.keep {
            self.keep()?;
        }
        Ok(outcome)
    }

    /// Draws the table, at most once per second.
    fn draw(&mut self) -> Result<()> {
        self.agent.check()?;
        let ended = self.shop.ended();
        if !ended.is_empty() {
            bail!("traffic ended unexpectedly in {}", ended.join(", "));
        }
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        let pods = self.agent.get_json("/api/v1/pods")?;
        let names: Vec<&str> = self.shop.pods().keys().map(String::as_str).collect();
        self.screen.draw(&table::table(&pods, &names));
        Ok(())
    }

    fn hints(&self) -> Result<Vec<Value>> {
        let hints = self.agent.get_json("/api/v1/hints?state=firing")?;
        let firing = |hint: &&Value| hint["state"] == "firing";
        Ok(table::rows(&hints, "hints").iter().filter(firing).cloned().collect())
    }

    fn announce(&self, injected: &Injected, expectation: &Expectation) {
        let bold = |text: &str| self.screen.bold(text);
        sh::say(&format!("\n{} {}", bold("broken:"), injected.fault));
        for command in &injected.commands {
            sh::say(&format!("  # {command}"));
        }
        let causes = expectation.causes();
        let expected = if causes.is_empty() { "no hint".to_owned() } else { format!("a hint with cause {causes}") };
        sh::say(&format!("  expected: {expected}\n"));
    }

    /// Polls until the expected hint fires or time is up. `None`: interrupted.
    fn wait_for_hint(&mut self, wanted: &Expectation, broken_at: Instant, wait: Duration) -> Result<Option<Found>> {
        let mut others: Vec<Value> = Vec::new();
        while broken_at.elapsed() < wait {
            for hint in self.hints()? {
                let text = |pointer: &str| hint.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
                if wanted.matches(&text("/cause"), &text("/subject/kind"), &text("/subject/name")) {
                    let seconds = broken_at.elapsed().as_secs_f64();
                    return Ok(Some(Found { hint: Some(hint), seconds, others }));
                }
                others.retain(|other| other["id"] != hint["id"]);
                others.push(hint);
            }
            self.draw()?;
            if stop::sleep(POLL) {
                return Ok(None);
            }
        }
        Ok(Some(Found { hint: None, seconds: broken_at.elapsed().as_secs_f64(), others }))
    }

    /// Prints the outcome.
    fn print_outcome(&self, args: &Args, played: &Played<'_>) -> Result<Outcome> {
        let Played { injected, expectation, before, found } = played;
        let control = injected.fault.kind == FaultKind::None;
        let named = if control { found.others.is_empty() } else { found.hint.is_some() };
        let metrics = self.agent.get("/metrics")?;
        let metrics = result::metric_lines(&metrics, injected.fault.kind, found.subject());
        let causes: Vec<_> = expectation.hints.iter().map(|(cause, _)| cause).collect();
        let outcome = json!({
            "fault": injected.fault.kind.name(),
            "magnitude": injected.fault.magnitude,
            "description": injected.fault.to_string(),
            "commands": injected.commands,
            "expected": { "causes": causes, "blame": expectation.blame },
            "named": named,
            "seconds_to_hint": found.hint.as_ref().map(|_| found.seconds),
            "hint": found.hint,
            "other_hints": found.others,
            "hints_before": before,
            "metrics": metrics,
        });
        let pretty = serde_json::to_string_pretty(&outcome)?;
        let file = self.logs.join("result.json");
        fs::write(&file, format!("{pretty}\n")).with_context(|| format!("write {}", file.display()))?;
        if args.json {
            println!("{pretty}");
        } else {
            print!("{}", result::text(&self.screen, found, before, &metrics, control));
        }
        if let Some(file) = &args.picture {
            let screen = Screen::coloured();
            let outcome = result::text(&screen, found, before, &[], control);
            let broken = screen.bold("broken:");
            picture::save(file, &format!("$ cargo xtask demo\n\n{broken} {}\n{outcome}", injected.fault))?;
        }
        Ok(if named { Outcome::Named } else { Outcome::Missed })
    }

    /// Leaves everything running until Ctrl-C.
    fn keep(&mut self) -> Result<()> {
        let url = self.agent.url();
        sh::say("\neverything still runs. Look around:");
        for line in [
            format!("curl -s {url}/metrics"),
            format!("curl -s {url}/api/v1/hints"),
            format!("curl -s {url}/api/v1/pods"),
            format!("ip netns exec {} ss -tin", self.shop.lab().node("a")?.netns),
            format!("ip netns exec {} nft list ruleset", self.shop.victim()?.netns),
            format!("tail -f {}", self.logs.join("agent.log").display()),
        ] {
            sh::say(&format!("  {line}"));
        }
        sh::say("Ctrl-C cleans everything up.");
        while !stop::sleep(REDRAW) {
            self.agent.check()?;
        }
        Ok(())
    }
}
