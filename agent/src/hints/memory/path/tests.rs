use super::*;
use crate::hints::testing::{healthy, id, requests::Lcg, rtts, times_of};

fn rise(increase_us: f64, median_us: f64, full: bool) -> Rise {
    Rise {
        now_us: 100.0 + increase_us,
        median_us,
        usual_us: 100.0,
        samples: 20,
        ln_p: -40.0,
        handshakes: 0,
        bulk: false,
        full,
        shortest_us: None,
    }
}

/// The definition, by all pairs.
fn share_only_the_path_of_pairs(all: &[LongerEdge<'_>]) -> bool {
    let are = |a: &LongerEdge<'_>, b: &LongerEdge<'_>| a.rise.full && a.subject != b.subject && a.peer != b.peer;
    all.iter().any(|a| all.iter().any(|b| are(a, b)))
}

/// The definition, by all pairs.
fn rose_both_ways_of_pairs(all: &[LongerEdge<'_>]) -> bool {
    let are = |client: &LongerEdge<'_>, server: &LongerEdge<'_>| {
        let (a, b) = (client.rise.increase_us(), server.rise.increase_us());
        (client.role, server.role) == (Some(Role::Client), Some(Role::Server))
            && client.subject != server.subject
            && client.peer != server.peer
            && client.since.zip(server.since).is_some_and(|(a, b)| a.abs_diff(b) <= TOGETHER)
            && (1.0 / TOGETHER_RATIO..=TOGETHER_RATIO).contains(&(a / b))
            && a.min(b) >= TOGETHER_US
            && server.rise.median_us < DELAYED_ACK_US
    };
    all.iter().any(|a| all.iter().any(|b| are(a, b)))
}

#[test]
fn what_edges_share_is_found_as_by_looking_at_all_pairs() {
    let subjects = [id("cart"), id("payment"), id("search")];
    let mut random = Lcg(3);
    let mut found = [[0; 2]; 2];
    for _ in 0..4_000 {
        let edges = 1 + random.below(6);
        let all: Vec<LongerEdge<'_>> = (0..edges)
            .map(|_| LongerEdge {
                subject: &subjects[random.below(3) as usize],
                peer: Ipv6Addr::from(u128::from(random.below(3))),
                role: [None, Some(Role::Client), Some(Role::Server)][random.below(3) as usize],
                // Some are exactly as far apart as they may be.
                rise: rise(2_000.0 * (1 + random.below(12)) as f64, 1e3 * random.below(60) as f64, random.once_in(4)),
                since: (!random.once_in(5)).then(|| Duration::from_secs(random.below(9))),
            })
            .collect();
        let (path, both_ways) = (share_only_the_path(&all), rose_both_ways(&all));
        assert_eq!(path, share_only_the_path_of_pairs(&all));
        assert_eq!(both_ways, rose_both_ways_of_pairs(&all));
        found[0][usize::from(path)] += 1;
        found[1][usize::from(both_ways)] += 1;
    }
    assert!(found.as_flattened().iter().all(|n| *n > 20), "both outcomes are tried: {found:?}");
}

#[test]
fn full_segments_prove_nothing_where_all_samples_may_be_of_the_ends_of_answers() {
    let is_bulk = |role: Role, samples: &[(u32, u64)], answers: u64| {
        let mut edge = healthy("store", "10.0.0.7");
        edge.role = Some(role);
        edge.window.rtt = rtts(samples);
        (edge.window.data_segs_out, edge.window.bytes_acked) = (3_500, 5_000_000);
        let window = Responses { durations: times_of(&[(3_700, answers)]), ..Responses::default() };
        edge.responses = Some(Box::new(ResponseView { window, ..ResponseView::default() }));
        let normal = Normal { min_us: 100.0, above: 0.0, samples: 1_000.0 };
        match judge(&edge, normal, &Thresholds::default()) {
            Some(Path::Longer(rise)) => rise.bulk,
            other => panic!("{other:?}"),
        }
    };
    let delayed = [(15_000, 2), (22_000, 4), (41_000, 2)];
    assert!(!is_bulk(Role::Server, &delayed, 5), "the client reads late");
    assert!(is_bulk(Role::Server, &delayed, 3), "some are of what came before the ends");
    assert!(is_bulk(Role::Server, &delayed, 0), "one long answer");
    assert!(is_bulk(Role::Server, &[(60_000, 8)], 5), "no kernel delays for so long");
    assert!(is_bulk(Role::Client, &delayed, 5), "it sends no answers");
}
