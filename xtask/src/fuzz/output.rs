//! libFuzzer's output, and the table of the results.

#[cfg(test)]
mod tests;

use std::{fmt::Write as _, time::Duration};

/// The result of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stats {
    /// Inputs that were run.
    pub(super) executions: u64,
    /// Edges of the code that some input reached.
    pub(super) edges: u64,
    /// Inputs of the corpus, seeds included.
    pub(super) corpus: u64,
    /// Files of inputs that broke a rule.
    pub(super) crashes: Vec<String>,
    /// Wall time.
    pub(super) took: Duration,
}

impl Stats {
    /// Takes in a line of the output.
    pub(super) fn read(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = number.trim().parse().unwrap_or(self.executions);
        } else if let Some((_, file)) = line.split_once("Test unit written to ") {
            self.crashes.push(file.trim().to_owned());
        } else if let Some(rest) = line.strip_prefix('#') {
            // `#4096	pulse  cov: 205 ft: 912 corp: 31/120b lim: 74 exec/s: 2048 rss: 40Mb`
            let mut words = rest.split_whitespace();
            let Some(executions) = words.next().and_then(|word| word.parse().ok()) else { return };
            self.executions = self.executions.max(executions);
            while let Some(word) = words.next() {
                let value = |text: Option<&str>| text?.split('/').next()?.parse().ok();
                match word {
                    "cov:" => self.edges = value(words.next()).unwrap_or(self.edges),
                    "corp:" => self.corpus = value(words.next()).unwrap_or(self.corpus),
                    _ => {}
                }
            }
        }
    }
}

/// True for lines that tell how far it is.
pub(super) fn is_progress(line: &str) -> bool {
    line.starts_with('#') || line.starts_with("stat::") || line.starts_with("\tNEW_") || line.trim().is_empty()
}

/// One line a target, in Markdown.
pub(super) fn table(results: &[(String, Stats)]) -> String {
    let mut out = String::from("| target | minutes | executions | per second | edges reached | corpus | crashes |\n");
    out.push_str("|---|---|---|---|---|---|---|\n");
    let mut all = Stats::default();
    for (target, stats) in results {
        row(&mut out, target, stats);
        all.executions += stats.executions;
        all.edges += stats.edges;
        all.corpus += stats.corpus;
        all.took += stats.took;
        all.crashes.extend(stats.crashes.iter().cloned());
    }
    if results.len() > 1 {
        row(&mut out, "all", &all);
    }
    out
}

fn row(out: &mut String, target: &str, stats: &Stats) {
    let Stats { executions, edges, corpus, crashes, took } = stats;
    let seconds = took.as_secs_f64();
    let rate = *executions as f64 / seconds.max(0.001);
    // Writing to a String can't fail.
    let _ = writeln!(
        out,
        "| {target} | {:.1} | {executions} | {rate:.0} | {edges} | {corpus} | {} |",
        seconds / 60.0,
        crashes.len()
    );
}
