//! The state of `top`, and the effect of keys on it. Pure.

use super::response_times;
use crate::{
    api::{Hint, PodRow},
    plugin::{
        model::health::{Health, percent, seconds, status_line},
        render::one_line,
    },
};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Serialize;

/// One Pod.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) node: String,
    /// Cause of its surest hint; empty without one.
    pub(super) cause: String,
    pub(super) confidence: f64,
    pub(super) rtt_p50_seconds: Option<f64>,
    pub(super) loss: Option<f64>,
    pub(super) throttled: Option<f64>,
    /// 95th percentile of its response times as a server. `None`: no request to it ended, or none is measured.
    pub(super) response_p95_seconds: Option<f64>,
    /// Share of HTTP requests and gRPC calls that it failed. `None`: none was sampled.
    pub(super) errors: Option<f64>,
    pub(super) segments_per_second: f64,
    /// Lines of the details.
    #[serde(skip)]
    pub(super) detail: Vec<String>,
}

impl Row {
    /// Its memory, bytes.
    pub(super) fn weight(&self) -> usize {
        let texts = [&self.namespace, &self.name, &self.node, &self.cause].into_iter().chain(&self.detail);
        size_of::<Self>() + texts.map(|text| size_of::<String>() + text.len()).sum::<usize>()
    }
}

/// Columns, each of which can sort the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Hint,
    Name,
    Node,
    Rtt,
    Loss,
    Throttled,
    /// Shown where response times are known.
    Responses,
    /// Shown where calls are sampled.
    Errors,
    Traffic,
}

impl Column {
    pub(super) const ALL: [(Self, &str); 9] = [
        (Self::Name, "POD"),
        (Self::Node, "NODE"),
        (Self::Hint, "HINT"),
        (Self::Rtt, "RTT"),
        (Self::Loss, "LOSS"),
        (Self::Throttled, "THROTTLED"),
        (Self::Responses, "P95"),
        (Self::Errors, "ERRORS"),
        (Self::Traffic, "SEGMENTS/S"),
    ];

    /// The column so many places further in the list.
    fn next(self, columns: &[Self], by: isize) -> Self {
        let at = columns.iter().position(|column| *column == self).unwrap_or(0) as isize;
        let next = (at + by).rem_euclid(columns.len().max(1) as isize) as usize;
        columns.get(next).copied().unwrap_or(self)
    }
}

/// Effect of a key on the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyEffect {
    Continue,
    Quit,
}

/// State of the screen.
#[derive(Debug)]
pub(super) struct State {
    pub(super) colour: bool,
    pub(super) rows: Vec<Row>,
    pub(super) agents: usize,
    pub(super) silent: usize,
    pub(super) seen_ms: i64,
    /// Reason for the failure of the last poll. `None`: it succeeded.
    pub(super) failure: Option<String>,
    pub(super) sort: Column,
    pub(super) reverse: bool,
    pub(super) filter: String,
    /// True while the user types the filter.
    pub(super) typing: bool,
    /// (namespace, name) of the selected row. It stays selected when rows move.
    selected: Option<(String, String)>,
    /// Scroll position of the details in lines. `None`: the list is shown.
    pub(super) detail: Option<usize>,
    pub(super) help: bool,
}

impl State {
    pub(super) fn new(colour: bool) -> Self {
        Self {
            colour,
            rows: Vec::new(),
            agents: 0,
            silent: 0,
            seen_ms: 0,
            failure: None,
            sort: Column::Hint,
            reverse: false,
            filter: String::new(),
            typing: false,
            selected: None,
            detail: None,
            help: false,
        }
    }

    pub(super) fn update(&mut self, rows: Vec<Row>, agents: usize, silent: usize, now_ms: i64) {
        self.rows = rows;
        self.agents = agents;
        self.silent = silent;
        self.seen_ms = now_ms;
        self.failure = None;
    }

    /// Whether a column is shown.
    pub(super) fn has(&self, column: Column) -> bool {
        match column {
            Column::Responses => self.rows.iter().any(|row| row.response_p95_seconds.is_some()),
            Column::Errors => self.rows.iter().any(|row| row.errors.is_some()),
            _ => true,
        }
    }

    /// The column so many places further that is shown.
    fn next_sort(&self, by: isize) -> Column {
        let shown: Vec<Column> =
            Column::ALL.into_iter().map(|(column, _)| column).filter(|column| self.has(*column)).collect();
        self.sort.next(&shown, by)
    }

    /// Rows that match the filter, sorted.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let wanted = self.filter.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let mut rows: Vec<&Row> =
            (self.rows.iter()).filter(|r| has(&r.name) || has(&r.namespace) || has(&r.node) || has(&r.cause)).collect();
        // Unknown values sort below every figure.
        let figure = |value: Option<f64>| value.unwrap_or(-1.0);
        rows.sort_by(|a, b| {
            let order = match self.sort {
                Column::Hint => b.confidence.total_cmp(&a.confidence),
                Column::Name => (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)),
                Column::Node => a.node.cmp(&b.node),
                Column::Rtt => figure(b.rtt_p50_seconds).total_cmp(&figure(a.rtt_p50_seconds)),
                Column::Loss => figure(b.loss).total_cmp(&figure(a.loss)),
                Column::Throttled => figure(b.throttled).total_cmp(&figure(a.throttled)),
                Column::Responses => figure(b.response_p95_seconds).total_cmp(&figure(a.response_p95_seconds)),
                Column::Errors => figure(b.errors).total_cmp(&figure(a.errors)),
                Column::Traffic => b.segments_per_second.total_cmp(&a.segments_per_second),
            };
            let order = if self.reverse { order.reverse() } else { order };
            order.then_with(|| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)))
        });
        rows
    }

    /// Index of the selected row among the visible ones; 0 if it is gone.
    pub(super) fn at(&self) -> usize {
        let rows = self.shown();
        let found = self
            .selected
            .as_ref()
            .and_then(|(namespace, name)| rows.iter().position(|row| row.namespace == *namespace && row.name == *name));
        found.unwrap_or(0)
    }

    fn select(&mut self, at: isize) {
        let rows = self.shown();
        let last = rows.len().saturating_sub(1) as isize;
        let row = rows.get(at.clamp(0, last) as usize);
        self.selected = row.map(|row| (row.namespace.clone(), row.name.clone()));
    }

    /// Closes the help, then the details, then clears the filter.
    fn go_back(&mut self) {
        match (self.help, self.detail) {
            (true, _) => self.help = false,
            (_, Some(_)) => self.detail = None,
            _ => self.filter.clear(),
        }
    }

    /// Handles a key while the user types the filter.
    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(c) => self.filter.push(c),
            _ => {}
        }
    }

    /// Handles a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> KeyEffect {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return KeyEffect::Quit;
        }
        if self.typing {
            self.type_filter(key.code);
            return KeyEffect::Continue;
        }
        let step: isize = match key.code {
            KeyCode::Char('q') => return KeyEffect::Quit,
            KeyCode::Esc => {
                self.go_back();
                0
            }
            KeyCode::Char('?' | 'h') => {
                self.help = !self.help;
                0
            }
            KeyCode::Char('/') => {
                self.typing = true;
                self.detail = None;
                0
            }
            KeyCode::Char('s' | '>') | KeyCode::Right => {
                self.sort = self.next_sort(1);
                0
            }
            KeyCode::Char('<') | KeyCode::Left => {
                self.sort = self.next_sort(-1);
                0
            }
            KeyCode::Char('r') => {
                self.reverse = !self.reverse;
                0
            }
            KeyCode::Enter => {
                if self.detail.is_none() && !self.shown().is_empty() {
                    self.select(self.at() as isize);
                    self.detail = Some(0);
                }
                0
            }
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::PageDown | KeyCode::Char(' ') => 10,
            KeyCode::PageUp => -10,
            KeyCode::Home | KeyCode::Char('g') => isize::MIN / 2,
            KeyCode::End | KeyCode::Char('G') => isize::MAX / 2,
            _ => 0,
        };
        match (&mut self.detail, step) {
            (_, 0) => {}
            (Some(scrolled), step) => *scrolled = (*scrolled as isize).saturating_add(step).clamp(0, 1000) as usize,
            (None, step) => self.select((self.at() as isize).saturating_add(step)),
        }
        KeyEffect::Continue
    }
}

/// Rows of one agent's answer.
pub(super) fn rows(context: Option<&str>, pods: Vec<PodRow>, hints: &[Hint]) -> Vec<Row> {
    pods.into_iter()
        .map(|pod| {
            let about = |hint: &&Hint| hint.subject.namespace == pod.namespace && hint.subject.name == pod.name;
            let own: Vec<&Hint> = hints.iter().filter(about).collect();
            let first = own.first();
            let namespace = context.map_or_else(|| pod.namespace.clone(), |c| format!("{c}/{}", pod.namespace));
            Row {
                cause: first.map(|hint| hint.cause.clone()).unwrap_or_default(),
                confidence: first.map_or(0.0, |hint| hint.confidence),
                rtt_p50_seconds: pod.window.rtt_p50_seconds,
                loss: pod.window.loss_episode_ratio,
                throttled: pod.window.cpu_throttled_share,
                response_p95_seconds: response_p95(&pod),
                errors: errors(&pod),
                segments_per_second: pod.window.counts.segments_sent as f64 / pod.window.seconds.max(1.0),
                detail: detail(&pod, &own),
                namespace,
                name: pod.name,
                node: pod.node,
            }
        })
        .collect()
}

/// Of the requests that it answered in the window.
fn response_p95(pod: &PodRow) -> Option<f64> {
    pod.window.responses.as_ref()?.server.as_ref()?.p95_seconds
}

/// Share of the sampled HTTP requests and gRPC calls that a Pod failed.
fn errors(pod: &PodRow) -> Option<f64> {
    Some(pod.window.responses.as_ref()?.server.as_ref()?.http.as_ref()?.error_share)
}

fn detail(pod: &PodRow, hints: &[&Hint]) -> Vec<String> {
    let mut out = Vec::new();
    for hint in hints {
        out.push(one_line(hint));
        for e in &hint.evidence {
            let baseline = e.baseline.map(|b| format!(", baseline {b:.4}")).unwrap_or_default();
            out.push(format!("  {} = {:.4} {}{baseline}  {}", e.signal, e.observed, e.unit, e.place));
        }
        for ruled in &hint.ruled_out {
            out.push(format!("  ruled out: {}: {}", ruled.cause, ruled.because));
        }
        out.push(format!("  next step: {}", hint.action));
        out.push(String::new());
    }
    if hints.is_empty() {
        out.push("No hints.".to_owned());
        out.push(String::new());
    }
    let mut health = Health::default();
    health.of_window(pod);
    if let Some(info) = &pod.status {
        out.push(format!("Pod status      {}", status_line(info)));
    }
    out.extend(response_times::lines(pod));
    for (head, facts) in [("normal", &health.normal), ("unusual", &health.unusual), ("no data", &health.no_data)] {
        out.extend(facts.iter().map(|fact| format!("{head:<10} {:<14} {}", fact.what, fact.figures)));
    }
    out
}

impl Row {
    /// Cells in the order of [`Column::ALL`].
    pub(super) fn cells(&self) -> [String; 9] {
        let or = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        [
            format!("{}/{}", self.namespace, self.name),
            self.node.clone(),
            if self.cause.is_empty() {
                "–".to_owned()
            } else {
                format!("{} {:.0}%", self.cause, self.confidence * 100.0)
            },
            or(self.rtt_p50_seconds.map(seconds)),
            or(self.loss.map(percent)),
            or(self.throttled.map(percent)),
            or(self.response_p95_seconds.map(seconds)),
            or(self.errors.map(percent)),
            format!("{:.0}", self.segments_per_second),
        ]
    }
}

#[cfg(test)]
pub(super) mod tests;
