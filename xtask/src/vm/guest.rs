//! Both ends of the serial console: the script that is the machine's first program, and the reader of its output.

use super::machine::Machine;
use std::{fmt::Write as _, path::PathBuf};

/// Programs that were built for the machine.
#[derive(Debug)]
pub(super) struct Programs {
    /// The agent.
    pub(super) agent: PathBuf,
    /// Stands for code that runs inside a taken-over agent.
    pub(super) taken_over: PathBuf,
    /// The laboratory's traffic program.
    pub(super) traffic: PathBuf,
    /// Test programs: name and file.
    pub(super) tests: Vec<(String, PathBuf)>,
}

/// In front of every line that is ours.
const MARK: &str = "@@netwhy";

/// On the kernel's command line: only to learn whether the machine boots.
pub(super) const PROBE: &str = "netwhy.probe";

/// Tests that are not run in a machine whose every instruction is emulated, and why.
pub(super) const EXCLUDED: [(&str, &str); 4] = [
    ("handshakes::a_handshake_takes_the_path_and_one_second_more_for_a_lost_syn", FORWARDER),
    ("rtt::a_path_of_1_ms_is_measured_within_a_tenth", FORWARDER),
    ("rtt::a_path_of_10_ms_is_measured_within_a_tenth", FORWARDER),
    (
        "limits::a_small_send_buffer_on_a_long_path_shows_as_send_buffer_limited",
        "an emulated sender waits longer for its CPU than for room in its buffer",
    ),
];
const FORWARDER: &str = "an emulated forwarder adds milliseconds of its own to the path";

/// The script that the machine runs. `filter`: only tests whose name contains this.
pub(super) fn script(programs: &Programs, machine: &Machine, filter: Option<&str>) -> String {
    let (agent, taken_over) = (programs.agent.display(), programs.taken_over.display());
    let Machine { setup, preflight, .. } = machine;
    let name = machine.name.unwrap_or_default();
    let mut script = format!(
        r#"#!/bin/busybox sh
/bin/busybox --install -s /applets
export PATH=/usr/sbin:/bin:/applets CI=true RUST_BACKTRACE=1 NETWHY_AGENT={agent} NETWHY_TEST_PATIENCE=10
export NETWHY_TAKEN_OVER={taken_over} NETWHY_TEST_MACHINE={name}
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mount -t tmpfs run /run
{setup}for module in /modules/*.ko; do insmod $module; done
ip link set lo up
ulimit -n 65536
echo "{MARK} booted $(cut -d' ' -f1 /proc/uptime) $(uname -r)"
grep -q {PROBE} /proc/cmdline && poweroff -f
echo "{MARK} begin preflight"
{agent} preflight --kube off
echo "{MARK} end preflight $(($? - {preflight}))"
"#
    );
    if *preflight == 0 {
        script.push_str(&smoke(programs));
    }
    let skips: String = EXCLUDED.iter().map(|(name, _)| format!(" --skip {name}")).collect();
    let filter = filter.map(|text| format!(" {text}")).unwrap_or_default();
    for (name, path) in &programs.tests {
        let path = path.display();
        // Writing to a String can't fail.
        let _ = writeln!(
            script,
            "echo \"{MARK} begin {name}\"\n\
             {path} --test-threads=1 --nocapture{skips}{filter} 2>&1\n\
             echo \"{MARK} end {name} $?\""
        );
    }
    script.push_str(&format!("echo \"{MARK} done\"\npoweroff -f\n"));
    script
}

/// Starts the agent, asks it, and stops it.
fn smoke(programs: &Programs) -> String {
    let agent = programs.agent.display();
    format!(
        r#"echo "{MARK} begin smoke"
{agent} run --kube off --listen 127.0.0.1:9810 & agent=$!
ready=1; for i in $(seq 100); do wget -q -O /tmp/ready http://127.0.0.1:9810/readyz && ready=0 && break; sleep 0.2; done
wget -q -O /tmp/metrics http://127.0.0.1:9810/metrics && grep -q '^netwhy_agent_build_info' /tmp/metrics || ready=2
kill -TERM $agent; wait $agent; stopped=$?
echo "ready and served: $ready, stopped: $stopped"
echo "{MARK} end smoke $((ready + stopped))"
"#
    )
}

/// Tests that have begun and ended, line by line of a console.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    ended: u64,
    begun: u64,
}

impl Progress {
    /// Tests that ended, and those of all programs so far, if this line says something new.
    pub(super) fn line(&mut self, line: &str) -> Option<(u64, u64)> {
        let running = line.trim().strip_prefix("running ").and_then(|rest| rest.split_once(" test"));
        if let Some(tests) = running.and_then(|(count, _)| count.parse::<u64>().ok()) {
            self.begun += tests;
        } else if verdict(line.rsplit_once(" ... ").map_or(line, |(_, rest)| rest), "").is_some() {
            self.ended += 1;
        } else {
            return None;
        }
        Some((self.ended, self.begun))
    }
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    /// Its output up to the first backtrace; all output of a program that is no test.
    Failed(String),
    /// It said that the machine can't run it, and why.
    Skipped(String),
    /// Begun, without an end.
    Unfinished,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) verdict: Verdict,
}

/// The output of one machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// `uname -r`; empty: it didn't boot.
    pub(super) release: String,
    /// From power-on to the first program, s.
    pub(super) boot_seconds: f64,
    /// The output of `netwhy-agent preflight`.
    pub(super) preflight: String,
    /// All tests, `preflight` and `smoke` among them.
    pub(super) tests: Vec<Test>,
    /// Whether it ran to its end.
    pub(super) complete: bool,
    /// The kernel's own last words.
    pub(super) panic: Option<String>,
}

impl Outcome {
    /// From the console's text.
    pub(super) fn read(console: &str) -> Self {
        let mut this = Self::default();
        let mut section: Option<(String, String)> = None;
        for line in console.lines().map(|line| line.trim_end_matches('\r')) {
            if line.contains("Kernel panic") || line.contains("BUG:") || line.contains("Oops:") {
                this.panic.get_or_insert_with(|| line.trim().to_owned());
            }
            let words = line.find(MARK).map(|at| line[at + MARK.len()..].split_whitespace().collect::<Vec<_>>());
            match words.as_deref() {
                Some(["booted", seconds, release]) => {
                    this.boot_seconds = seconds.parse().unwrap_or(0.0);
                    this.release = (*release).to_owned();
                }
                Some(["begin", name]) => section = Some(((*name).to_owned(), String::new())),
                Some(["end", _, code]) => this.end(section.take(), Some(code)),
                Some(["done"]) => this.complete = true,
                _ => {
                    if let Some((_, text)) = &mut section {
                        text.push_str(line);
                        text.push('\n');
                    }
                }
            }
        }
        this.end(section, None);
        this
    }

    /// Whether the machine came to its end and no test failed.
    pub(super) fn ended_well(&self) -> bool {
        let bad = |verdict: &Verdict| matches!(verdict, Verdict::Failed(_) | Verdict::Unfinished);
        self.complete && self.panic.is_none() && !self.tests.iter().any(|test| bad(&test.verdict))
    }

    /// Of a machine that is made for one module of tests: some must have run, and none may be skipped.
    pub(super) fn demand(&mut self, module: &str) {
        let beginning = format!("{module}::");
        if !self.tests.iter().any(|test| test.name.starts_with(&beginning)) {
            let why = format!("no test ran whose name begins with {beginning}");
            self.tests.push(Test { name: module.to_owned(), verdict: Verdict::Failed(why) });
        }
        for test in &mut self.tests {
            if let Verdict::Skipped(why) = &test.verdict {
                test.verdict = Verdict::Failed(format!("skipped in the machine that is made for it: {why}"));
            }
        }
    }

    /// Takes in one section; `code`: its program's exit code, `None` when it has none.
    fn end(&mut self, section: Option<(String, String)>, code: Option<&str>) {
        let Some((name, text)) = section else { return };
        let before = self.tests.len();
        if name == "preflight" {
            self.preflight.clone_from(&text);
        } else {
            self.tests.extend(tests(&text));
        }
        let verdict = match code {
            // A program of tests says itself which failed; if it says nothing, it failed as a whole.
            Some("0") if self.tests.len() > before => return,
            Some("0") => Verdict::Passed,
            Some(_) if self.tests[before..].iter().any(|test| test.verdict != Verdict::Passed) => return,
            Some(_) => Verdict::Failed(text),
            None if self.tests[before..].iter().any(|test| test.verdict == Verdict::Unfinished) => return,
            None => Verdict::Unfinished,
        };
        self.tests.push(Test { name, verdict });
    }
}

/// Tests of one program, from what libtest prints.
fn tests(text: &str) -> Vec<Test> {
    let lines: Vec<&str> = text.lines().collect();
    let mut tests: Vec<Test> = Vec::new();
    let (mut open, mut said) = (None, String::new());
    for line in &lines {
        if let Some((name, rest)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            open = Some(name.to_owned());
            said = rest.trim().to_owned();
            if let Some(verdict) = verdict(rest, "") {
                tests.extend(open.take().map(|name| Test { name, verdict }));
            }
        } else if let Some(verdict) = verdict(line, &said) {
            // Something was printed between a test's name and its verdict.
            tests.extend(open.take().map(|name| Test { name, verdict }));
        } else if !line.trim().is_empty() {
            said = format!("{said}\n{line}").trim_start().to_owned();
        }
    }
    tests.extend(open.map(|name| Test { name, verdict: Verdict::Unfinished }));
    for reason in lines.iter().filter_map(|line| printed(line).trim().strip_prefix("SKIP ")) {
        let (name, why) = reason.split_once(": ").unwrap_or(("", reason));
        if let Some(test) = tests.iter_mut().find(|test| test.name == name) {
            test.verdict = Verdict::Skipped(why.to_owned());
        }
    }
    tests
}

/// Text that a test printed on a line. libtest leaves the line with its name open, so that the first text follows it.
fn printed(line: &str) -> &str {
    line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")).map_or(line, |(_, text)| text)
}

/// libtest's word for how a test ended; `said`: what it printed.
fn verdict(text: &str, said: &str) -> Option<Verdict> {
    match text.trim() {
        "ok" => Some(Verdict::Passed),
        "FAILED" => {
            Some(Verdict::Failed(said.split("\nstack backtrace:").next().unwrap_or_default().trim_end().to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
