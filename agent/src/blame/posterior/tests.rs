use super::*;

/// Rows of one agent: `n` peers, each with its pair and its Node (2i and 2i+1); 0 is the own Node.
fn rows(nats: &[f64]) -> Vec<Row<usize>> {
    let row = |(at, nats): (usize, &f64)| Row {
        nats: vec![*nats],
        components: vec![0, 2 * at + 1, 2 * at + 2],
        perhaps: vec![],
    };
    nats.iter().enumerate().map(row).collect()
}

fn of_first(nats: &[f64]) -> BTreeMap<usize, f64> {
    Posterior::new(rows(nats)).of(0, |_| 1.0).into_iter().collect()
}

const BAD: f64 = 30.0;
const CLEAN: f64 = -30.0;

#[test]
fn one_bad_peer_alone_leaves_both_nodes_and_the_path_even() {
    let p = of_first(&[BAD]);
    assert!(p.values().all(|p| (0.27..0.33).contains(p)), "{p:?}");
}

#[test]
fn clean_peers_acquit_the_own_node_and_leave_path_and_peer_even() {
    let p = of_first(&[BAD, CLEAN]);
    assert!(p[&0] < 0.15 && (p[&1] - p[&2]).abs() < 1e-9, "{p:?}");
    let p = of_first(&[BAD, CLEAN, CLEAN, CLEAN, CLEAN]);
    assert!(p[&0] < 0.02 && p[&1] > 0.44, "{p:?}");
    let sum: f64 = p.values().sum();
    assert!(sum < 1.0, "{sum}");
}

#[test]
fn rows_without_power_acquit_nobody() {
    let p = of_first(&[BAD, 0.0, 0.0, 0.0]);
    assert!((p[&0] - p[&1]).abs() < 0.01, "{p:?}");
}

#[test]
fn several_bad_peers_share_the_own_node() {
    let p = of_first(&[BAD, BAD, BAD]);
    assert!(p[&0] > 0.9, "{p:?}");
    let p = of_first(&[BAD, BAD, BAD, CLEAN]);
    assert!(p[&0] > 0.85, "{p:?}");
}

#[test]
fn two_bad_peers_among_many_clean_ones_are_undecided() {
    let mut nats = vec![CLEAN; 12];
    (nats[0], nats[1]) = (BAD, BAD);
    let p = of_first(&nats);
    assert!(p.values().all(|p| *p < 0.8), "{p:?}");
}

#[test]
fn weak_evidence_says_little() {
    let p = of_first(&[1.0]);
    let sum: f64 = p.values().sum();
    assert!(sum < 0.9, "{sum}");
}

#[test]
fn the_magnitude_that_fits_all_rows_counts() {
    // The second row would show only the larger fault, and the first has the smaller.
    let first = Row { nats: vec![30.0, -30.0], components: vec![0, 1], perhaps: vec![] };
    let second = Row { nats: vec![0.0, -30.0], components: vec![0], perhaps: vec![] };
    let rows = vec![first, second];
    let p: BTreeMap<_, _> = Posterior::new(rows).of(0, |_| 1.0).into_iter().collect();
    assert!((p[&0] - p[&1]).abs() < 0.01, "{p:?}");
}

#[test]
fn a_component_that_a_row_may_depend_on_explains_it_half() {
    let sure = Row { nats: vec![BAD], components: vec![0, 1], perhaps: vec![] };
    let unsure = Row { nats: vec![BAD], components: vec![0], perhaps: vec![1] };
    let rows = vec![sure.clone(), sure, unsure];
    let p: BTreeMap<_, _> = Posterior::new(rows).of(0, |_| 1.0).into_iter().collect();
    assert!(p[&1] > 0.25 && p[&1] < p[&0], "{p:?}");
}

/// Two rows to each of two peers: both may be at fault at once, so that one clean peer is enough for doubt.
#[test]
fn two_faults_at_once_cost_one_price_each() {
    let row = |nats, peer: usize| Row { nats: vec![nats], components: vec![0, peer], perhaps: vec![] };
    let rows = vec![row(BAD, 1), row(BAD, 1), row(BAD, 2), row(BAD, 2), row(CLEAN, 3), row(CLEAN, 3)];
    let p: BTreeMap<_, _> = Posterior::new(rows).of(0, |_| 1.0).into_iter().collect();
    assert!(p[&0] < 0.9 && p[&1] > 0.05, "{p:?}");
}
