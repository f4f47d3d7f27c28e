//! The culprit of latency.

use super::*;

fn with_rtt(count: usize, usual_us: u32) -> Mesh {
    let mut mesh = Mesh::new(count, 1);
    mesh.change(|_, _| true, |edge| edge.min_rtt = Some(MinRtt { now_us: usual_us, usual_us }));
    mesh
}

fn rise(mesh: &mut Mesh, which: impl Fn(usize, usize) -> bool, by_us: u32) {
    mesh.change(which, |edge| {
        if let Some(rtt) = &mut edge.min_rtt {
            rtt.now_us += by_us;
        }
    });
}

#[test]
fn a_slow_node_is_named_with_the_median_rise() {
    let mut mesh = with_rtt(12, 300);
    rise(&mut mesh, |from, to| from == 3 || to == 3, 2_000);
    rise(&mut mesh, |from, to| (from, to) == (3, 0), 5_000);
    let verdicts = mesh.judge();
    let [Finding::Blamed(verdict)] = &verdicts.findings[..] else { panic!("{:?}", verdicts.findings) };
    assert_eq!((verdict.culprit, verdict.symptom), (Culprit::Node(mesh.ends[3]), Symptom::Latency));
    assert_eq!(verdict.evidence.shift_us, Some(2_000));
    assert!(verdicts.nodes[3].latency > verdicts.nodes[4].latency);
}

#[test]
fn tiny_and_relatively_small_rises_are_none() {
    for (usual_us, by_us) in [(20, 400), (5_000, 2_000)] {
        let mut mesh = with_rtt(12, usual_us);
        rise(&mut mesh, |from, to| from == 3 || to == 3, by_us);
        assert_eq!(mesh.judge().findings, [], "{usual_us} + {by_us} µs");
    }
}

#[test]
fn one_slow_pair_is_named_and_one_slow_conversation_is_not() {
    let mut mesh = with_rtt(12, 300);
    rise(&mut mesh, |from, to| [(2, 7), (7, 2)].contains(&(from, to)), 2_000);
    assert_eq!(mesh.blamed(), [Culprit::Pair(mesh.ends[2], mesh.ends[7])]);
    mesh.change(|_, _| true, |edge| edge.flows = 1);
    assert_eq!(mesh.judge().findings, []);
}

#[test]
fn edges_without_a_baseline_say_nothing() {
    let mut mesh = with_rtt(12, 300);
    rise(&mut mesh, |from, to| from == 3 || to == 3, 2_000);
    mesh.change(|from, to| from == 3 || to == 3, |edge| edge.min_rtt = None);
    let verdicts = mesh.judge();
    assert_eq!(verdicts.findings, []);
    assert_eq!(verdicts.nodes[3].latency, None);
    assert!(verdicts.nodes[4].latency.is_some());
}
