use super::*;

#[test]
fn no_minute_has_more_begins_than_allowed() {
    let (mut rate, begin) = (Rate::new(3), Instant::now());
    let at = |seconds| begin + Duration::from_secs(seconds);
    assert_eq!([0, 10, 20].map(|seconds| rate.begin(at(seconds))), [None; 3]);
    assert_eq!(rate.begin(at(30)), Some(Duration::from_secs(30)));
    assert_eq!(rate.begin(at(59)), Some(Duration::from_secs(1)));
    assert_eq!(rate.begin(at(60)), None);
    assert_eq!(rate.begin(at(60)), Some(Duration::from_secs(10)));
    assert_eq!([70, 80, 120].map(|seconds| rate.begin(at(seconds))), [None; 3]);
}
