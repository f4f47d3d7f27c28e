use super::*;
use crate::blame::EndId;

fn edge(segments: u64, episodes: u32) -> Edge {
    Edge { baseline: Some(1e-3), ..Edge::new(EndId(0), EndId(1), segments, episodes) }
}

#[test]
fn without_bursts_the_ratio_is_poissons() {
    for (k, normal, extra) in [(0.0_f32, 2.0_f32, 6.0_f32), (5.0, 2.0, 6.0), (40.0, 10.0, 30.0)] {
        let poisson = k * (1.0 + extra / normal).ln() - extra;
        let got = log_ratio(k, normal, extra, 1e5);
        assert!((got - poisson).abs() < 0.05, "{k} {normal} {extra}: {got} against {poisson}");
    }
}

#[test]
fn bursty_edges_say_less_either_way() {
    for episodes in [0.0, 200.0] {
        let [steady, bursty] = [100.0, 1.0].map(|shape| log_ratio(episodes, 10.0, 50.0, shape));
        assert!(bursty.abs() < steady.abs() && bursty.signum() == steady.signum(), "{steady} {bursty}");
    }
}

#[test]
fn evidence_of_one_edge_is_bounded() {
    let parameters = Parameters::default();
    let loss = Loss::new(&parameters, 1.0);
    let most = loss.nats(&edge(10_000, 10_000)).unwrap();
    let least = loss.nats(&edge(100_000_000, 0)).unwrap();
    assert!(most.iter().all(|nats| *nats <= parameters.edge_cap), "{most:?}");
    assert!(least.iter().all(|nats| *nats >= parameters.spared.ln() - 1e-3), "{least:?}");
    assert_eq!(loss.nats(&edge(0, 0)), None);
}

#[test]
fn an_edge_without_a_baseline_convicts_no_pair() {
    let parameters = Parameters::default();
    let loss = Loss::new(&parameters, 1.0);
    let known = Edge { flows: 10, lossy_flows: 10, ..edge(10_000, 500) };
    let unknown = Edge { baseline: None, ..known };
    assert!(loss.pair_nats(&[&known]) > 2.0 * f64::from(parameters.edge_cap));
    assert!(loss.pair_nats(&[&unknown]) <= f64::from(parameters.edge_cap));
}

#[test]
fn a_burst_on_one_conversation_says_less_than_the_same_on_ten() {
    let parameters = Parameters::default();
    let loss = Loss::new(&parameters, 1.0);
    let [one, ten] = [1, 10].map(|lossy_flows| {
        let edge = Edge { flows: 10, lossy_flows, baseline: Some(1e-4), ..edge(2_000, 30) };
        loss.pair_nats(&[&edge])
    });
    assert!(one < 11.0 && ten > 20.0, "{one} {ten}");
}
