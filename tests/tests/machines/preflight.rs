//! The report of `netwhy-agent preflight`.

use crate::node::command;
use serde_json::Value;
use std::process::Command;

/// Arguments of a report as JSON.
pub(crate) const JSON: [&str; 5] = ["preflight", "-o", "json", "--listen", "127.0.0.1:0"];

/// A report.
#[derive(Debug)]
pub(crate) struct Preflight {
    /// Exit code. `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    checks: Vec<Value>,
}

impl Preflight {
    /// Of this machine.
    pub(crate) fn run() -> Self {
        Self::of(&mut command(&JSON))
    }

    /// The answer to a command that ends with [`JSON`].
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self { code: output.status.code(), checks: report["checks"].as_array().unwrap().clone() }
    }

    /// Verdict and finding of one check, and its remedy.
    pub(crate) fn check(&self, need: &str) -> [&str; 3] {
        let check = self.checks.iter().find(|check| check["need"] == need);
        let check = check.unwrap_or_else(|| panic!("no {need} in {self:?}"));
        ["verdict", "found", "remedy"].map(|field| check[field].as_str().unwrap())
    }

    /// Requirements with this verdict.
    pub(crate) fn with(&self, verdict: &str) -> Vec<&str> {
        let checks = self.checks.iter().filter(|check| check["verdict"] == verdict);
        checks.map(|check| check["need"].as_str().unwrap()).collect()
    }

    /// Probes that are not whole, and rights that stay, with the reason.
    pub(crate) fn lacking(&self) -> Vec<String> {
        let needs = self.checks.iter().filter_map(|check| check["need"].as_str());
        let needs = needs.filter(|need| need.starts_with("probe ") && *need != "probe listener");
        let of_kernel = needs.chain(["rights after the start", "type information (BTF)", "BPF JIT"]);
        let lacking = of_kernel.map(|need| (need, self.check(need))).filter(|(_, [verdict, ..])| *verdict != "ok");
        lacking.map(|(need, [_, found, _])| format!("{need}: {found}")).collect()
    }
}
