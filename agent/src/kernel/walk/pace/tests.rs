use super::*;

const PACE: Pace =
    Pace { min_interval: Duration::from_secs(1), max_interval: Duration::from_secs(30), cpu_share: 0.003 };
const TICK: Duration = Duration::from_secs(1);

/// Beginning and end of each of some walks with this CPU time, s.
fn walks(cpu: Duration) -> Vec<(u64, u64)> {
    let (mut now, mut next, mut expected, mut done) = (0, Duration::ZERO, None, Vec::new());
    while done.len() < 10 {
        if Duration::from_secs(now) < next {
            now += 1;
            continue;
        }
        let (began, mut spent) = (now, Duration::ZERO);
        loop {
            let until = (Duration::from_secs(began) + PACE.duration()).saturating_sub(Duration::from_secs(now));
            let left = expected.map(|all: Duration| all.saturating_sub(spent));
            spent += Pace::part(left, until, TICK);
            if spent >= cpu {
                break;
            }
            now += 1;
        }
        done.push((began, now));
        (next, expected) = (Duration::from_secs(began) + PACE.interval(cpu), Some(cpu));
        now += 1;
    }
    done
}

fn longest_distance(cpu: Duration) -> u64 {
    walks(cpu).windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap()
}

#[test]
fn small_nodes_are_walked_at_the_shortest_distance_within_one_tick() {
    assert_eq!(longest_distance(Duration::from_millis(2)), 1);
    assert!(walks(Duration::from_millis(49)).iter().all(|(began, ended)| began == ended));
}

#[test]
fn the_cpu_share_sets_the_distance_below_the_longest() {
    assert_eq!(longest_distance(Duration::from_millis(13)), 5, "18,000 sockets");
}

#[test]
fn the_distance_has_an_upper_bound_whatever_a_walk_took() {
    for ms in [100, 190, 380, 900, 1_400, 2_900] {
        let distance = longest_distance(Duration::from_millis(ms));
        assert!(distance <= 31, "a walk of {ms} ms comes every {distance} s");
    }
}

#[test]
fn walks_never_take_more_than_a_tenth_of_a_core() {
    let cpu = Duration::from_secs(60);
    let all = walks(cpu);
    let (first, last) = (all[0].0, all[all.len() - 1].1);
    let share = cpu.as_secs_f64() * all.len() as f64 / (last - first) as f64;
    assert!(share < 0.11, "{share}");
}

#[test]
fn a_part_is_a_share_of_the_rest_within_its_bounds() {
    let seconds = Duration::from_secs_f64;
    assert_eq!(Pace::part(Some(seconds(0.9)), seconds(10.0), TICK), seconds(0.09));
    assert_eq!(Pace::part(Some(seconds(0.1)), seconds(10.0), TICK), PART);
    assert_eq!(Pace::part(Some(seconds(9.0)), seconds(0.0), TICK), seconds(0.1));
    assert_eq!(Pace::part(None, seconds(15.0), TICK), seconds(0.1), "of unknown size");
    assert_eq!(Pace::part(Some(seconds(9.0)), seconds(1.0), Duration::ZERO), PART, "two ticks at one moment");
}
