//! Query templates that several rules share; see [`QueryTemplate`](crate::hints::QueryTemplate).

/// Share of time that the Node's tasks wait, by resource.
pub const NODE_PRESSURE: &str = "sum by (node, resource, kind) (rate(netwhy_node_pressure_seconds_total{N}R))";
/// Loss episodes per segment sent.
pub const LOSS: &str = "sum(rate(netwhy_tcp_loss_episodes_total{S}R)) / sum(rate(netwhy_tcp_segments_sent_total{S}R))";
/// Share of time that a subject's tasks wait, by resource.
pub const PRESSURE: &str = "sum by (resource) (rate(netwhy_pressure_seconds_total{L,kind=\"some\"}R))";
/// Median RTT by peer class.
pub const RTT: &str = "histogram_quantile(0.5, sum by (le, peer) (rate(netwhy_tcp_rtt_seconds_bucket{S}R)))";
