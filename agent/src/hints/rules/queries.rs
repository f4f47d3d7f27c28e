//! Query templates that several rules share; see [`QueryTemplate`](crate::hints::QueryTemplate).

/// Share of time that the Node's tasks wait, by resource.
pub const NODE_PRESSURE: &str = "sum by (node, resource, kind) (rate(netwhy_node_pressure_seconds_total{N}R))";
/// Loss episodes per segment sent.
pub const LOSS: &str = "sum(rate(netwhy_tcp_loss_episodes_total{S}R)) / sum(rate(netwhy_tcp_segments_sent_total{S}R))";
/// Share of time that a subject's tasks wait, by resource.
pub const PRESSURE: &str = "sum by (resource) (rate(netwhy_pressure_seconds_total{L,kind=\"some\"}R))";
/// Median RTT by peer class.
pub const RTT: &str = "histogram_quantile(0.5, sum by (le, peer) (rate(netwhy_tcp_rtt_seconds_bucket{S}R)))";
/// 95th percentile of response times, by role.
pub const RESPONSE: &str = "histogram_quantile(0.95, sum by (le, role) (rate(netwhy_tcp_response_seconds_bucket{S}R)))";
/// Share of the response times that each stage takes.
pub const RESPONSE_STAGES: &str = "sum by (role, stage) (rate(netwhy_tcp_response_wait_seconds_total{S}R))";
/// Share of HTTP requests that fail, by role and route.
pub const ERRORS: &str = "sum by (role, route) (rate(netwhy_http_request_seconds_count{L,status=~\"5..\"}R)) / sum by (role, route) \
                          (rate(netwhy_http_request_seconds_count{S}R))";
/// Codes of gRPC that say that the server failed, as a pattern.
pub const GRPC_FAILURES: &str = "UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS";
/// Share of gRPC calls that fail, by role and method.
pub const GRPC_ERRORS: &str = "sum by (role, service, method) \
     (rate(netwhy_grpc_call_seconds_count{L,code=~\"UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS\"}R)) / \
     sum by (role, service, method) (rate(netwhy_grpc_call_seconds_count{S}R))";
/// Requests that wait for an answer, by role.
pub const UNANSWERED: &str = "sum by (role) (netwhy_tcp_unanswered_requests{S})";
