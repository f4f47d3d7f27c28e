use super::super::guest::Test;
use super::*;

fn outcome(release: &str, preflight: &str) -> Outcome {
    let test = |name: &str, verdict| Test { name: name.to_owned(), verdict };
    Outcome {
        release: release.to_owned(),
        preflight: preflight.to_owned(),
        tests: vec![test("a", Verdict::Passed), test("b", Verdict::Skipped("machine: old".to_owned()))],
        ..Outcome::default()
    }
}

#[test]
fn every_signal_has_a_row_and_every_gap_its_reason() {
    let old = outcome(
        "5.10.0-cloud",
        "{\"level\":\"INFO\"}\nkernel                  ok        5.10\nprobe rtt               ok        loaded and attached\n\
         probe drops             degraded  this kernel's tracepoint kfree_skb has too few arguments\n\
         \u{20}                                 → use Linux 5.17 or later\n",
    );
    let new = outcome("6.12", "probe rtt  ok  loaded\nprobe drops  ok  loaded\nprobe dns  missing  no | hook\n");
    let gone = Outcome::default();
    assert_eq!(
        markdown(&[("5.10", &old), ("6.12", &new), ("9.9", &gone)]),
        "| signal | 5.10.0-cloud | 6.12 |\n|---|---|---|\n\
         | probe rtt | yes | yes |\n\
         | probe drops | in part | yes |\n\
         | probe dns | – | no |\n\
         | tests passed, failed, skipped | 1, 0, 1 | 1, 0, 1 |\n\n\
         - probe drops, 5.10.0-cloud: this kernel's tracepoint kfree_skb has too few arguments\n\
         - probe dns, 6.12: no \\| hook\n\
         - 9.9: did not boot\n"
    );
}
