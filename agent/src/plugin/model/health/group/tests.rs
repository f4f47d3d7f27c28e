use super::{super::super::testing, *};

fn looking_up(unanswered: u64, code: &str) -> PodRow {
    let mut row = testing::healthy_row();
    row.window.dns = Some(DnsLookups {
        answered: 7,
        unanswered,
        codes: [("noerror".to_owned(), 5), (code.to_owned(), 2)].into(),
        second_missing: 0,
        durations: DurationQuantiles { p50_seconds: Some(0.001), p99_seconds: Some(0.002) },
    });
    row
}

#[test]
fn counts_of_all_pods_add_up() {
    let (a, b, c) = (looking_up(0, "nxdomain"), looking_up(1, "nxdomain"), testing::healthy_row());
    let mut health = Health::default();
    health.of_group(&[&a, &b, &c]);
    assert_eq!(health.unusual, [Fact::new("DNS", "14 answered (4 nxdomain), 1 without an answer")]);
    let normal = [
        Fact::new("loss", "0 loss episodes in 3000 segments sent by 3 Pods"),
        Fact::new("resets", "0 received, 0 sent, 120 connections completed"),
        Fact::new("drops", "0 packets dropped on its sockets"),
    ];
    assert_eq!((health.normal.as_slice(), health.no_data.len()), (normal.as_slice(), 0));
}

#[test]
fn where_no_pod_was_measured_nothing_is_normal() {
    let mut health = Health::default();
    health.of_group(&[]);
    let names: Vec<&str> = health.no_data.iter().map(|fact| fact.what.as_str()).collect();
    assert_eq!((names, health.normal.len() + health.unusual.len()), (vec!["loss", "DNS", "resets", "drops"], 0));
}
