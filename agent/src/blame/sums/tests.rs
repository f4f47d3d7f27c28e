use super::*;
use crate::blame::{Fleet, loss::Loss};

#[test]
fn discarding_a_row_equals_never_adding_it() {
    let build = |rows: u32| {
        let mut fleet = Fleet::new();
        let ends: Vec<EndId> = (0..6).map(|i| fleet.node(&i.to_string(), Some(["a", "b"][i % 2]))).collect();
        let pod = fleet.pod("x/y");
        for row in 0..rows {
            let (from, to) = (ends[row as usize % 6], ends[(row as usize * 2 + 1) % 6]);
            let edge = Edge::new(from, to, 1000 * u64::from(row + 1), row * 3);
            fleet.push(Edge { baseline: Some(1e-4), from_pod: Some(pod), ..edge });
        }
        fleet
    };
    let parameters = Parameters::default();
    let loss = Loss::new(&parameters, 1.0);
    let (all, some) = (build(20), build(15));
    let graph = Graph::new(&all);
    let mut sums = Sums::new(&graph, &loss, &parameters);
    for row in 15..20 {
        let edge = graph.edge(row);
        if edge.from != edge.to {
            sums.discard(&graph, edge, &loss);
        }
    }
    let graph_of_some = Graph::new(&some);
    let fresh = Sums::new(&graph_of_some, &loss, &parameters).above(&graph_of_some, f64::NEG_INFINITY);
    let left = sums.above(&graph, f64::NEG_INFINITY);
    assert_eq!(left.len(), fresh.len());
    for (left, fresh) in left.iter().zip(&fresh) {
        assert_eq!(left.culprit, fresh.culprit);
        assert!((left.score - fresh.score).abs() < 1e-6, "{left:?} {fresh:?}");
    }
}
