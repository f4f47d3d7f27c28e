//! Metrics of the flight recorder. All are absent while no folder is configured.

use crate::{
    api::HistoryStats,
    metrics::definition::{MetricDef, Rows::Node, label},
};

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::gauge(
        "netwhy_agent_history_bytes",
        "Size of the flight recorder's segments.",
        Node(|s, out| out.maybe(s.agent.history.as_ref().map(|history| history.bytes as f64))),
    )
    .bytes(),
    MetricDef::gauge(
        "netwhy_agent_history_max_bytes",
        "Most bytes that the flight recorder may take.",
        Node(|s, out| out.maybe(s.agent.history.as_ref().map(|history| history.max_bytes as f64))),
    )
    .details("`history.max_mib`. The oldest segments go first.")
    .bytes(),
    MetricDef::gauge(
        "netwhy_agent_history_segments",
        "Segments in the flight recorder's folder.",
        Node(|s, out| out.maybe(s.agent.history.as_ref().map(|history| history.segments as f64))),
    ),
    MetricDef::gauge(
        "netwhy_agent_history_age_seconds",
        "Age of the flight recorder's oldest frame.",
        Node(|s, out| {
            let oldest = |history: &HistoryStats| history.oldest_unix_ms;
            let oldest = s.agent.history.as_ref().and_then(oldest);
            out.maybe(oldest.map(|oldest| s.view.unix_ms.saturating_sub(oldest) as f64 / 1e3))
        }),
    )
    .details("So far back `kubectl netwhy why --at` can look. Absent before the first frame.")
    .seconds(),
    MetricDef::gauge(
        "netwhy_agent_history_broken",
        "1 while the flight recorder can't write.",
        Node(|s, out| out.maybe(s.agent.history.as_ref().map(|history| f64::from(u8::from(history.broken.is_some()))))),
    )
    .details("`history` of `/api/v1/info` has the reason."),
    MetricDef::counter(
        "netwhy_agent_history_written_bytes_total",
        "Bytes that the flight recorder wrote.",
        Node(|s, out| s.agent.history.as_ref().map_or(Ok(()), |history| out.counter(&[], history.written_bytes))),
    )
    .bytes(),
    MetricDef::counter(
        "netwhy_agent_history_write_seconds_total",
        "Time that the flight recorder spent on compressing and writing.",
        Node(|s, out| s.agent.history.as_ref().map_or(Ok(()), |history| out.counter_f64(&[], history.seconds))),
    )
    .details("On a thread of its own. The tick's part is the stage `record` of `netwhy_agent_sample_seconds_total`.")
    .seconds(),
    MetricDef::counter(
        "netwhy_agent_history_frames_total",
        "Frames of the flight recorder.",
        Node(|s, out| {
            s.agent.history.as_ref().map_or(Ok(()), |history| {
                out.counter(&[("result", "written")], history.frames)?;
                out.counter(&[("result", "lost")], history.lost_frames)
            })
        }),
    )
    .details("One is lost while the disk is full, slow or broken.")
    .labels(&[label("result", "written, lost")]),
    MetricDef::counter(
        "netwhy_agent_history_lost_segments_total",
        "Segments without a readable frame, removed at the start.",
        Node(|s, out| s.agent.history.as_ref().map_or(Ok(()), |history| out.counter(&[], history.lost_segments))),
    ),
];
