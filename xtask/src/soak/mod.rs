//! `cargo xtask soak`: one real agent under everything that changes at once, and whether it grows.
//!
//! ```text
//! API server ── Pods and Nodes come and go, requests fail in turns ──▶ agent ◀── scrapes, slow and silent clients
//! cgroups, sockets ── come and go, with real traffic ──▶ kernel ──────▶   ▲
//! configuration ── replaced every 5 s, sometimes by a bad one ────────────┤
//! disk ◀── the flight recorder's ring, within its bound ──────────────────┘
//! ```
//! Everything runs in network namespaces and cgroups of its own, which go with it, also after Ctrl-C.

mod api;
mod charge;
mod churn;
mod clients;
mod judge;
mod measure;
mod report;
mod ring;
mod slope;
mod world;

use crate::{
    demo::{
        agent::{Agent, Settings},
        check_machine,
    },
    progress::Step,
    sh, test,
    toolchain::{self, Toolchain},
};
use anyhow::{Context as _, Result, bail, ensure};
use churn::Churn;
use clients::Requests;
use netwhy_tests::{
    faulty::FaultyServer,
    lab::{Lab, Pod, Program},
    stop,
};
use ring::Ring;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    ffi::OsString,
    fs::{self, File},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// How long the agent and each program may take to start.
const READY: Duration = Duration::from_secs(60);
/// Rows of the table, at most.
const ROWS: usize = 30;
/// Shortest time between two samples.
const SHORTEST: Duration = Duration::from_secs(2);
/// Samples of a long run.
const SAMPLES: u32 = 120;
/// Time after the start that is not judged. Rows of what is gone are given back after 30 s.
const WARM_UP: Duration = Duration::from_secs(60);

/// Run an agent under churn and faults, and fail if it grows
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Time that is judged, after a warm-up of one minute
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// A build with optimisations
    #[arg(long, conflicts_with = "programs")]
    release: bool,
    /// Take netwhy-agent and netwhy-traffic from this folder instead of building them
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Write all samples, growth and parts of the cgroup's memory to this file; else a run that fails leaves them below
    /// target/soak
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Args {
    /// As every change must pass it: what grows fast shows within a minute.
    pub(crate) const fn minute() -> Self {
        Self { minutes: 1.0, release: false, programs: None, json: None }
    }
}

/// Runs it. An error when the agent ends, grows, or was not under load.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.minutes >= 1.0, "--minutes {}: a run of less than a minute shows nothing", args.minutes);
    check_machine()?;
    let workspace = sh::workspace()?;
    let target = sh::target_dir(&workspace);
    let bin = match &args.programs {
        Some(folder) => folder.clone(),
        None => {
            toolchain::ensure_beside(&workspace, |toolchain| build(&workspace, toolchain, args.release))?;
            target.join(if args.release { "release" } else { "debug" })
        }
    };
    // Several may run at the same time.
    let folder = target.join("soak").join(std::process::id().to_string());
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    stop::install().context("handle Ctrl-C")?;
    let length = Duration::from_secs_f64(args.minutes * 60.0);
    let json = args.json.clone().unwrap_or_else(|| folder.join("soak.json"));
    // A thread of its own: what it enters, it does not leave.
    let soak = thread::spawn(move || {
        let mut soak = Soak::open(&bin, &folder)?;
        let result = soak.play(length, &json);
        soak.close();
        if result.is_ok() {
            fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        result
    });
    soak.join().map_err(|_| anyhow::anyhow!("the soak panicked"))?
}

/// Builds the agent and the traffic programs.
fn build(workspace: &Path, toolchain: &Toolchain, release: bool) -> Result<()> {
    let mut build = toolchain.cargo(workspace);
    build.arg("build").args(["--bin", "netwhy-agent", "--bin", "netwhy-traffic"]);
    if release {
        build.args(["--package", "netwhy-agent", "--package", "netwhy-tests"]);
        build.args(["--release", "--no-default-features", "--features", "netwhy-agent/ebpf"]);
    } else {
        // As the tests are built, so that CI compiles the dependencies once.
        build.args(test::PACKAGES).args(["--example", "fleet"]);
    }
    sh::compile("compiling the agent and its kernel programs", "3 min", &mut build)
}

/// The running agent and its world.
struct Soak {
    // Dropped in this order.
    agent: Agent,
    churn: Option<thread::JoinHandle<Result<()>>>,
    clients: Vec<thread::JoinHandle<()>>,
    requests: Arc<Requests>,
    traffic: Vec<Program>,
    server: FaultyServer,
    ring: Ring,
    cgroup: Pod,
    _lab: Lab,
}

impl Soak {
    fn open(bin: &Path, folder: &Path) -> Result<Self> {
        sh::say("making two nodes (network namespaces), an API server that fails in turns, and an agent");
        let lab = Lab::new(&bin.join("netwhy-traffic"), &["a", "b"])?;
        // From here on this thread and all that it starts are in a namespace without a way out.
        let switch = Path::new("/run/netns").join(lab.net().switch());
        let switch = File::open(&switch).with_context(|| format!("open {}", switch.display()))?;
        move_into_link_name_space(switch.as_fd(), Some(LinkNameSpaceType::Network)).context("enter the namespace")?;

        let begun = Instant::now();
        let (kubeconfig, config) = (folder.join("kubeconfig.yaml"), folder.join("config.yaml"));
        let server = api::start(begun, &kubeconfig)?;
        let ring = Ring::new(folder);
        let fixed = ring.config();
        churn::replace(&config, &churn::config(0, &fixed))?;
        let (traffic, program) = traffic(&lab)?;
        let cgroup = lab.pod("a", "agent")?;
        let root = lab.cgroups().root().to_owned();
        let settings = Settings { node: world::NODE, cgroup_root: &root, config: Some(&config), net_process: None };
        let agent = Agent::start_in_cluster(bin, &settings, &cgroup, &kubeconfig, folder.join("agent.log"))?;
        agent.wait_ready(READY)?;
        let churn = Churn { program, root, config, fixed, begun };
        let churn = thread::spawn(move || churn.run());
        let requests = Arc::new(Requests::default());
        let (address, counted) = (agent.address(), Arc::clone(&requests));
        let clients =
            vec![thread::spawn(move || clients::good(address, &counted)), thread::spawn(move || clients::bad(address))];
        Ok(Self { agent, churn: Some(churn), clients, requests, traffic, server, ring, cgroup, _lab: lab })
    }

    /// Samples for this long and judges. `json`: file of all figures.
    fn play(&mut self, length: Duration, json: &Path) -> Result<()> {
        let interval = SHORTEST.max(length / SAMPLES);
        let all = WARM_UP + length;
        let every = (all.as_secs_f64() / interval.as_secs_f64()).ceil() as usize / ROWS + 1;
        let memory = self.cgroup.memory_v1.clone().unwrap_or_else(|| self.cgroup.cgroup.clone());
        let step = Step::begin("soak", None);
        let begun = Instant::now();
        let mut samples = Vec::new();
        println!("{}", report::HEAD);
        while begun.elapsed() < all {
            let Some(sample) = measure::sample(&self.agent, Some(&memory), begun, interval)? else {
                bail!("interrupted after {:.0} s", begun.elapsed().as_secs_f64());
            };
            step.set_units(begun.elapsed().as_secs().min(all.as_secs()), all.as_secs());
            if samples.len() % every == 0 {
                println!("{}", report::row(&sample));
            }
            samples.push(sample);
            self.ring.check()?;
            self.check_traffic()?;
        }
        step.end(true);
        let load = self.load()?;
        let warm_up = WARM_UP.as_secs_f64();
        let judgement = judge::judge(&samples, warm_up, charge::take_back(&memory));
        let pretty = serde_json::to_string_pretty(&report::json(&samples, &judgement))?;
        fs::write(json, pretty + "\n").with_context(|| format!("write {}", json.display()))?;
        let table = report::figures(&judgement);
        println!("\nAfter a warm-up of {warm_up:.0} s, under {load}:\n\n{table}");
        let leaks = judgement.leaks();
        if !leaks.is_empty() {
            println!("{}", report::parts(&judgement));
        }
        ensure!(leaks.is_empty(), "the agent grows: {}; all figures: {}", leaks.join(", "), json.display());
        Ok(())
    }

    /// An error when a part of the load has ended.
    fn check_traffic(&mut self) -> Result<()> {
        if self.churn.as_ref().is_some_and(thread::JoinHandle::is_finished)
            && let Some(churn) = self.churn.take()
        {
            churn.join().map_err(|_| anyhow::anyhow!("the churn panicked"))??;
            bail!("the churn ended early");
        }
        for program in &mut self.traffic {
            ensure!(program.wait(Duration::ZERO).is_err(), "`{}` ended early", program.spec().shown());
        }
        Ok(())
    }

    /// The load in words; an error when a part of it did not reach the agent.
    fn load(&self) -> Result<String> {
        let info = self.agent.get_json("/api/v1/info")?;
        let reloads = |kind: &str| info["config_reloads"][kind].as_u64().unwrap_or(0);
        let watches = info["watches"].as_array().map(Vec::as_slice).unwrap_or_default();
        let changes: u64 = watches.iter().filter_map(|watch| watch["changes"].as_u64()).sum();
        let errors = watches.iter().filter_map(|watch| watch["errors"].as_object());
        let errors: u64 = errors.flat_map(serde_json::Map::values).filter_map(serde_json::Value::as_u64).sum();
        let (answered, failed) = (self.requests.answered.load(Relaxed), self.requests.failed.load(Relaxed));
        let asked = self.server.asked().len();
        let history = &info["history"];
        if let Some(broken) = history["broken"].as_str() {
            bail!("the flight recorder records nothing: {broken}");
        }
        let [frames, lost] = ["frames", "lost_frames"].map(|name| history[name].as_u64().unwrap_or(0));
        for (part, count) in [
            ("accepted configurations", reloads("ok")),
            ("refused configurations", reloads("failed")),
            ("changed objects", changes),
            ("API failures", errors),
            ("answered requests", answered),
            ("frames of history", frames),
        ] {
            ensure!(count > 0, "no {part}: the agent was not under that load; its log is below target/soak");
        }
        Ok(format!(
            "{changes} changes of objects, {errors} API failures in {asked} requests, {} + {} configurations accepted \
             and refused, {answered} + {failed} requests answered and not, {frames} + {lost} frames of history written and \
             lost, in at most {}",
            reloads("ok"),
            reloads("failed"),
            self.ring.shown()
        ))
    }

    /// Ends all of it.
    fn close(mut self) {
        stop::request();
        let ends = self.clients.drain(..).map(thread::JoinHandle::join).filter(Result::is_err).count();
        if ends > 0 {
            sh::say("a client of the agent panicked");
        }
        if let Some(Err(error)) = self.churn.take().and_then(|churn| churn.join().ok()) {
            sh::say(&format!("the churn failed: {error:#}"));
        }
    }
}

/// Steady connections and short ones; and the program that goes from cgroup to cgroup.
fn traffic(lab: &Lab) -> Result<(Vec<Program>, Program)> {
    let server = lab.start(&lab.pod("b", "server")?, &["server", "--port", "8080"])?;
    server.wait_ready(READY)?;
    let to = format!("{}:8080", lab.node("b")?.ipv4);
    let steady = ["client", "--to", &to, "--connections", "4", "--rate", "50", "--timeout-ms", "5000"];
    let short = ["client", "--to", &to, "--rate", "30", "--close=server", "--timeout-ms", "5000"];
    let mut programs = vec![server];
    for (name, args) in [("steady", &steady[..]), ("short", &short[..])] {
        let program = lab.start(&lab.pod("a", name)?, args)?;
        program.wait_ready(READY)?;
        programs.push(program);
    }
    let home = lab.pod("a", "churn")?;
    let line: Vec<OsString> = vec![
        lab.traffic().into(),
        "churn".into(),
        "--to".into(),
        to.into(),
        "--home".into(),
        PathBuf::from(&home.cgroup).into(),
    ];
    let program = lab.start_command(Some(&lab.node("a")?.netns), Some(&home), &line)?;
    program.wait_ready(READY)?;
    Ok((programs, program))
}
