use super::*;

fn segment() -> (Vec<u8>, Vec<usize>) {
    let mut file = MAGIC.to_vec();
    let mut ends = Vec::new();
    for n in 0..3_u64 {
        file.extend(block(1000 + n, &vec![n as u8; 500]).unwrap());
        ends.push(file.len());
    }
    (file, ends)
}

/// Times of the blocks, and whether the end is whole.
fn times(file: &[u8]) -> (Vec<u64>, bool) {
    let Ok(mut blocks) = Blocks::open(file, file.len() as u64) else { return (Vec::new(), false) };
    let mut times = Vec::new();
    loop {
        match blocks.next() {
            Ok(Some(block)) => {
                assert_eq!(block.text().unwrap(), vec![(block.unix_ms - 1000) as u8; 500]);
                times.push(block.unix_ms);
            }
            Ok(None) => return (times, true),
            Err(_) => return (times, false),
        }
    }
}

#[test]
fn a_segment_cut_off_anywhere_gives_its_whole_blocks() {
    let (file, ends) = segment();
    assert_eq!(times(&file), (vec![1000, 1001, 1002], true));
    for cut in 0..file.len() {
        let (times, is_whole) = times(&file[..cut]);
        assert_eq!(times.len(), ends.iter().filter(|end| **end <= cut).count(), "{cut}");
        assert_eq!(is_whole, cut == MAGIC.len() || ends.contains(&cut), "{cut}");
    }
}

#[test]
fn no_changed_byte_passes_as_a_block() {
    let (file, ends) = segment();
    for at in MAGIC.len()..ends[0] {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        assert_eq!(times(&damaged), (Vec::new(), false), "{at}");
    }
}

#[test]
fn a_length_beyond_the_file_takes_no_memory() {
    let mut file = MAGIC.to_vec();
    file.extend([0xff; 40]);
    assert_eq!(times(&file), (Vec::new(), false));
}
