use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn key(number: u64) -> Key {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_le_bytes());
    key
}

#[test]
fn an_alert_is_answered_once_for_a_time_and_again_when_it_came_back() {
    let (mut seen, begin) = (Seen::new(HOUR), Instant::now());
    assert!(!seen.has(&key(1), &key(7), begin));
    seen.add(key(1), key(7), begin);
    assert!(seen.has(&key(1), &key(7), begin + HOUR / 2));
    assert!(!seen.has(&key(1), &key(7), begin + HOUR));
    assert!(!seen.has(&key(1), &key(8), begin), "another firing");
    assert!(!seen.has(&key(2), &key(7), begin), "another alert");
    seen.forget(&key(1));
    assert!(!seen.has(&key(1), &key(7), begin));
}

#[test]
fn memory_is_bounded_and_the_oldest_go_first() {
    let (mut seen, begin) = (Seen::new(HOUR), Instant::now());
    let at = |number: u64| begin + Duration::from_millis(number);
    let most = MOST as u64;
    for number in 0..3 * most {
        seen.add(key(number), key(0), at(number));
    }
    assert!(seen.alerts.len() <= MOST && seen.order.len() <= 2 * MOST, "{} {}", seen.alerts.len(), seen.order.len());
    assert!(!seen.has(&key(0), &key(0), at(3 * most)) && seen.has(&key(3 * most - 1), &key(0), at(3 * most)));
    // The same alert over and over.
    for number in 3 * most..6 * most {
        seen.add(key(1), key(number), at(number));
        seen.forget(&key(1));
    }
    assert!(seen.order.len() <= 2 * MOST, "{}", seen.order.len());
}
