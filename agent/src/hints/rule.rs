//! The shape of a rule. This file imports nothing, so that every other one may use it.

/// Rules that one judge applies. The order of the variants is the order of judgement: a later family skips the edges
/// that an earlier one claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The API server's status of the Pod itself.
    Status,
    /// Drops of this Node.
    Host,
    /// Handshakes that are turned away, unanswered or refused, and peers that fell silent.
    Connect,
    /// Lost packets.
    Loss,
    /// Paths that became longer.
    Latency,
    /// Senders that wait for the peer's window or their own buffer.
    Limited,
    /// Requests that get no answer at all.
    Unanswered,
    /// The Pod's own CPU limit.
    Cpu,
    /// CPU, memory and IO that the Pod waits for without a limit of its own.
    Pressure,
    /// DNS lookups.
    Dns,
    /// Think time of either end while the path is fast.
    Waiting,
    /// Answers that say that the server failed.
    Errors,
}

impl Family {
    /// All families in order.
    pub const ALL: [Self; 12] = [
        Self::Status,
        Self::Host,
        Self::Connect,
        Self::Loss,
        Self::Latency,
        Self::Limited,
        Self::Unanswered,
        Self::Cpu,
        Self::Pressure,
        Self::Dns,
        Self::Waiting,
        Self::Errors,
    ];

    /// Name in the documentation.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Status => "Pod status",
            Self::Host => "Node drops",
            Self::Connect => "connect",
            Self::Loss => "loss",
            Self::Latency => "latency",
            Self::Limited => "limited senders",
            Self::Unanswered => "unanswered requests",
            Self::Cpu => "CPU",
            Self::Pressure => "pressure",
            Self::Dns => "DNS",
            Self::Waiting => "waiting",
            Self::Errors => "errors",
        }
    }
}

/// One cause. Texts are Markdown without headings.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable identifier: the hint's `cause`.
    pub id: &'static str,
    /// The judge that applies it.
    pub family: Family,
    /// Place among all rules, ascending and unique. Of two hints the one with the lower order comes first.
    pub order: u16,
    /// The hint's `symptom`.
    pub symptom: &'static str,
    /// Meaning of the hint.
    pub meaning: &'static str,
    /// Metrics and files that it uses.
    pub signals: &'static [&'static str],
    /// The test, with its false-alarm rate.
    pub test: &'static str,
    /// Data below which the rule abstains.
    pub minimum: &'static str,
    /// Exclusions that hold although the test does.
    pub ruled_out_by: &'static str,
    /// Action for the person on call.
    pub action: &'static str,
    /// Causes of the same subject that explain this one. While one of them holds, this rule is a link of its chain and
    /// no hint of its own. When several hold, the first in this list wins.
    pub caused_by: &'static [&'static str],
    /// Causes at the blamed Pod that explain this one at its callers. Both hints belong to one incident.
    pub caused_by_at_peer: &'static [&'static str],
    /// PromQL that shows the cause in Prometheus.
    pub queries: &'static [QueryTemplate],
}

/// A PromQL query with placeholders: `{S}` stands for the subject's labels, `{L,` for the same with room for more,
/// `{N}` for the Node's label, and `R` after a brace for the range.
#[derive(Clone, Copy, Debug)]
pub struct QueryTemplate {
    /// Title of the result.
    pub shows: &'static str,
    /// The query.
    pub promql: &'static str,
}
