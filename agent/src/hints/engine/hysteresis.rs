//! Hysteresis: when a hint opens and when it resolves.

use super::{episodes::Episodes, windows::Windows};
use crate::{
    api::{self, HintState},
    hints::{finding::Finding, rule::Rule, thresholds::Thresholds},
    state::{SubjectId, SubjectKind},
};
use std::time::Duration;

/// Time for which a resolved hint stays visible.
const KEEP_RESOLVED: Duration = Duration::from_secs(3600);
/// Windows of which enough must be bad.
const WINDOWS: u32 = 3;

/// A rule that held for a subject, and its history.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) rule: &'static Rule,
    pub(crate) subject: SubjectId,
    /// Keys of the edges that it explained last.
    pub(crate) edges: Vec<u64>,
    pub(crate) hint: api::Hint,
    /// Whether it held in the last windows, newest in bit 0.
    recent: u8,
    /// Windows in a row without it.
    clean: u32,
    /// Of findings whose episodes add up.
    episodes: Episodes,
    /// Of the evidence for it.
    windows: Windows,
    pub(crate) open: bool,
    /// Its hint was published since it opened.
    pub(crate) shown: bool,
    pub(crate) resolved_at: Option<Duration>,
    /// When it last held while it was open.
    held_at: Option<Duration>,
}

/// Time of a tick in the forms that a hint needs.
pub(crate) struct Now {
    pub(crate) at: Duration,
    /// RFC 3339.
    pub(crate) stamp: String,
    pub(crate) window: Duration,
}

impl Track {
    pub(crate) fn new(finding: &Finding, subject: &SubjectId, node: &str, now: &Now) -> Self {
        let hint = api::Hint {
            id: format!("{:016x}", finding.id(subject)),
            state: HintState::Firing,
            subject: api_subject(subject, node),
            symptom: finding.rule.symptom.to_owned(),
            cause: finding.rule.id.to_owned(),
            blame: finding.blame.clone(),
            confidence: 0.0,
            summary: String::new(),
            evidence: Vec::new(),
            ruled_out: Vec::new(),
            chain: Vec::new(),
            action: finding.rule.action.to_owned(),
            first_seen: now.stamp.clone(),
            last_seen: now.stamp.clone(),
            window_seconds: 0.0,
        };
        Self {
            rule: finding.rule,
            subject: subject.clone(),
            edges: Vec::new(),
            hint,
            recent: 0,
            clean: 0,
            episodes: Episodes::default(),
            windows: Windows::default(),
            open: false,
            shown: false,
            resolved_at: None,
            held_at: None,
        }
    }

    /// The rule holds in this window.
    pub(crate) fn hold(&mut self, finding: &Finding, edges: Vec<u64>, thresholds: &Thresholds, now: &Now) {
        if finding.adds_up {
            self.episodes.hold(now.at, &edges);
        }
        let comes_again = self.episodes.are_several();
        let covers = finding.covers.map_or(now.window, |covers| covers.max(now.window));
        let nats = self.windows.hold(finding.nats, now.at, covers);
        let first = !self.open && self.recent_bad() == 0 && !comes_again;
        self.recent = self.recent << 1 | 1;
        self.clean = 0;
        let enough = comes_again || self.recent_bad() >= thresholds.enter_windows.clamp(1, WINDOWS);
        let opens = !self.open && (enough || finding.overwhelming);
        self.open |= opens;
        // A trouble that comes again and again is one: it goes on.
        let begins_anew = opens && self.hint.state == HintState::Resolved && !comes_again;
        if opens {
            self.shown &= comes_again;
            self.resolved_at = None;
        }
        // A resolved hint keeps its numbers until it opens again.
        if self.open || self.resolved_at.is_none() {
            self.edges = edges;
            self.show(finding, nats, now);
        }
        if begins_anew || first && self.resolved_at.is_none() {
            self.hint.first_seen = now.stamp.clone();
        }
        if self.open {
            self.hint.state = HintState::Firing;
            self.held_at = Some(now.at);
        }
    }

    /// Takes over the finding's numbers. `nats`: evidence of all windows in a row.
    fn show(&mut self, finding: &Finding, nats: f64, now: &Now) {
        self.hint.blame = finding.blame.clone();
        self.hint.confidence = finding.confidence_with(nats);
        self.hint.summary = finding.summary.clone();
        self.hint.evidence = finding.evidence.clone();
        self.hint.ruled_out = finding.ruled_out.clone();
        self.hint.chain = finding.chain();
        self.hint.last_seen = now.stamp.clone();
        self.hint.window_seconds = now.window.as_secs_f64();
    }

    /// The rule does not hold in this window. `why`: the reason, when that resolves the hint.
    pub(crate) fn miss(&mut self, thresholds: &Thresholds, now: &Now, why: &str) {
        self.recent <<= 1;
        self.windows.miss();
        self.clean = self.clean.saturating_add(1);
        if self.open && self.clean >= thresholds.leave_windows.max(1) && self.episodes.are_over(now.at) {
            self.resolve(now, why);
        }
    }

    pub(crate) fn resolve(&mut self, now: &Now, why: &str) {
        self.open = false;
        self.recent = 0;
        self.windows.miss();
        self.hint.state = HintState::Resolved;
        self.hint.summary.push_str("; resolved: ");
        self.hint.summary.push_str(why);
        self.resolved_at = self.shown.then_some(now.at);
    }

    /// Its edges are free again at once: another cause explains them.
    pub(crate) fn forget_echo(&mut self) {
        self.held_at = None;
    }

    fn recent_bad(&self) -> u32 {
        (self.recent & ((1 << WINDOWS) - 1)).count_ones()
    }

    /// It resolved less than a window after it last held.
    pub(crate) fn is_echo(&self, now: &Now) -> bool {
        !self.open && self.held_at.is_some_and(|at| now.at.saturating_sub(at) <= now.window)
    }

    pub(crate) fn is_worth_keeping(&self, now: &Now) -> bool {
        self.open
            || self.recent_bad() > 0
            || self.is_echo(now)
            || self.episodes.may_go_on(now.at)
            || self.resolved_at.is_some_and(|at| now.at.saturating_sub(at) <= KEEP_RESOLVED)
    }
}

fn api_subject(id: &SubjectId, node: &str) -> api::Subject {
    let kind = match id.kind {
        SubjectKind::Pod => "Pod",
        SubjectKind::Container => "Container",
        SubjectKind::Unit => "Unit",
    };
    api::Subject {
        kind: kind.to_owned(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
        workload: id.workload.clone(),
        node: node.to_owned(),
    }
}
