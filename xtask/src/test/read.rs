//! Reads what test runners print.

/// Tests of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Counts {
    pub(super) const fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// A test that did not do its work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Skip {
    /// The line that the test printed: `SKIP machine: the kernel has no kprobes`, perhaps after the test's name.
    pub(super) reason: String,
}

impl Skip {
    /// Whether this machine can't run it, rather than isn't set up for it.
    pub(super) fn excused(&self) -> bool {
        let excused = |text: &str| text.starts_with("machine:");
        excused(&self.reason) || self.reason.split_once(": ").is_some_and(|(_, rest)| excused(rest))
    }
}

/// nextest's `Summary`, or the sum of cargo test's `test result:` lines, which each test prints under nextest too.
pub(super) fn counts(text: &str) -> Counts {
    if let Some(rest) = text.lines().rev().find_map(|line| line.trim_start().strip_prefix("Summary [")) {
        // A test that hangs or can't be started is counted apart.
        let failed = before(rest, " failed") + before(rest, " timed out") + before(rest, " exec failed");
        return Counts { passed: before(rest, " passed"), failed };
    }
    let mut counts = Counts::default();
    for rest in text.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        counts.add(&Counts { passed: before(rest, " passed"), failed: before(rest, " failed") });
    }
    counts
}

/// The number in front of a word: 3 in `…, 3 passed, …`.
fn before(text: &str, word: &str) -> u64 {
    let Some(at) = text.find(word) else { return 0 };
    let number = text[..at].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    number.parse().unwrap_or(0)
}

/// Lines that begin with `SKIP `, wherever the runner puts them. (nextest's own such lines have a time in brackets.)
pub(super) fn skips(text: &str) -> Vec<Skip> {
    let reason = |line: &str| line.trim().strip_prefix("SKIP ").map(|reason| reason.trim().to_owned());
    text.lines().filter_map(reason).filter(|reason| !reason.starts_with('[')).map(|reason| Skip { reason }).collect()
}

/// Tests that nextest tried twice and that passed then.
pub(super) fn flaky(text: &str) -> Vec<String> {
    // `FLAKY 2/2 [   0.009s] (2/2) program test`, after the summary.
    let name = |line: &str| {
        let (_, rest) = line.trim_start().strip_prefix("FLAKY ")?.split_once("] ")?;
        Some(rest.split_once(") ").map_or(rest, |(_, name)| name).to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// nextest's text in two: the output of first tries that failed, and the rest.
pub(super) fn first_tries(text: &str) -> (String, String) {
    let is_status = |line: &str| ["PASS [", "FAIL [", "LEAK [", "TRY "].iter().any(|word| line.starts_with(word));
    let mut is_within = false;
    let (mut first, mut rest) = (String::new(), String::new());
    for line in text.lines() {
        if is_status(line.trim_start()) {
            // With its result: FAIL, or the signal or timeout that ended it.
            is_within = line.trim_start().starts_with("TRY 1 ");
        }
        let out = if is_within { &mut first } else { &mut rest };
        out.push_str(line);
        out.push('\n');
    }
    (first, rest)
}

#[cfg(test)]
mod tests;
