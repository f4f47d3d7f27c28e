//! Places the nodes of a directed graph in layers, callers left of callees. The same graph is always drawn alike.
//!
//! ```text
//! acyclic ─► layers ─► slots (an edge has one in every layer that it crosses) ─► order ─► rows
//! ```

use std::collections::{BTreeMap, BTreeSet};

/// Sweeps over the layers that put each slot near its neighbours.
const SWEEPS: usize = 8;

/// Where everything is: layers from the left, rows from the top of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// Layer and row of each node.
    pub(super) nodes: Vec<(usize, usize)>,
    /// The places that each edge passes, from its first node's to its last one's. Empty: a node calls itself.
    pub(super) edges: Vec<Vec<(usize, usize)>>,
    /// Rows of each layer.
    pub(super) rows: Vec<usize>,
}

/// A place in a layer: a node's, or one that an edge passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Node(usize),
    Bend { edge: usize, layer: usize },
}

/// Places `nodes` nodes. Edges name them by number.
pub(super) fn layout(nodes: usize, edges: &[(usize, usize)]) -> Layout {
    let forward = forward(nodes, edges);
    let layer = layers(nodes, edges, &forward);
    let count = layer.iter().max().map_or(0, |last| last + 1);
    let mut slots: Vec<Vec<Slot>> = vec![Vec::new(); count];
    for (node, layer) in layer.iter().enumerate() {
        slots[*layer].push(Slot::Node(node));
    }
    // From left to right, whatever the edge's direction.
    let mut paths: Vec<Vec<Slot>> = Vec::new();
    for (number, (from, to)) in edges.iter().enumerate() {
        let (left, right) = if forward[number] { (*from, *to) } else { (*to, *from) };
        let bends = (layer[left] + 1..layer[right]).map(|layer| Slot::Bend { edge: number, layer });
        let bends: Vec<Slot> = bends.collect();
        for slot in &bends {
            if let Slot::Bend { layer, .. } = slot {
                slots[*layer].push(*slot);
            }
        }
        let path = std::iter::once(Slot::Node(left)).chain(bends).chain([Slot::Node(right)]);
        paths.push(if from == to { Vec::new() } else { path.collect() });
    }
    order(&mut slots, &paths);
    let mut place: BTreeMap<Slot, (usize, usize)> = BTreeMap::new();
    for (layer, slots) in slots.iter().enumerate() {
        place.extend(slots.iter().enumerate().map(|(row, slot)| (*slot, (layer, row))));
    }
    let at = |slot: &Slot| place.get(slot).copied().unwrap_or_default();
    let placed = |(number, path): (usize, &Vec<Slot>)| {
        let mut places: Vec<(usize, usize)> = path.iter().map(at).collect();
        if !forward[number] {
            places.reverse();
        }
        places
    };
    Layout {
        nodes: (0..nodes).map(|node| at(&Slot::Node(node))).collect(),
        edges: paths.iter().enumerate().map(placed).collect(),
        rows: slots.iter().map(Vec::len).collect(),
    }
}

/// For each edge whether it leads to the right: those that close a cycle lead back.
fn forward(nodes: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    let mut out = vec![true; edges.len()];
    let mut outgoing: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    let mut incoming = vec![0_usize; nodes];
    for (number, (from, to)) in edges.iter().enumerate() {
        outgoing[*from].push(number);
        incoming[*to] += usize::from(from != to);
    }
    // Those that nobody calls first.
    let mut starts: Vec<usize> = (0..nodes).collect();
    starts.sort_by_key(|node| (incoming[*node] > 0, *node));
    let (mut seen, mut open) = (vec![false; nodes], vec![false; nodes]);
    for start in starts {
        if seen[start] {
            continue;
        }
        (seen[start], open[start]) = (true, true);
        let mut stack = vec![(start, 0)];
        while let Some((node, next)) = stack.last_mut() {
            let Some(number) = outgoing[*node].get(*next).copied() else {
                open[*node] = false;
                stack.pop();
                continue;
            };
            *next += 1;
            let to = edges[number].1;
            if open[to] {
                out[number] = false;
            } else if !seen[to] {
                (seen[to], open[to]) = (true, true);
                stack.push((to, 0));
            }
        }
    }
    out
}

/// The layer of each node: one more than that of the last node left of it.
fn layers(nodes: usize, edges: &[(usize, usize)], forward: &[bool]) -> Vec<usize> {
    let mut pairs: Vec<(usize, usize)> =
        edges.iter().zip(forward).map(|((a, b), f)| if *f { (*a, *b) } else { (*b, *a) }).collect();
    pairs.retain(|(a, b)| a != b);
    let mut waits = vec![0_usize; nodes];
    pairs.iter().for_each(|(_, to)| waits[*to] += 1);
    let mut layer = vec![0; nodes];
    let mut ready: BTreeSet<usize> = (0..nodes).filter(|node| waits[*node] == 0).collect();
    while let Some(node) = ready.pop_first() {
        for (_, to) in pairs.iter().filter(|(from, _)| *from == node) {
            layer[*to] = layer[*to].max(layer[node] + 1);
            waits[*to] -= 1;
            if waits[*to] == 0 {
                ready.insert(*to);
            }
        }
    }
    layer
}

/// Puts each slot at the mean row of its neighbours: in turns those on the left, and those on the right.
fn order(slots: &mut [Vec<Slot>], paths: &[Vec<Slot>]) {
    let (mut left, mut right): (BTreeMap<Slot, Vec<Slot>>, BTreeMap<Slot, Vec<Slot>>) = Default::default();
    for pair in paths.iter().flat_map(|path| path.windows(2)) {
        right.entry(pair[0]).or_default().push(pair[1]);
        left.entry(pair[1]).or_default().push(pair[0]);
    }
    for sweep in 0..SWEEPS {
        let to_right = sweep % 2 == 0;
        let neighbours = if to_right { &left } else { &right };
        let mut row: BTreeMap<Slot, f64> = BTreeMap::new();
        for at in 0..slots.len() {
            let layer = if to_right { at } else { slots.len() - 1 - at };
            let mut keyed: Vec<(f64, Slot)> = Vec::new();
            for (own, slot) in slots[layer].iter().enumerate() {
                let known: Vec<f64> =
                    neighbours.get(slot).into_iter().flatten().filter_map(|other| row.get(other)).copied().collect();
                let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
                keyed.push((if known.is_empty() { centred(own, slots[layer].len()) } else { mean }, *slot));
            }
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            slots[layer] = keyed.into_iter().map(|(_, slot)| slot).collect();
            let rows = slots[layer].len();
            row.extend(slots[layer].iter().enumerate().map(|(own, slot)| (*slot, centred(own, rows))));
        }
    }
}

/// A row's distance from the middle of its layer.
fn centred(row: usize, rows: usize) -> f64 {
    row as f64 - (rows as f64 - 1.0) / 2.0
}

#[cfg(test)]
mod tests;
