use super::*;
use crate::metrics::fixture::hint;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Fired seconds by Pod.
fn fired(firing: &Firing) -> Vec<(String, u64)> {
    firing.times().iter().map(|time| (time.key.pod.clone(), time.fired.as_secs())).collect()
}

#[test]
fn an_incident_of_twelve_seconds_is_still_there_after_a_minute() {
    let mut firing = Firing::default();
    firing.update(&[], seconds(100));
    let hints = [hint("shop", "cart", "path_loss")];
    (101..=112).for_each(|at| firing.update(&hints, seconds(at)));
    (113..=172).for_each(|at| firing.update(&[], seconds(at)));
    assert_eq!(fired(&firing), [("cart".to_owned(), 12)]);
    let key = &firing.times()[0].key;
    assert_eq!((key.cause.as_str(), key.blame_kind, key.blame.as_str()), ("path_loss", "external", "~address"));
}

#[test]
fn a_key_goes_a_quarter_of_an_hour_after_its_end() {
    let mut firing = Firing::default();
    firing.update(&[hint("shop", "cart", "path_loss")], seconds(100));
    firing.update(&[], seconds(1000));
    assert_eq!(fired(&firing).len(), 1);
    firing.update(&[], seconds(1001));
    assert_eq!(fired(&firing), []);
}

#[test]
fn two_addresses_at_once_fire_once_and_resolved_hints_do_not() {
    let mut firing = Firing::default();
    let mut twin = hint("shop", "cart", "path_loss");
    twin.blame.name = "192.0.2.8".into();
    let mut resolved = hint("shop", "web", "path_loss");
    resolved.state = HintState::Resolved;
    let hints = [hint("shop", "cart", "path_loss"), twin, resolved];
    firing.update(&hints, seconds(100));
    firing.update(&hints, seconds(103));
    assert_eq!(fired(&firing), [("cart".to_owned(), 3)]);
}

#[test]
fn keys_without_room_share_one_and_ended_ones_make_room() {
    let mut firing = Firing::default();
    let pods = |range: std::ops::Range<usize>| -> Vec<Hint> {
        range.map(|i| hint("shop", &format!("pod-{i:03}"), "path_loss")).collect()
    };
    firing.update(&pods(0..MAX_KEYS + 2), seconds(100));
    firing.update(&pods(0..MAX_KEYS + 2), seconds(101));
    let times = fired(&firing);
    assert_eq!(times.len(), MAX_KEYS + 1);
    assert_eq!(times.iter().filter(|(pod, _)| pod == "~other").collect::<Vec<_>>(), [&("~other".to_owned(), 1)]);
    // Half of them have ended.
    let half = MAX_KEYS / 2;
    firing.update(&pods(0..half), seconds(102));
    firing.update(&pods(MAX_KEYS..MAX_KEYS + half), seconds(103));
    let times = fired(&firing);
    assert!(times.len() <= MAX_KEYS + 1);
    assert!(
        times.contains(&("pod-000".to_owned(), 2)) && times.iter().any(|(pod, _)| *pod == format!("pod-{MAX_KEYS}"))
    );
}
