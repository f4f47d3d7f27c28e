use super::*;
use crate::eval::simulator::cluster::Size;
use rand::SeedableRng as _;

/// Mean of episodes per expected one, over the links that no fault hits and over the others.
fn ratios(faults: &[Fault], partial: Partial) -> [f64; 2] {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut cluster = Cluster::new(Size { nodes: 100, servers: 20.0, blind: 0.0 }, &mut rng);
    let faults: Vec<Fault> = faults.to_vec();
    window(&mut cluster, &faults, partial, &mut rng);
    let mut sums = [(0.0, 0.0); 2];
    for (edge, link) in cluster.fleet.edges().iter().zip(&cluster.links) {
        let hit = faults.iter().any(|fault| fault.hits(link, &cluster.fleet));
        let sum = &mut sums[usize::from(hit)];
        let ratio: f64 = faults.iter().map(|fault| fault.ratio).sum();
        let expected = link.loss + if hit { ratio * partial.hit } else { 0.0 };
        let expected = expected * edge.segments as f64;
        if expected >= 0.5 {
            *sum = (sum.0 + f64::from(edge.episodes) / expected, sum.1 + 1.0);
        }
    }
    sums.map(|(sum, links)| sum / links)
}

#[test]
fn a_window_loses_what_its_links_and_faults_say() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let cluster = Cluster::new(Size { nodes: 100, servers: 20.0, blind: 0.0 }, &mut rng);
    let fault = Fault { culprit: Culprit::Node(cluster.nodes[5]), ratio: 0.02 };
    for hit in [1.0, 0.5] {
        for ratio in ratios(&[fault], Partial { hit, variation: 0.0 }) {
            assert!((0.7..1.4).contains(&ratio), "{hit}: {ratio}");
        }
    }
}

#[test]
fn faults_of_one_window_share_no_component() {
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    let cluster = Cluster::new(Size { nodes: 100, servers: 20.0, blind: 0.2 }, &mut rng);
    for _ in 0..50 {
        let faults = Fault::draw(&cluster, 4, &mut rng);
        let mut all: Vec<EndId> = faults.iter().flat_map(|fault| ends(fault.culprit)).collect();
        let before = all.len();
        all.sort();
        all.dedup();
        assert_eq!((faults.len(), all.len()), (4, before), "{faults:?}");
    }
}
