use super::*;
use crate::{
    api::Blame,
    plugin::model::{
        settle::settle,
        testing::{hint, peer_row},
    },
};

/// A quarter of the requests from node-a to node-c takes 36 ms longer. Its agent can't tell the path from node-c.
fn longer_now_and_then() -> Hint {
    let mut longer = hint("shop", "payment-1", "path_latency");
    "rtt_inflation".clone_into(&mut longer.symptom);
    longer.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerNode, "node-c", 0.49),
        Suspect::new(BlameKind::NodePair, "node-a↔node-c", 0.49),
    ]);
    SLOW_REQUESTS.clone_into(&mut longer.evidence[0].signal);
    (longer.evidence[0].observed, longer.evidence[0].baseline) = (0.27, Some(0.0));
    longer.evidence[1].signal = format!("{STAGES},stage=\"network\"}}");
    (longer.evidence[1].observed, longer.evidence[1].baseline) = (0.0098, Some(0.0002));
    longer
}

/// Round trips to node-c, of which 99 of 100 are under this.
fn row(from: &str, p99_ms: f64) -> PeerRow {
    let rtt_p99_seconds = Some(p99_ms / 1e3);
    PeerRow { rtt_samples: 400, rtt_p99_seconds, ..peer_row(from, "node-c", 2000, 0, 210) }
}

fn settled(rows: &[PeerRow]) -> Blame {
    let mut hints = [longer_now_and_then()];
    settle(&mut hints, rows);
    hints[0].blame.clone()
}

#[test]
fn short_round_trips_of_other_agents_acquit_the_peers_node() {
    let blame = settled(&[row("node-a", 37.0), row("node-b", 0.3), row("node-d", 0.4)]);
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::NodePair, "node-a↔node-c"), "{blame:?}");
}

/// Servers take time, too: long round trips are no evidence of a delay.
#[test]
fn long_round_trips_say_nothing() {
    let before = longer_now_and_then().blame;
    assert_eq!(settled(&[row("node-a", 37.0), row("node-b", 40.0), row("node-d", 9.5)]), before);
    let few = |from: &str| PeerRow { rtt_samples: 0, ..row(from, 0.3) };
    assert_eq!(settled(&[row("node-a", 37.0), few("node-b"), few("node-d")]), before);
}

/// The hint is as old as its last moment. Rows that are newer can't show it.
#[test]
fn round_trips_acquit_nobody_while_the_delay_is_away() {
    let before = longer_now_and_then().blame;
    assert_eq!(settled(&[row("node-a", 0.3), row("node-b", 0.3), row("node-d", 0.4)]), before);
}

#[test]
fn a_delay_is_as_long_as_the_mean_and_the_share_tell() {
    let delay = Delay::of(&longer_now_and_then()).unwrap();
    assert!((delay.each_seconds() - 0.0356).abs() < 1e-4, "{delay:?}");
    let mut always = longer_now_and_then();
    always.evidence.truncate(1);
    always.evidence[0].signal = format!("{ROUND_TRIPS}{{quantile=\"0.1\"}}");
    (always.evidence[0].observed, always.evidence[0].baseline) = (0.0152, Some(0.0002));
    let delay = Delay::of(&always).unwrap();
    assert!(delay.share == 1.0 && (delay.mean_seconds - 0.015).abs() < 1e-9, "{delay:?}");
    assert!(Delay::shown(&always, &[row("node-a", 37.0)]).is_none());
}
