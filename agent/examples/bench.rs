//! The agent's kernel side and tick as an instrument for `cargo xtask bench`: put on and taken off while traffic runs.
//!
//! Reads one command per line from standard input and answers each with one line of JSON: `{"error": …}`, or what it
//! was asked for. Ends with its input. All flags of `netwhy-agent` are understood.
//!
//! | command | does |
//! |---|---|
//! | `attach`, `detach` | the kernel programs |
//! | `tick` | what the agent does once per tick: read the kernel's maps, walk the sockets, join, judge |
//! | `node` | reads the Node's own signals many times; CPU time of one |
//! | `stats on`, `stats off` | the kernel's run statistics |
//! | `empty on`, `empty on switches`, `empty off` | an empty program on received segments, or on context switches, to learn what the statistics themselves cost |
//! | `calls on`, `calls off` | the same program on the two tracepoints that counting connections takes, to learn what calling one costs |
//! | `runs` | time and runs of every program since it was loaded, while statistics were on |
//! | `switch` | attaches and detaches the program on received segments many times; CPU time of one |
//! | `rtt` | how received segments are looked at |
//! | `sockets` | how sockets that come and go are looked at |
//! | `observed` | by edge: sum of the weights of the requests that were timed, and of their squares |
//! | `facts` | status of the probes, and upper bounds of kernel memory by number of CPUs |

#[path = "bench/empty.rs"]
mod empty;

use anyhow::{Context as _, bail};
use empty::{ANYTIME, CONNECTIONS, Empty, SEGMENTS};
use netwhy_abi::ResponseTimes;
use netwhy_agent::{
    app::{self, Failure, Source},
    config::{Config, cli},
    kernel,
    node::HostReader,
    pipeline::Pipeline,
    sample::SampleSource as _,
};
use rustix::time::ClockId;
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, Write as _},
    os::fd::OwnedFd,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// Numbers of CPUs that kernel memory is stated for.
const CPUS: [usize; 3] = [2, 16, 128];
/// Readings of the Node's signals, a second apart as far as they know.
const NODE_READS: u64 = 300;
/// Times that a program is attached and detached.
const SWITCHES: u32 = 100;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit, error }) => {
            eprintln!("error: {error:#}");
            exit.into()
        }
    }
}

fn run() -> Result<(), Failure> {
    let cli = cli::parse_from_env();
    let (config, _) = app::configuration(&cli)?;
    let (source, peers) = app::open(&cli, &config)?;
    let mut pipeline = Pipeline::new(&app::node_name(&config), &config);
    pipeline.set_peers(Arc::new(peers));
    let host = HostReader::new(app::host_paths(&cli), Some(kernel::ethtool_calls()));
    let mut instrument = Instrument { source, pipeline, config, host, statistics: None, empty: Empty::load()? };
    answer(&json!({ "ready": true }))?;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("read a command")?;
        let answered = instrument.obey(&line).unwrap_or_else(|error| json!({ "error": format!("{error:#}") }));
        answer(&answered)?;
    }
    Ok(())
}

/// CPU time of this thread so far, s.
fn cpu() -> f64 {
    cpu_of(ClockId::ThreadCPUTime)
}

fn cpu_of(clock: ClockId) -> f64 {
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn answer(value: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}").and_then(|()| out.flush()).context("answer")
}

/// Everything that commands work on.
struct Instrument {
    source: Source,
    pipeline: Pipeline,
    config: Config,
    host: HostReader,
    statistics: Option<OwnedFd>,
    empty: Empty,
}

impl Instrument {
    fn obey(&mut self, command: &str) -> anyhow::Result<Value> {
        let began = Instant::now();
        match command {
            "attach" => self.source.loaded_mut().attach()?,
            "detach" => self.source.loaded_mut().detach(),
            "tick" => {
                if let Some(snapshot) = self.source.sample()? {
                    self.pipeline.take(&snapshot);
                }
            }
            "node" => return Ok(self.node()),
            "stats on" => self.statistics = Some(self.source.loaded().measure()?),
            "stats off" => self.statistics = None,
            "empty on" => self.empty.attach(SEGMENTS)?,
            "empty on switches" => self.empty.attach(ANYTIME)?,
            "calls on" => self.empty.attach(CONNECTIONS)?,
            "empty off" | "calls off" => self.empty.detach(),
            "runs" => return self.runs(),
            "switch" => return self.switch(),
            "sockets" => return Ok(serde_json::to_value(self.source.loaded().handshake_stats())?),
            "rtt" => return Ok(serde_json::to_value(self.source.loaded().rtt_stats())?),
            "observed" => return self.observed(),
            "facts" => return Ok(self.facts()),
            other => bail!("no command is named {other:?}"),
        }
        Ok(json!({ "seconds": began.elapsed().as_secs_f64() }))
    }

    /// Cost of attaching and detaching the RTT probe, as for a duty period. Ask for it while all is detached.
    fn switch(&self) -> anyhow::Result<Value> {
        let begun = cpu();
        for _ in 0..SWITCHES {
            self.source.loaded().switch_rtt().context("the RTT probe is not loaded")??;
        }
        Ok(json!({ "seconds": (cpu() - begun) / f64::from(SWITCHES) }))
    }

    /// As often as in some minutes, so that what is read less often has its part.
    fn node(&mut self) -> Value {
        // The reads run on threads of their own.
        let begun = cpu_of(ClockId::ProcessCPUTime);
        for second in 1..=NODE_READS {
            self.host.read(Duration::from_secs(second));
        }
        json!({ "seconds": (cpu_of(ClockId::ProcessCPUTime) - begun) / NODE_READS as f64 })
    }

    fn runs(&self) -> anyhow::Result<Value> {
        let (run_ns, run_count) = self.empty.runs()?;
        Ok(json!({
            "programs": self.source.program_runs(),
            "empty": { "run_ns": run_ns, "run_count": run_count },
        }))
    }

    fn observed(&self) -> anyhow::Result<Value> {
        let rows = self.source.loaded().rows::<ResponseTimes>().context("read the response times")?;
        let edges = rows.into_iter().map(|(key, row)| {
            let counted: u64 = row.durations.buckets.iter().map(|n| u64::from(*n)).sum();
            (format!("{key:?}"), json!([counted, row.squares]))
        });
        Ok(json!({ "edges": edges.collect::<serde_json::Map<String, Value>>() }))
    }

    fn facts(&self) -> Value {
        let limits = self.config.limits.maps();
        let bound = |cpus: usize| (cpus.to_string(), json!(netwhy_abi::memory::upper_bound(limits, cpus)));
        let bounds: serde_json::Map<String, Value> = CPUS.into_iter().map(bound).collect();
        json!({ "probes": self.source.loaded().probes, "kernel_memory_upper_bound_bytes": bounds })
    }
}
