use super::*;

const KEY: EdgeKey = EdgeKey::new(1, [7; 16]);

fn frame(at: u64, walked_at: Option<u64>, segments: u64, episodes: u64) -> Frame {
    let tally = Tally { data_segs_out: segments, loss_episodes: episodes, ..Tally::default() };
    let mut frame = Frame {
        at: Duration::from_secs(at),
        elapsed: Duration::from_secs(1),
        walked_at: walked_at.map(Duration::from_secs),
        ..Frame::default()
    };
    frame.growth.edges.push((KEY, tally));
    frame
}

fn span() -> WalkSpan {
    WalkSpan::new(Duration::from_secs(10))
}

#[test]
fn segments_of_rare_walks_are_divided_by_the_episodes_of_the_same_time() {
    let mut span = span();
    // 1,000 segments a second, of which every 2,000th is lost: they arrive each minute, episodes at once.
    for at in 0..=200 {
        let walked = at / 60 * 60;
        span.push(&frame(at, Some(walked), if at == walked { 60_000 } else { 0 }, at % 2));
        let losses = span.of(&KEY);
        match at {
            // Not known to be rare yet.
            0..=2 => assert_eq!(losses, None, "{at}"),
            3..=59 => assert_eq!(losses, Some(Losses::default()), "{at}: no whole interval yet"),
            _ => assert_eq!(losses, Some(Losses { episodes: 30, segments: 60_000 }), "{at}"),
        }
    }
    assert_eq!(span.covered(), Some(Duration::from_secs(60)));
}

#[test]
fn several_intervals_together_cover_the_window() {
    let mut span = span();
    for at in 0..=31 {
        span.push(&frame(at, Some(at / 3 * 3), 1, 0));
    }
    // Walks at 18, 21 … 30 s: four intervals are the fewest that cover ten seconds.
    assert_eq!(span.covered(), Some(Duration::from_secs(12)));
    assert_eq!(span.of(&KEY).map(|losses| losses.segments), Some(12));
}

#[test]
fn windows_do_where_walks_are_frequent_or_their_times_unknown() {
    for walks in [Some(1), Some(2), None] {
        let mut span = span();
        for at in 0..100 {
            span.push(&frame(at, walks.map(|every| at / every * every), 10, 1));
            assert_eq!((span.covered(), span.of(&KEY)), (None, None), "{walks:?} {at}");
        }
        assert!(span.whole.len() <= 6, "{} intervals are kept", span.whole.len());
    }
}

#[test]
fn needless_timeouts_are_no_losses_also_when_that_arrives_with_the_walk() {
    let mut span = span();
    span.push(&frame(0, Some(0), 0, 0));
    let mut timeouts = frame(10, Some(0), 0, 2);
    timeouts.growth.edges[0].1.retransmits[Retransmit::Timeout as usize] = 2;
    let mut walk = frame(20, Some(20), 500, 0);
    walk.growth.edges[0].1.retransmits[Retransmit::Spurious as usize] = 1;
    span.push(&timeouts);
    span.push(&walk);
    assert_eq!(span.of(&KEY), Some(Losses { episodes: 1, segments: 500 }));
}

#[test]
fn without_walks_no_losses_are_known() {
    let mut span = span();
    for at in 0..100 {
        // Episodes arrive, and the segments of their sockets do not.
        span.push(&Frame { walked_at: Some(Snapshot::NEVER), ..frame(at, None, 0, 1) });
        assert_eq!((span.covered(), span.of(&KEY)), (Some(Duration::ZERO), Some(Losses::default())), "{at}");
    }
    assert!(span.open.edges.is_empty() && span.whole.is_empty(), "nothing piles up");
}
