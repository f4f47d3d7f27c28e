use super::*;

/// Every place is taken once, and every edge goes from layer to layer.
fn assert_sound(nodes: usize, edges: &[(usize, usize)]) -> Layout {
    let out = layout(nodes, edges);
    assert_eq!(out, layout(nodes, edges), "always the same");
    let mut taken: BTreeSet<(usize, usize)> = BTreeSet::new();
    assert!(out.nodes.iter().all(|place| taken.insert(*place)), "{out:?}");
    for ((from, to), path) in edges.iter().zip(&out.edges) {
        if from == to {
            assert!(path.is_empty());
            continue;
        }
        assert_eq!((path.first(), path.last()), (Some(&out.nodes[*from]), Some(&out.nodes[*to])), "{out:?}");
        assert!(path.windows(2).all(|pair| pair[0].0.abs_diff(pair[1].0) == 1), "{out:?}");
        let bends = &path[1..path.len() - 1];
        assert!(bends.iter().all(|place| taken.insert(*place)), "{out:?}");
    }
    assert!(taken.iter().all(|(layer, row)| *row < out.rows[*layer]), "{out:?}");
    out
}

#[test]
fn callers_are_left_of_callees() {
    let out = assert_sound(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]);
    assert_eq!(out.nodes.iter().map(|(layer, _)| *layer).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(out.edges[2].len(), 3, "it passes the layer between");
}

#[test]
fn a_cycle_has_an_edge_that_leads_back() {
    let out = assert_sound(3, &[(0, 1), (1, 2), (2, 1), (1, 1)]);
    assert_eq!(out.nodes.iter().map(|(layer, _)| *layer).collect::<Vec<_>>(), [0, 1, 2]);
    assert_sound(2, &[(0, 1), (1, 0)]);
}

#[test]
fn edges_do_not_cross_where_they_need_not() {
    // 0 calls 3, and 1 calls 2.
    let out = assert_sound(4, &[(0, 3), (1, 2)]);
    assert_eq!(out.nodes[0].1 < out.nodes[1].1, out.nodes[3].1 < out.nodes[2].1, "{out:?}");
}

#[test]
fn any_graph_is_drawn() {
    assert_eq!(assert_sound(0, &[]), Layout::default());
    assert_sound(3, &[]);
    let mut number = 7_usize;
    let mut next = |below: usize| {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (number >> 33) % below
    };
    for _ in 0..50 {
        let nodes = 1 + next(30);
        let edges: Vec<(usize, usize)> = (0..next(60)).map(|_| (next(nodes), next(nodes))).collect();
        assert_sound(nodes, &edges);
    }
}
