use super::*;

/// One walk over an edge's connections; returns the weights that changed.
fn walk(pick: &mut Pick, walk: u32, chosen: &[bool]) -> Vec<Option<u32>> {
    chosen.iter().map(|is_chosen| pick.visit(walk, *is_chosen)).collect()
}

#[test]
fn an_edge_without_a_chosen_connection_keeps_one_that_stands_for_all() {
    let mut pick = Pick::ZERO;
    assert_eq!(walk(&mut pick, 1, &[false; 4]), [None; 4]);
    assert_eq!(walk(&mut pick, 2, &[false; 4]), [Some(4 * WEIGHT), None, None, None]);
    assert_eq!(walk(&mut pick, 3, &[true, false, false, false]), [Some(4 * WEIGHT), None, None, None]);
    // Two more connections: the one stands for six from the next walk on.
    walk(&mut pick, 4, &[true, false, false, false, false, false]);
    assert_eq!(walk(&mut pick, 5, &[true, false])[0], Some(6 * WEIGHT));
}

#[test]
fn chosen_connections_share_the_weight_of_their_edge() {
    let mut pick = Pick::ZERO;
    let chosen = [true, false, false, true, false, false, true];
    // How many there are is not known yet: the hash's weight stays.
    assert!(walk(&mut pick, 1, &chosen).iter().all(Option::is_none));
    let weights: Vec<u32> = walk(&mut pick, 2, &chosen).into_iter().flatten().collect();
    assert_eq!(weights, [7 * WEIGHT / 3; 3]);
}

#[test]
fn a_walk_that_was_left_out_is_forgotten() {
    let mut pick = Pick::ZERO;
    walk(&mut pick, 1, &[false; 4]);
    assert_eq!(walk(&mut pick, 3, &[false; 4]), [None; 4]);
}

#[test]
fn fractions_of_a_weight_count_on_average() {
    let sum: u64 = (0..1_600).map(|random| times(WEIGHT * 7 / 3, random)).sum();
    assert_eq!(sum, 1_600 * 37 / 16);
    assert_eq!((times(WEIGHT, 15), times(WEIGHT * 16, 15), times(0, 15)), (1, 16, 0));
}
