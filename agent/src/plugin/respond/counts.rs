//! What `respond` did, counted, in Prometheus' text format.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// A request was taken.
    DeliveryTaken,
    /// A request had no room: Alertmanager sends it again.
    DeliveryOverload,
    /// A request was refused: no token, or no webhook.
    DeliveryRefused,
    /// An alert waits for its answer.
    AlertQueued,
    /// An alert was answered already.
    AlertRepeated,
    /// An alert is over.
    AlertResolved,
    /// An alert names no Pod, workload, Service or Node.
    AlertWithoutTarget,
    /// An alert was left out: too many of one request, or labels that are too long.
    AlertLeftOut,
    /// A verdict names a cause.
    AnswerCause,
    /// A verdict names none.
    AnswerNoCause,
    /// There is no verdict: the target is unknown, or its agents do not answer.
    AnswerNone,
    /// The URL took a verdict.
    PostDone,
    /// The URL did not take a verdict.
    PostFailed,
    /// An Alertmanager took an annotation.
    AnnotationDone,
    /// An Alertmanager did not take an annotation.
    AnnotationFailed,
    /// An Alertmanager did not have the alert any more.
    AnnotationOver,
}

/// Series of a metric, each with its labels.
type Series = &'static [(Count, &'static str)];

/// Metrics, their help, and their series.
const FAMILIES: [(&str, &str, Series); 5] = [
    (
        "netwhy_respond_deliveries_total",
        "Requests to the webhook.",
        &[
            (Count::DeliveryTaken, r#"result="taken""#),
            (Count::DeliveryOverload, r#"result="overload""#),
            (Count::DeliveryRefused, r#"result="refused""#),
        ],
    ),
    (
        "netwhy_respond_alerts_total",
        "Alerts of the requests that were taken.",
        &[
            (Count::AlertQueued, r#"result="queued""#),
            (Count::AlertRepeated, r#"result="repeated""#),
            (Count::AlertResolved, r#"result="resolved""#),
            (Count::AlertWithoutTarget, r#"result="no_target""#),
            (Count::AlertLeftOut, r#"result="left_out""#),
        ],
    ),
    (
        "netwhy_respond_answers_total",
        "Look-ups by what they found.",
        &[
            (Count::AnswerCause, r#"result="cause""#),
            (Count::AnswerNoCause, r#"result="no_cause""#),
            (Count::AnswerNone, r#"result="no_answer""#),
        ],
    ),
    (
        "netwhy_respond_posts_total",
        "Verdicts to the URL.",
        &[(Count::PostDone, r#"result="done""#), (Count::PostFailed, r#"result="failed""#)],
    ),
    (
        "netwhy_respond_annotations_total",
        "Annotations to Alertmanagers.",
        &[
            (Count::AnnotationDone, r#"result="done""#),
            (Count::AnnotationFailed, r#"result="failed""#),
            (Count::AnnotationOver, r#"result="over""#),
        ],
    ),
];

/// Number of counters.
const COUNTERS: usize = Count::AnnotationOver as usize + 1;

/// All counters.
#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; COUNTERS]);

impl Counts {
    /// Counts one.
    pub(super) fn add(&self, count: Count) {
        self.add_many(count, 1);
    }

    /// Counts several.
    pub(super) fn add_many(&self, count: Count, number: u64) {
        self.0[count as usize].fetch_add(number, Ordering::Relaxed);
    }

    /// All of them, and the number of look-ups that wait.
    pub(super) fn text(&self, waiting: usize) -> String {
        let mut out = String::new();
        // Writing to a String can't fail.
        for (name, help, series) in FAMILIES {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (count, labels) in series {
                let _ = writeln!(out, "{name}{{{labels}}} {}", self.0[*count as usize].load(Ordering::Relaxed));
            }
        }
        let name = "netwhy_respond_waiting";
        let _ = writeln!(out, "# HELP {name} Look-ups that wait.\n# TYPE {name} gauge\n{name} {waiting}");
        out
    }
}

#[cfg(test)]
mod tests;
