//! Public methods of root cause analysis on the metrics of the same cases, and simple ones on the same rows, scored as
//! we are.
//!
//! ```text
//! agents ─► scraper (Prometheus, each second) ─► table (CSV per case) ─► rank.py (fse-baro, RCAEval) ─┐
//!    └────► simple (007-style voting, robust z) ────────────────────────────────────────► answers ◄────┘
//! ```
//! All cases are ranked by one process after the last case.

mod answers;
mod scraper;
mod simple;
mod table;

pub(super) use answers::{Row, json, text};
pub(super) use scraper::{Scraper, Targets};

use super::{
    culprit::Names,
    export::folder,
    hear::Heard,
    merged::peer_rows,
    plan::Plan,
    score::{Case, Given},
};
use crate::{Unavailable, pypi, sh};
use anyhow::{Context as _, Result};
use netwhy_tests::prometheus;
use serde_json::{Value, json as value};
use simple::Simple;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// From PyPI. RCAEval declares what it needs only in extras for its whole benchmark: this is what importing
/// `RCAEval.e2e` and its methods here take.
const PACKAGES: [&str; 9] = [
    "fse-baro==0.2.2",
    "RCAEval==1.8.1",
    "causal-learn==0.1.4.8",
    "networkx==3.6.1",
    "numpy==2.4.6",
    "pandas==3.1.1",
    "scikit-learn==1.9.1",
    "scipy==1.17.1",
    "statsmodels==0.14.6",
];
const SCRIPT: &str = include_str!("rivals/rank.py");
/// Seconds before the onset in the table: agents scrape from their start on, a little longer.
const BEFORE: i64 = 20;
/// Seconds from the onset on.
const AFTER: i64 = 30;

/// What rivals need.
pub(super) struct Tools {
    /// The program `prometheus`.
    server: PathBuf,
    /// Python with the packages.
    python: PathBuf,
    /// Where tables go.
    dir: PathBuf,
}

impl Tools {
    /// Finds Prometheus, and installs the packages if they are not there.
    pub(super) fn ensure(workspace: &Path) -> Result<Self> {
        let missing = || Unavailable::error("rivals need Prometheus: put prometheus and promtool in PATH".to_owned());
        let server = prometheus::installed().ok_or_else(missing)?.server;
        let target = sh::target_dir(workspace);
        let environment = target.join("xtask/rivals");
        let (python, list) = (environment.join("bin/python"), environment.join("packages.txt"));
        let wanted = PACKAGES.join("\n");
        if !fs::read_to_string(&list).is_ok_and(|there| there == wanted) {
            pypi::install(&PACKAGES, &environment)
                .map_err(|error| Unavailable::error(format!("no rivals: repair `pip install fse-baro`: {error:#}")))?;
            fs::write(&list, wanted).with_context(|| format!("write {}", list.display()))?;
        }
        let dir = std::path::absolute(target.join("laboratory/rivals"))?;
        fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        Ok(Self { server, python: std::path::absolute(python)?, dir })
    }

    /// Starts to scrape the agents of a case.
    pub(super) fn watch(&self, plan: &Plan, bin: &Path, targets: Targets) -> Result<Scraper> {
        Scraper::start(&self.server, bin, self.dir.join(folder(plan)), targets)
    }

    /// Writes the table of a case that is over, and asks the simple rivals.
    pub(super) fn give(&self, scraper: &Scraper, case: &Case, heard: &[Heard], names: &Names) -> Result<Given> {
        let first = heard.first().context("the agents were not asked")?;
        let onset = first.now_ms as f64 / 1e3 - first.seconds;
        let (begin, end) = (onset.floor() as i64 - BEFORE, onset.floor() as i64 + AFTER);
        // Growth in a second needs the one before.
        let series = scraper.series(&(begin - 1..=end))?;
        let file = self.dir.join(format!("{}.csv", folder(&case.plan)));
        fs::write(&file, table::csv(&series, begin..=end)).with_context(|| format!("write {}", file.display()))?;
        let asked = heard.iter().rev().find(|moment| moment.seconds <= answers::ASKED + 0.5);
        let rows = asked.map(|moment| peer_rows(moment, names)).transpose()?.unwrap_or_default();
        let Simple { voting, robust_z } = Simple::of(&rows, &case.plan);
        Ok(Given { table: file, onset, voting, robust_z })
    }

    /// Ranks all cases; returns our figures and those of all rivals.
    pub(super) fn rows(&self, cases: &[Case]) -> Result<Vec<Row>> {
        let all: Vec<Value> = cases.iter().filter_map(order).collect();
        let (script, orders) = (self.dir.join("rank.py"), self.dir.join("cases.json"));
        fs::write(&script, SCRIPT)
            .and_then(|()| fs::write(&orders, Value::from(all).to_string()))
            .with_context(|| format!("write to {}", self.dir.display()))?;
        sh::say("rivals: ranking the metrics of all cases");
        let mut command = Command::new(&self.python);
        // Matrices are small: more threads only wait for each other.
        command.arg(&script).arg(&orders).envs([("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")]);
        let text = sh::output(&mut command)?;
        sh::keep_log(&sh::workspace()?, "eval-rivals.jsonl", &text)?;
        Ok(answers::rows(cases, &answers::read(&text)?))
    }
}

/// A case as `rank.py` reads it. `None`: it has no table.
fn order(case: &Case) -> Option<Value> {
    let Given { table, onset, .. } = case.rivals.as_ref()?;
    // Our first hint is an onset that somebody with netwhy would have. Afterwards a table needs seconds to compare.
    let told = case.spoken.iter().map(|spoken| spoken.first).fold(f64::INFINITY, f64::min);
    let ours = (told < AFTER as f64 - 1.0).then_some(onset + told);
    Some(value!({ "case": folder(&case.plan), "table": table, "onsets": { "given": onset, "netwhy": ours } }))
}

#[cfg(test)]
mod tests;
