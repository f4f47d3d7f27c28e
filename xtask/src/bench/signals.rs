//! The cost of response times, against none, and of every signal together.

use super::{
    Context, cost, effect,
    instrument::Instrument,
    load::{Kind, Load},
    plan::Plan,
    rows::{Told, cost_row, effect_row},
    statistics::Spread,
    table::Row,
    verdict::Goal,
};
use crate::sh;
use anyhow::{Context as _, Result};
use netwhy_tests::lab::Lab;
use serde_json::{Value, json};
use std::{fs, time::Duration};

/// Signals that are turned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Set {
    /// No response times
    NoResponses,
    /// Response times
    Responses,
    /// Response times and sampled HTTP
    Http,
    /// Every signal, the scheduler probe all the time
    All,
}

/// The most that a keep-alive request may cost with response times, and with HTTP too.
const TIMED: Told = ("≤ 60 ns", Goal::AtMost(60.0));
const READ: Told = ("≤ 100 ns", Goal::AtMost(100.0));

impl Set {
    pub(super) const ALL: [Self; 4] = [Self::NoResponses, Self::Responses, Self::Http, Self::All];

    /// In the JSON.
    const fn name(self) -> &'static str {
        match self {
            Self::NoResponses => "no_responses",
            Self::Responses => "responses",
            Self::Http => "http",
            Self::All => "all",
        }
    }

    /// For people.
    const fn text(self) -> &'static str {
        match self {
            Self::NoResponses => "no response times",
            Self::Responses => "response times",
            Self::Http => "response times and HTTP",
            Self::All => "every signal",
        }
    }

    const fn config(self) -> &'static str {
        match self {
            Self::NoResponses => "signals: {responses: \"off\"}\n",
            Self::Responses => "signals: {responses: \"on\"}\n",
            Self::Http => "signals: {responses: \"on\", http: \"on\"}\n",
            Self::All => "signals: {responses: \"on\", http: \"on\", dns: \"on\", run_queue: \"on\"}\n",
        }
    }

    /// Begin of the names of its own programs. Parts of response times are in others.
    const fn prefix(self) -> &'static str {
        match self {
            Self::NoResponses | Self::Responses | Self::Http => "nw_response",
            Self::All => "nw_",
        }
    }

    /// Goal of the time in kernel programs. `None`: nothing is promised, as while the scheduler probe is attached.
    const fn goal(self, kind: Kind) -> Option<Told> {
        match (self, kind) {
            (Self::NoResponses | Self::Responses, Kind::Keepalive) => Some(TIMED),
            (Self::Http, Kind::Keepalive) => Some(READ),
            _ => None,
        }
    }
}

pub(super) fn run(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let all = lab.cgroups().root().parent().context("the laboratory's cgroup has no parent")?;
    for set in plan.sets.iter().copied() {
        let config = context.logs.join(format!("{}.yaml", set.name()));
        fs::write(&config, set.config()).with_context(|| format!("write {}", config.display()))?;
        let mut instrument = Instrument::start_with(&context.bin, all, Some(&config))?;
        for kind in plan.loads.iter().copied().filter(|kind| kind.has_requests()) {
            sh::say(&format!("{} with {}", kind.text(), set.text()));
            let load = Load::start(lab, kind)?;
            effect::wait(Duration::from_millis(500))?;
            effect::settle(&mut instrument, kind)?;
            let measured = Measured::of(&mut instrument, &load, set, plan)?;
            out["signals"][set.name()][kind.name()] = measured.json(set);
            if (set, kind) == (Set::Http, Kind::Keepalive) {
                // Everything about requests is on, and the other signals are as they are by default.
                out["bpf_ns_per_request_all_on"] = json!(measured.cost.per_unit.figure);
            }
            measured.rows(set, kind, rows);
        }
    }
    Ok(())
}

/// Under one load.
struct Measured {
    rate: f64,
    effect: Spread,
    cost: cost::Cost,
}

impl Measured {
    fn of(instrument: &mut Instrument, load: &Load, set: Set, plan: &Plan) -> Result<Self> {
        let kind = load.kind();
        let ratios = effect::throughput(instrument, load, effect::What::Agent, &plan.until(kind))?;
        let (rate, effect) = (load.rate()?, Spread::of(&ratios).context("no windows")?);
        let cost = cost::measure(instrument, load, &plan.cost(set.goal(kind)))?;
        Ok(Self { rate, effect, cost })
    }

    /// Net time in the programs of a set, ns per unit.
    fn own_ns(&self, set: Set) -> f64 {
        let programs = self.cost.programs.as_object().into_iter().flatten();
        let own = programs.filter(|(name, _)| name.starts_with(set.prefix()));
        own.filter_map(|(_, row)| row["net_ns_per_unit"].as_f64()).sum()
    }

    fn json(&self, set: Set) -> Value {
        json!({
            "per_second": self.rate,
            "effect": self.effect.json(),
            "bpf_ns": self.cost.per_unit.json(),
            "own_bpf_ns": self.own_ns(set),
            "timed_share": self.cost.timed,
            "programs": self.cost.programs,
        })
    }

    fn rows(&self, set: Set, kind: Kind, rows: &mut Vec<Row>) {
        let own = format!(" with {}, {:.1} ns of it", set.text(), self.own_ns(set));
        rows.push(cost_row(kind, &own, &self.cost, set.goal(kind)));
        let mut row = effect_row(kind, self.rate, self.effect);
        row.what = format!("{}, with {}", row.what, set.text());
        rows.push(row);
    }
}
