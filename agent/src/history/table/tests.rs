use super::*;
use std::collections::BTreeMap;

type Row = [u64; 4];

/// Writes and reads frames, and keeps what the reader says of each key.
struct Pair {
    writer: TableWriter<u64>,
    reader: TableReader,
    scratch: Scratch,
    read: BTreeMap<u64, Vec<u64>>,
}

impl Pair {
    fn new() -> Self {
        let layout = Layout::of::<u64, Row>("t");
        let reader = TableReader::new(&layout, Some(&layout)).unwrap();
        Self { writer: TableWriter::default(), reader, scratch: Scratch::default(), read: BTreeMap::new() }
    }

    fn take(&mut self, key: u64, row: Row) {
        self.writer.take(key, &row, &mut self.scratch);
    }

    /// Size of the next frame.
    fn frame(&mut self) -> usize {
        let mut out = Vec::new();
        self.writer.write(&mut out, &mut self.scratch);
        let mut bytes = Bytes(&out);
        let changes = self.reader.read(&mut bytes, &mut self.scratch).unwrap();
        assert!(bytes.0.is_empty());
        self.read.extend(changes.rows.into_iter().map(|(key, row)| (key[0], row)));
        changes.gone.iter().for_each(|key| drop(self.read.remove(&key[0])));
        out.len()
    }
}

#[test]
fn a_reader_follows_rows_that_change_come_and_go() {
    let mut pair = Pair::new();
    pair.take(7, [1, 2, 3, u64::MAX]);
    pair.take(9, [0; 4]);
    pair.frame();
    assert_eq!(pair.read, BTreeMap::from([(7, vec![1, 2, 3, u64::MAX]), (9, vec![0; 4])]));
    pair.take(7, [2, 2, 3, 0]);
    pair.take(8, [4; 4]);
    pair.writer.forget(&9);
    assert!(pair.writer.is_back([9].iter()) && !pair.writer.is_back([7, 8].iter()));
    pair.frame();
    assert_eq!(pair.read, BTreeMap::from([(7, vec![2, 2, 3, 0]), (8, vec![4; 4])]));
    pair.take(9, [5; 4]);
    pair.frame();
    assert_eq!(pair.read[&9], [5; 4], "it is a new row");
    pair.take(8, [4; 4]);
    assert_eq!(pair.frame(), 2, "nothing changed");
}

#[test]
fn the_last_value_of_a_row_that_goes_is_not_lost() {
    let mut pair = Pair::new();
    pair.take(7, [1; 4]);
    pair.frame();
    pair.take(7, [2; 4]);
    pair.writer.forget(&7);
    let mut out = Vec::new();
    pair.writer.write(&mut out, &mut pair.scratch);
    let changes = pair.reader.read(&mut Bytes(&out), &mut pair.scratch).unwrap();
    assert_eq!((changes.rows[0].1.as_slice(), changes.gone.len()), (&[2; 4][..], 1));
}

#[test]
fn the_first_frame_of_a_segment_has_all_rows() {
    let mut pair = Pair::new();
    pair.take(7, [1; 4]);
    pair.take(8, [2; 4]);
    pair.frame();
    pair.take(8, [3; 4]);
    pair.writer.restart();
    let layout = Layout::of::<u64, Row>("t");
    (pair.reader, pair.read) = (TableReader::new(&layout, Some(&layout)).unwrap(), BTreeMap::new());
    pair.frame();
    assert_eq!(pair.read, BTreeMap::from([(7, vec![1; 4]), (8, vec![3; 4])]));
}

#[test]
fn parts_are_found_by_name_in_another_version() {
    let layout = |parts: &[(&str, usize)]| Layout {
        name: "t".into(),
        key: 1,
        parts: parts.iter().map(|(name, words)| ((*name).into(), *words)).collect(),
    };
    let (written, own) = (layout(&[("a", 1), ("old", 2), ("b", 1)]), layout(&[("b", 1), ("new", 1), ("a", 1)]));
    let mut reader = TableReader::new(&written, Some(&own)).unwrap();
    let (mut writer, mut scratch, mut out) = (TableWriter::default(), Scratch::default(), Vec::new());
    writer.take(1_u64, &[10_u64, 20, 21, 30], &mut scratch);
    writer.write(&mut out, &mut scratch);
    let changes = reader.read(&mut Bytes(&out), &mut scratch).unwrap();
    assert_eq!(changes.rows[0].1, [30, 0, 10]);
    let error = TableReader::new(&written, Some(&layout(&[("b", 2)]))).unwrap_err().to_string();
    assert_eq!(error, "t.b have another layout in this version");
    assert!(TableReader::new(&layout(&[("a", usize::MAX), ("b", 1)]), None).is_err());
    // A table that this version does not know is skipped.
    let mut unknown = TableReader::new(&written, None).unwrap();
    let mut bytes = Bytes(&out);
    assert!(unknown.read(&mut bytes, &mut scratch).unwrap().rows.is_empty() && bytes.0.is_empty());
}

#[test]
fn numbers_that_were_never_given_are_damage() {
    let layout = Layout::of::<u64, Row>("t");
    let mut scratch = Scratch::default();
    for bytes in [&[1, 5, 0, 0][..], &[0, 1, 0, 0], &[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], &[9]] {
        let mut reader = TableReader::new(&layout, Some(&layout)).unwrap();
        assert!(reader.read(&mut Bytes(bytes), &mut scratch).is_err(), "{bytes:?}");
    }
}
