use super::{
    super::{block::block, testing::Folder},
    *,
};

fn frame(n: u64) -> Vec<u8> {
    // Hardly compressible, about a kilobyte.
    let mut x = n + 1;
    let noise = std::iter::repeat_with(|| {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (x >> 33) as u8
    });
    block(n, &noise.take(1000).collect::<Vec<u8>>()).unwrap()
}

/// Writes a segment of three frames that begins at this time.
fn segment(ring: &mut Ring, start: u64) {
    ring.begin(start, &block(start, b"{}").unwrap()).unwrap();
    for n in start..start + 3 {
        ring.append(n, &frame(n)).unwrap();
    }
}

fn names(folder: &Path) -> Vec<Name> {
    segments(folder).unwrap().iter().map(|segment| segment.name).collect()
}

fn starts(folder: &Path) -> Vec<u64> {
    names(folder).iter().map(|name| name.start_ms).collect()
}

fn size(folder: &Path) -> u64 {
    segments(folder).unwrap().iter().map(|segment| segment.bytes).sum()
}

#[test]
fn names_sort_by_time_and_nothing_else_passes_as_one() {
    let name = Name { start_ms: 5, end_ms: Some(9), run: 3, number: 1 };
    assert_eq!(Name::parse(&name.to_string()), Some(name));
    let open = Name { end_ms: None, ..name };
    assert_eq!(Name::parse(&open.to_string()), Some(open));
    for other in ["lock", "5-9-3-1.netwhy", "a-b.open", "..", "000000000000005-000000000000003-000001.netwhy", ""] {
        assert_eq!(Name::parse(other), None, "{other}");
    }
    let texts = [99, 1_000, 1_700_000_000_000].map(|start_ms| Name { start_ms, ..name }.to_string());
    assert!(texts.is_sorted());
}

#[test]
fn the_oldest_segments_go_first_and_the_bound_holds_before_each_write() {
    let folder = Folder::new("ring-bound");
    let max = 9_000;
    let mut ring = Ring::open(&folder, max, 1).unwrap();
    for start in (0..100).step_by(10) {
        ring.begin(start, &block(start, b"{}").unwrap()).unwrap();
        for n in start..start + 3 {
            ring.append(n, &frame(n)).unwrap();
            assert!(size(&folder) <= max, "{}", size(&folder));
        }
    }
    assert_eq!(starts(&folder), [80, 90], "three frames take 3 kB");
    assert_eq!(ring.bytes(), size(&folder));
    ring.finish().unwrap();
    assert_eq!(names(&folder)[1].end_ms, Some(92));
    assert_eq!(ring.oldest_ms(), Some(80));
}

#[test]
fn a_kill_costs_at_most_the_frame_that_was_being_written() {
    for torn in [0, 1, 20, 500] {
        let folder = Folder::new("ring-torn");
        let mut ring = Ring::open(&folder, 1 << 20, 1).unwrap();
        segment(&mut ring, 10);
        segment(&mut ring, 20);
        let open = *names(&folder).last().unwrap();
        assert_eq!(open.end_ms, None);
        let path = folder.join(open.to_string());
        let length = fs::metadata(&path).unwrap().len();
        // A kill ends the process without a word.
        drop(ring);
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length - torn).unwrap();
        let mut ring = Ring::open(&folder, 1 << 20, 2).unwrap();
        let last = if torn == 0 { 22 } else { 21 };
        assert_eq!(names(&folder).last().unwrap().end_ms, Some(last), "{torn}");
        segment(&mut ring, 30);
        assert_eq!(starts(&folder), [10, 20, 30], "the restart continues");
        assert_eq!((ring.lost, ring.bytes()), (0, size(&folder)));
    }
}

#[test]
fn a_segment_without_a_whole_frame_is_removed_and_counted() {
    let folder = Folder::new("ring-lost");
    let mut ring = Ring::open(&folder, 1 << 20, 1).unwrap();
    segment(&mut ring, 10);
    ring.begin(20, &block(20, b"{}").unwrap()).unwrap();
    drop(ring);
    fs::write(folder.join(Name { start_ms: 30, end_ms: None, run: 1, number: 7 }.to_string()), b"rubbish").unwrap();
    let ring = Ring::open(&folder, 1 << 20, 2).unwrap();
    assert_eq!((starts(&folder), ring.lost), (vec![10], 2));
}

#[test]
fn files_of_others_and_links_are_left_alone() {
    let folder = Folder::new("ring-others");
    let others = Folder::new("ring-target");
    let target = others.join("secret");
    fs::write(&target, b"secret").unwrap();
    let link = Name { start_ms: 1, end_ms: None, run: 1, number: 1 };
    std::os::unix::fs::symlink(&target, folder.join(link.to_string())).unwrap();
    fs::write(folder.join("notes.txt"), b"mine").unwrap();
    let mut ring = Ring::open(&folder, 5_000, 1).unwrap();
    (10..100).step_by(10).for_each(|start| segment(&mut ring, start));
    assert_eq!(fs::read(folder.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(&target).unwrap(), b"secret");
    assert!(open(&folder, link).is_err());
}

#[test]
fn two_agents_never_write_to_one_folder() {
    let folder = Folder::new("ring-lock");
    let _first = Ring::open(&folder, 1 << 20, 1).unwrap();
    let error = Ring::open(&folder, 1 << 20, 2).unwrap_err().to_string();
    assert_eq!(error, "another agent records there");
}

#[test]
fn a_bound_below_one_segment_is_an_error_and_not_an_endless_loop() {
    let folder = Folder::new("ring-small");
    let mut ring = Ring::open(&folder, 1_500, 1).unwrap();
    ring.begin(1, &block(1, b"{}").unwrap()).unwrap();
    ring.append(1, &frame(1)).unwrap();
    let error = ring.append(2, &frame(2)).unwrap_err().to_string();
    assert_eq!(error, "history.max_mib is too small for a segment");
}
