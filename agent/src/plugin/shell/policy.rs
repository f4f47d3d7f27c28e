//! The cluster's rules for `shell`: a ConfigMap beside the agents. Pure.
//!
//! They bind this program. Who may run commands at all is RBAC's to say: `pods/exec`.

use crate::plugin::{Failure, cli};
use serde::Deserialize;
use std::time::Duration;

/// Name of the ConfigMap in the agents' namespace.
pub(super) const NAME: &str = "netwhy-shell";
/// Its key.
pub(super) const KEY: &str = "shell.yaml";
/// Most patterns of a list, so that a check takes no time.
const MAX_PATTERNS: usize = 1000;

/// The rules. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    /// Whether sessions must be recorded.
    #[serde(default)]
    record: Record,
    /// Patterns of namespaces that allow shells. `None`: all.
    namespaces: Option<Vec<String>>,
    /// Patterns of command lines that are allowed, their words with a blank between them. `None`: all.
    commands: Option<Vec<String>>,
    /// Longest time without a key, such as `15m`.
    #[serde(default, deserialize_with = "time")]
    idle_timeout: Option<Duration>,
    /// Longest session, such as `1h`.
    #[serde(default, deserialize_with = "time")]
    max_time: Option<Duration>,
}

/// Whether sessions must be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    #[default]
    Optional,
    Required,
}

fn time<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Duration>, D::Error> {
    let text: Option<String> = Option::deserialize(value)?;
    text.map(|text| cli::since(&text)).transpose().map_err(serde::de::Error::custom)
}

/// A session that somebody asks for.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) namespace: &'a str,
    /// Words of the command.
    pub(super) command: &'a [String],
    pub(super) is_recorded: bool,
    /// Limits that the caller sets.
    pub(super) limits: Limits,
}

/// When a session ends at the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// After so long without a key. `None`: never.
    pub(super) idle: Option<Duration>,
    /// After so long. `None`: never.
    pub(super) max: Option<Duration>,
}

impl Policy {
    /// From the ConfigMap's key. `place` is its namespace and name.
    ///
    /// # Errors
    /// When the key is missing, or not understood as a whole: rules that are half read protect nobody.
    pub(super) fn read(text: Option<&str>, place: &str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            let remedy = "no shell until its owner mends it: docs/shell.md has all keys";
            Failure::new(format!("ConfigMap {place}: {why}"), remedy)
        };
        let text = text.ok_or_else(|| wrong(format!("it has no key {KEY}")))?;
        let policy: Self = serde_saphyr::from_str(text).map_err(|error| wrong(format!("{KEY}: {error}")))?;
        for (name, list) in [("namespaces", &policy.namespaces), ("commands", &policy.commands)] {
            if list.as_ref().is_some_and(|list| list.len() > MAX_PATTERNS) {
                return Err(wrong(format!("{name}: {MAX_PATTERNS} patterns at most")));
            }
        }
        Ok(policy)
    }

    /// The limits of an allowed session: the stricter ones of caller and policy.
    ///
    /// # Errors
    /// When a rule forbids it.
    pub(super) fn allow(&self, place: &str, request: &Request<'_>) -> Result<Limits, Failure> {
        let refuse = |what: String, remedy: &str| Err(Failure::new(format!("{what} (ConfigMap {place})"), remedy));
        let namespace = request.namespace;
        if !allows(self.namespaces.as_deref(), namespace) {
            let what = format!("the cluster's rules allow no shell in namespace {namespace}");
            return refuse(what, &allowed(self.namespaces.as_deref(), "namespaces"));
        }
        let line = request.command.join(" ");
        if !allows(self.commands.as_deref(), &line) {
            let what = format!("the cluster's rules do not allow the command {line:?}");
            return refuse(what, &allowed(self.commands.as_deref(), "commands"));
        }
        if self.record == Record::Required && !request.is_recorded {
            return refuse("the cluster's rules want a recording".to_owned(), "pass --record FILE");
        }
        let stricter = |a: Option<Duration>, b: Option<Duration>| [a, b].into_iter().flatten().min();
        Ok(Limits {
            idle: stricter(self.idle_timeout, request.limits.idle),
            max: stricter(self.max_time, request.limits.max),
        })
    }
}

fn allows(patterns: Option<&[String]>, text: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, text)))
}

/// The remedy: a list of what is allowed.
fn allowed(patterns: Option<&[String]>, what: &str) -> String {
    let all = patterns.unwrap_or_default();
    let shown = all.iter().take(5).map(|pattern| format!("{pattern:?}")).collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => format!("no {what} are allowed"),
        1..=5 => format!("allowed {what}: {shown}"),
        more => format!("allowed {what}: {shown} and {} more", more - 5),
    }
}

/// Whether all of a text is of the form of a pattern: `*` is any text, `?` any character, all else itself.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Behind the last star, and the text's place that it reaches up to.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                p += 1;
                star = Some((p, t));
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // The star takes one more.
                Some((behind, reached)) => {
                    star = Some((behind, reached + 1));
                    (p, t) = (behind, reached + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests;
