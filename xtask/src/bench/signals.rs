//! The cost of response times, against none, and of every signal together.

use super::{
    Context, Plan, effect,
    instrument::Instrument,
    load::{Kind, Load},
    rows::effect_row,
    statistics::Spread,
    table::Row,
    verdict::Verdict,
};
use crate::sh;
use anyhow::{Context as _, Result};
use netwhy_tests::lab::Lab;
use serde_json::{Value, json};
use std::{fs, time::Duration};

/// Signals that are turned on.
struct Set {
    /// In the JSON.
    name: &'static str,
    /// For people.
    text: &'static str,
    config: &'static str,
    /// Begin of the names of its own programs. Parts of response times are in others.
    prefix: &'static str,
    /// Most net time of a keep-alive request, ns, and the same in words.
    limit: (f64, &'static str),
}

const SETS: [Set; 4] = [
    Set {
        name: "no_responses",
        text: "no response times",
        config: "signals: {responses: \"off\"}\n",
        prefix: "nw_response",
        limit: (60.0, "≤ 60 ns"),
    },
    Set {
        name: "responses",
        text: "response times",
        config: "signals: {responses: \"on\"}\n",
        prefix: "nw_response",
        limit: (60.0, "≤ 60 ns"),
    },
    Set {
        name: "http",
        text: "response times and HTTP",
        config: "signals: {responses: \"on\", http: \"on\"}\n",
        prefix: "nw_response",
        limit: (100.0, "≤ 100 ns"),
    },
    Set {
        name: "all",
        text: "every signal",
        config: "signals: {responses: \"on\", dns: \"on\", run_queue: \"on\"}\n",
        prefix: "nw_",
        limit: (60.0, "≤ 60 ns"),
    },
];

pub(super) fn run(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let all = lab.cgroups().root().parent().context("the laboratory's cgroup has no parent")?;
    for set in &SETS {
        let config = context.logs.join(format!("{}.yaml", set.name));
        fs::write(&config, set.config).with_context(|| format!("write {}", config.display()))?;
        let mut instrument = Instrument::start_with(&context.bin, all, Some(&config))?;
        for kind in [Kind::Keepalive, Kind::Churn] {
            sh::say(&format!("{} with {}", kind.text(), set.text));
            let load = Load::start(lab, kind)?;
            effect::wait(Duration::from_millis(500))?;
            effect::settle(&mut instrument)?;
            let measured = Measured::of(&mut instrument, &load, kind, plan)?;
            out["signals"][set.name][kind.name()] = measured.json(set);
            measured.rows(set, kind, rows);
        }
    }
    Ok(())
}

/// Under one load.
struct Measured {
    rate: f64,
    effect: Spread,
    cost: effect::Cost,
}

impl Measured {
    fn of(instrument: &mut Instrument, load: &Load, kind: Kind, plan: &Plan) -> Result<Self> {
        let ratios = effect::throughput(instrument, load, effect::What::Agent, &plan.until(kind))?;
        let (rate, effect) = (load.rate()?, Spread::of(&ratios).context("no windows")?);
        let cost = effect::kernel_time(instrument, load, kind, plan.kernel_time)?;
        Ok(Self { rate, effect, cost })
    }

    /// Net time in the programs of a set, ns per unit.
    fn own_ns(&self, set: &Set) -> f64 {
        let programs = self.cost.programs.as_object().into_iter().flatten();
        let own = programs.filter(|(name, _)| name.starts_with(set.prefix));
        own.filter_map(|(_, row)| row["net_ns_per_unit"].as_f64()).sum()
    }

    fn json(&self, set: &Set) -> Value {
        json!({
            "per_second": self.rate,
            "effect": self.effect.json(),
            "bpf_ns": self.cost.per_unit.json(),
            "own_bpf_ns": self.own_ns(set),
            "programs": self.cost.programs,
        })
    }

    fn rows(&self, set: &Set, kind: Kind, rows: &mut Vec<Row>) {
        let Spread { median, low, high, n } = self.cost.per_unit;
        let promised = kind == Kind::Keepalive;
        rows.push(Row {
            what: format!("kernel programs per {} with {} ({:.1} ns of it)", kind.one(), set.text, self.own_ns(set)),
            value: format!("{median:.1} ns"),
            spread: format!("{low:.1} … {high:.1}  n={n}"),
            target: if promised { set.limit.1 } else { "" },
            verdict: promised.then(|| Verdict::at_most(set.limit.0, &self.cost.per_unit)),
        });
        let mut row = effect_row(kind, self.rate, self.effect);
        row.what = format!("{}, with {}", row.what, set.text);
        rows.push(row);
    }
}
