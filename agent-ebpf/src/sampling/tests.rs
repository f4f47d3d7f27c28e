use super::*;

#[test]
fn busier_sockets_are_sampled_less_often_but_never_too_little() {
    let sampling = Sampling::new(16);
    // Segments a second with jiffies of 4 ms, and samples that 20 s of them give.
    for (rate, least, most) in [(20u32, 15, 40), (60, 45, 110), (1_000, 60, 260), (10_000, 500, 1_500)] {
        let segments = 20 * rate;
        let jiffy = |n: u32| (u64::from(n) * 250 / u64::from(rate)) as u32;
        let samples = (1..segments).filter(|n| {
            let (first, second) = random_bits(*n, n.wrapping_mul(100));
            first <= sampling.threshold && !is_thinned_out(jiffy(*n) - jiffy(n - 1), false, second)
        });
        let samples = samples.count();
        assert!((least..=most).contains(&samples), "{rate}/s: {samples}");
    }
}

#[test]
fn sampling_is_more_frequent_on_a_duty_cycle_and_after_a_pause_up_to_every_segment() {
    let share =
        |every, reduced, pause| (f64::from(Sampling::new(every).threshold_for(reduced, pause)) + 1.0) / 4_294_967_296.0;
    for every in [1, 2, 4, 8, 16, 1024] {
        for (reduced, pause, times) in [(false, false, 1), (true, false, 8), (false, true, 4), (true, true, 32)] {
            let want = (f64::from(times) / f64::from(every)).min(1.0);
            let got = share(every, reduced, pause);
            assert!((got / want - 1.0).abs() < 1e-6, "{every} {reduced} {pause}: {got}");
        }
    }
    assert!(is_after_pause(u32::MAX) && is_after_pause(8) && !is_after_pause(7));
}

#[test]
fn one_segment_in_n_is_sampled_whatever_the_traffic_pattern() {
    for every in [1, 2, 16, 64, 1000] {
        let sampling = Sampling::new(every);
        // Pure ACKs, requests of one size, full segments; each on several sockets.
        for step in [0u32, 64, 1448] {
            let (mut sampled, mut longest) = (0u32, 0u32);
            for socket in 0..8u32 {
                let (mut expected, mut since) = (socket.wrapping_mul(0x1234_5671), 0);
                for segment in 0..20_000u32 {
                    expected = expected.wrapping_add(step);
                    since += 1;
                    if random_bits(segment, expected).0 <= sampling.threshold {
                        sampled += 1;
                        longest = longest.max(since);
                        since = 0;
                    }
                }
            }
            let mean = 160_000.0 / f64::from(sampled);
            assert!((mean / f64::from(every) - 1.0).abs() < 0.15, "{every} {step}: {mean}");
            assert!(longest <= every * 14, "{every} {step}: a gap of {longest}");
        }
    }
}

#[test]
fn one_short_socket_in_n_is_sampled_also_with_a_single_port() {
    for (hashes, times) in [(80_000u32, 1u32), (1, 80_000), (400, 200)] {
        let each = (0..hashes).flat_map(|hash| (0..times).map(move |time| (hash.wrapping_mul(0x9e37_79b1), time)));
        let sampled = each.filter(|(hash, time)| is_socket_sampled(*hash, 4_294_900_000 + *time)).count() as f64;
        let share = sampled / (f64::from(hashes) * f64::from(times));
        assert!((share * f64::from(SHORT_SOCKET_WEIGHT) - 1.0).abs() < 0.06, "{hashes} × {times}: {share}");
    }
}

#[test]
fn the_second_number_is_independent_of_the_first() {
    let sampling = Sampling::new(16);
    let drawn = (0..64_000).map(|i| random_bits(i, 7)).filter(|(first, _)| *first <= sampling.threshold);
    let sampled: Vec<u32> = drawn.map(|(_, second)| second & 7).collect();
    for value in 0..8 {
        let n = sampled.iter().filter(|v| **v == value).count() as f64;
        assert!((n / (sampled.len() as f64 / 8.0) - 1.0).abs() < 0.2, "{value}: {n} of {}", sampled.len());
    }
}

#[test]
fn on_a_duty_cycle_sockets_of_some_ten_segments_a_second_are_thinned_out_too() {
    let kept = |idle, is_reduced| (0..16u32).filter(|bits| !is_thinned_out(idle, is_reduced, bits << 8)).count();
    assert_eq!([0, 1, 3, 4].map(|idle| kept(idle, false)), [1, 5, 13, 16], "all the time");
    assert_eq!([0, 1, 3, 4, 15, 16].map(|idle| kept(idle, true)), [1, 2, 4, 5, 16, 16], "on a duty cycle");
}
