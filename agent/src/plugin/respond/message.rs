//! The answer to alerts: a verdict in bounded, printable texts.

use super::target::Candidate;
use crate::{
    plugin::{
        Failure,
        mcp::{evidence, verdict},
        model::why::{Explanation, State},
    },
    text,
};
use serde_json::{Value, json};

/// Longest texts, characters.
const MAX_VERDICT: usize = 500;
const MAX_TEXT: usize = 300;
/// Longest text of a whole message without its last line, characters: chats cut longer ones.
const MAX_BODY: usize = 1500;
/// Most titles of alerts, lines of evidence, and agents that did not answer.
const MAX_ALERTS: usize = 5;
const MAX_EVIDENCE: usize = 5;
const MAX_SILENT: usize = 3;

/// An answer. Every text is printable and of one line.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Names of the alerts.
    pub(super) alerts: Vec<String>,
    /// The object, such as `Pod shop/cart`.
    pub(super) target: String,
    /// `cause_found`, `resolved`, `nothing_found`, `no_data` or `no_answer`.
    pub(super) state: String,
    /// One sentence.
    pub(super) verdict: String,
    /// Empty: no cause.
    pub(super) cause: String,
    /// Empty: nobody is.
    pub(super) at_fault: String,
    /// Such as `93 %`; empty without a cause.
    pub(super) confidence: String,
    /// RFC 3339; empty without a cause.
    pub(super) since: String,
    pub(super) evidence: Vec<String>,
    /// Empty: none.
    pub(super) next_step: String,
    /// Agents that are missing in the verdict.
    pub(super) not_answered: Vec<String>,
    /// The command line that shows more.
    pub(super) command: String,
    /// The whole verdict, as assistants get it. Not bounded.
    details: Value,
}

impl Message {
    /// From a verdict about this object. `alerts`: titles of the alerts.
    pub(super) fn of_verdict(alerts: &[String], about: &Candidate, case: &Explanation) -> Self {
        let said = &case.verdict;
        let text = |text: Option<String>| text.map(|text| cut(&text, MAX_TEXT)).unwrap_or_default();
        let silent = case.not_answered.iter().map(|one| format!("{}: {}", one.node, one.why));
        Self {
            state: state(said.state).to_owned(),
            verdict: cut(&said.sentence, MAX_VERDICT),
            cause: text(said.cause.clone()),
            at_fault: text(said.blame.as_ref().filter(|_| said.cause.is_some()).map(crate::api::Blame::text)),
            confidence: said.confidence.map(|sure| format!("{:.0} %", sure * 100.0)).unwrap_or_default(),
            since: text(said.since.clone()),
            evidence: listed(case.evidence.iter().map(evidence), MAX_EVIDENCE),
            next_step: cut(&case.next_step, MAX_TEXT),
            not_answered: listed(silent, MAX_SILENT),
            details: verdict(case),
            ..Self::new(alerts, about)
        }
    }

    /// There is no verdict.
    pub(super) fn of_failure(alerts: &[String], about: &Candidate, failure: &Failure) -> Self {
        Self {
            state: "no_answer".to_owned(),
            verdict: cut(&format!("No answer: {failure}"), MAX_VERDICT),
            ..Self::new(alerts, about)
        }
    }

    fn new(alerts: &[String], about: &Candidate) -> Self {
        Self {
            alerts: listed(alerts.iter().cloned(), MAX_ALERTS),
            target: cut(&about.shown(), MAX_TEXT),
            state: String::new(),
            verdict: String::new(),
            cause: String::new(),
            at_fault: String::new(),
            confidence: String::new(),
            since: String::new(),
            evidence: Vec::new(),
            next_step: String::new(),
            not_answered: Vec::new(),
            command: about.command(),
            details: json!({}),
        }
    }

    /// Whether it names a cause.
    pub(super) fn has_cause(&self) -> bool {
        !self.cause.is_empty()
    }

    /// Alerts and object on one line.
    pub(super) fn title(&self) -> String {
        format!("{}: {}", self.alerts.join(", "), self.target)
    }

    /// Cause, confidence, culprit and time on one line; empty without a cause.
    pub(super) fn summary(&self) -> String {
        let with = |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("{name}{text}") };
        let sure = if self.confidence.is_empty() { String::new() } else { format!("{} sure", self.confidence) };
        let parts = [self.cause.clone(), sure, with("at fault: ", &self.at_fault), with("since ", &self.since)];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if self.has_cause() { parts.join(" · ") } else { String::new() }
    }

    /// The verdict and what is behind it on one line, for an annotation.
    pub(super) fn line(&self) -> String {
        match self.summary().as_str() {
            "" => self.verdict.clone(),
            summary => format!("{} ({summary})", self.verdict),
        }
    }

    /// The message as plain text.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![self.title(), self.verdict.clone(), self.summary()];
        lines.extend(self.evidence.iter().map(|one| format!("- {one}")));
        lines.extend(named("Next step: ", &self.next_step));
        lines.extend(self.not_answered.iter().map(|one| format!("Did not answer: {one}")));
        lines.retain(|line| !line.is_empty());
        format!("{}\nMore: {}\n", shortened(&lines.join("\n"), MAX_BODY), self.command)
    }

    /// The message as JSON: the verdict as assistants get it, with the alerts. Not bounded.
    pub(super) fn json(&self) -> Value {
        let mut out = self.details.clone();
        for (key, value) in [
            ("alerts", json!(self.alerts)),
            ("target", json!(self.target)),
            ("state", json!(self.state)),
            ("verdict", json!(self.verdict)),
            ("command", json!(self.command)),
        ] {
            out[key] = value;
        }
        out
    }
}

/// Name of a state in messages.
const fn state(state: State) -> &'static str {
    match state {
        State::CauseFound => "cause_found",
        State::Resolved => "resolved",
        State::NothingFound => "nothing_found",
        State::NoData => "no_data",
    }
}

/// A line with its name. `None`: there is no text.
fn named(name: &str, text: &str) -> Option<String> {
    (!text.is_empty()).then(|| format!("{name}{text}"))
}

/// The first texts, and the number of the others.
fn listed(texts: impl ExactSizeIterator<Item = String>, most: usize) -> Vec<String> {
    let all = texts.len();
    let mut out: Vec<String> = texts.take(most).map(|text| cut(&text, MAX_TEXT)).collect();
    if all > most {
        out.push(format!("and {} more", all - most));
    }
    out
}

/// A printable text of so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    // Bounded before it grows by escapes.
    let bounded: String = text.chars().take(most + 1).collect();
    shortened(&text::printable(&bounded), most)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
pub(super) mod tests;
