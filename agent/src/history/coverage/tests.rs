use super::*;

const MOST: u64 = 15;

fn segment(start_ms: u64, end: u64, run: u64, number: u64) -> Segment {
    Segment { name: Name { start_ms, end_ms: Some(end), run, number }, bytes: 1 }
}

#[test]
fn segments_side_by_side_are_one_span() {
    let segments = [segment(100, 200, 1, 0), segment(205, 300, 1, 1)];
    assert_eq!(coverage(&segments, (120, 300), MOST), Coverage { spans: vec![(120, 300)], gaps: vec![] });
}

#[test]
fn each_gap_has_its_reason() {
    let segments =
        [segment(100, 200, 1, 0), segment(250, 300, 1, 1), segment(400, 500, 1, 3), segment(600, 700, 550, 0)];
    let all = coverage(&segments, (0, 900), MOST);
    assert_eq!(all.spans, [(100, 200), (250, 300), (400, 500), (600, 700)]);
    let gaps: Vec<_> = vec![
        ((0, 100), OLDER),
        ((200, 250), SILENT),
        ((300, 400), LOST),
        ((500, 600), NO_AGENT),
        ((700, 900), "not recorded"),
    ];
    assert_eq!(all.gaps, gaps);
    let moment = coverage(&segments, (350, 350), MOST);
    assert_eq!((moment.spans, moment.gaps), (vec![], vec![((350, 350), LOST)]));
    assert_eq!(coverage(&segments, (0, 50), MOST).gaps, [((0, 50), OLDER)]);
    assert_eq!(coverage(&[], (0, 50), MOST).gaps, [((0, 50), "nothing is recorded yet")]);
}

#[test]
fn the_time_since_the_last_frame_is_no_gap_while_it_is_short() {
    let segments = [segment(100, 200, 1, 0)];
    assert_eq!(coverage(&segments, (150, 210), MOST), Coverage { spans: vec![(150, 200)], gaps: vec![] });
}
