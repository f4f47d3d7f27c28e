use super::*;

#[test]
fn every_marked_call_gets_the_functions_number_and_nothing_else_changes() {
    let marked = [CALL, KFUNC].concat();
    let object = [&[1, 2, 3][..], &marked, &[9, 0x85, 0x20], &marked, &[7]].concat();
    let called = complete(&object, Some(63_866));
    let call = [0x85, 0x20, 0, 0, 0x7a, 0xf9, 0, 0];
    assert_eq!(called, [&[1, 2, 3][..], &call, &[9, 0x85, 0x20], &call, &[7]].concat());
    assert_eq!(complete(&object, None), [&[1, 2, 3][..], &FAIL, &[9, 0x85, 0x20], &FAIL, &[7]].concat());
    assert_eq!(complete(&[1, 2, 3], Some(1)), [1, 2, 3]);
}
