use super::*;

#[test]
fn integers_come_back() {
    for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
        let mut out = Vec::new();
        put(&mut out, n);
        let mut bytes = Bytes(&out);
        assert_eq!((bytes.integer(), bytes.0.len()), (Ok(n), 0));
    }
}

#[test]
fn a_row_costs_only_the_words_that_changed() {
    let (old, mut new) = ([5; 200], [5; 200]);
    (new[3], new[190], new[199]) = (6, 4, u64::MAX);
    let mut out = Vec::new();
    put_change(&mut out, &old, &new);
    assert_eq!(out.len(), 2 + 3 + 2 + 1, "{out:?}");
    let mut words = old;
    assert_eq!(Bytes(&out).change(&mut words), Ok(()));
    assert_eq!(words, new);
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let mut words = [0; 4];
    for bytes in
        [&[][..], &[0x80], &[0xff; 11], &[9, 2, 0], &[1], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1]]
    {
        assert!(Bytes(bytes).change(&mut words).is_err(), "{bytes:?}");
    }
    assert!(Bytes(&[200, 1, 1]).count().is_err());
    assert!(Bytes(&[1]).take(2).is_err());
}
