//! The shape of a rule. This file imports nothing, so that every other one may use it.

/// Rules that are judged together. The order of the variants is the order of judgement: an edge that one family
/// explains is left alone by those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// What the API server says of the Pod itself.
    Status,
    /// What this Node itself drops.
    Host,
    /// Handshakes: turned away, unanswered, refused; and peers that fell silent.
    Connect,
    /// Lost packets.
    Loss,
    /// Paths that became longer.
    Latency,
    /// Senders held back by the peer's window or their own buffer.
    Limited,
    /// The Pod's own CPU limit.
    Cpu,
    /// CPU, memory and IO that the Pod waits for without being limited.
    Pressure,
    /// Names: DNS lookups.
    Dns,
    /// Time spent thinking at one end while the path is fast.
    Waiting,
}

impl Family {
    /// All families in order.
    pub const ALL: [Self; 10] = [
        Self::Status,
        Self::Host,
        Self::Connect,
        Self::Loss,
        Self::Latency,
        Self::Limited,
        Self::Cpu,
        Self::Pressure,
        Self::Dns,
        Self::Waiting,
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
            Self::Cpu => "CPU",
            Self::Pressure => "pressure",
            Self::Dns => "DNS",
            Self::Waiting => "waiting",
        }
    }
}

/// One cause. Texts are Markdown without headings.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable identifier: the hint's `cause`.
    pub id: &'static str,
    /// With which rules it is judged.
    pub family: Family,
    /// Place among all rules, ascending, unique: of two hints the lower comes first.
    pub order: u16,
    /// The hint's `symptom`.
    pub symptom: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Metrics and files that it is judged from.
    pub signals: &'static [&'static str],
    /// When it holds, with its false-alarm rate.
    pub test: &'static str,
    /// Data below which it stays silent.
    pub minimum: &'static str,
    /// What keeps it silent although the test holds.
    pub ruled_out_by: &'static str,
    /// What to do.
    pub action: &'static str,
    /// Causes of the same subject that explain this one. While one of them holds, this rule is a link of its chain and no
    /// hint of its own. The first that holds wins.
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
