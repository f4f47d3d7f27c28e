use super::*;
use crate::sample::Cumulative as _;
use netwhy_abi::{CgroupStats, DnsStats, EdgeStats, Fill, RunQueueStats};

#[test]
fn rows_of_format_1_keep_their_values() {
    let mut edge = json!({
        "rtt": [[3, 9]], "rtt_sum_us": 90, "min_slots": [0, 7, 0, 0], "flow": [1, 2, 3, 4], "retransmits": [1, 0, 0, 0, 0, 0, 2],
        "episodes": 5, "connects": [6, 7], "failures": [8], "resets": [9, 10], "jiffies": [11, 12, 13],
        "zero_window": 14, "stuck": [15, 16], "replies": [17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 18],
    });
    upgrade("edges", &mut edge).unwrap();
    let row = EdgeStats::restore(&edge).unwrap();
    assert_eq!((row.rtt.buckets[3], row.rtt.sum, row.min_rtt_us.0[1]), (9, 90, 7));
    assert_eq!([row.data_segs_out, row.segs_out, row.bytes_acked, row.bytes_received], [1, 2, 3, 4]);
    assert_eq!((row.retransmits[6], row.loss_episodes, row.connects, row.connect_failures[0]), (2, 5, [6, 7], 8));
    assert_eq!([row.resets_sent, row.resets_received, row.zero_window], [9, 10, 14]);
    assert_eq!([row.busy_jiffies, row.rwnd_jiffies, row.sndbuf_jiffies], [11, 12, 13]);
    assert_eq!([row.full_size_timeouts, row.unread_full], [15, 16]);
    assert_eq!((row.replies[0], row.replies[15]), (17, 18));

    let mut cgroup = json!({ "connects": [[], [[4, 2]]], "sum_us": [0, 8], "accept_drops": 1, "accept_full": 3 });
    upgrade("cgroups", &mut cgroup).unwrap();
    let row = CgroupStats::restore(&cgroup).unwrap();
    assert_eq!((row.durations[1].buckets[4], row.durations[1].sum, row.accept_drops, row.accept_full), (2, 8, 1, 3));
    assert_eq!(row.accept_fill, Fill::ZERO, "a recording from before it was counted");

    let mut dns = json!({ "durations": [[7, 3]], "sum_us": 77, "answered": 3, "unanswered": 1 });
    upgrade("dns", &mut dns).unwrap();
    let row = DnsStats::restore(&dns).unwrap();
    assert_eq!((row.durations.buckets[7], row.durations.sum, row.answered, row.unanswered), (3, 77, 3, 1));

    let mut waits = json!({ "buckets": [[1, 2]], "sum_ns": 3 });
    upgrade("run_queue", &mut waits).unwrap();
    let row = RunQueueStats::restore(&waits).unwrap();
    assert_eq!((row.buckets[1], row.sum), (2, 3));
}

#[test]
fn other_fields_stay_to_be_refused_by_name() {
    let mut dns = json!({ "durations": [], "sum_us": 0, "answered": 3, "unanswered": 1, "echoes": 4 });
    upgrade("dns", &mut dns).unwrap();
    assert_eq!(DnsStats::restore(&dns).unwrap_err(), "a DnsStats has no field `echoes`");
}
