use super::*;
use netwhy_abi::content::{CAST_KFUNC, KFUNC};

#[test]
fn every_marked_call_gets_the_functions_number_and_nothing_else_changes() {
    let (marked, other) = ([CALL, KFUNC].concat(), [CALL, CAST_KFUNC].concat());
    let object = [&[1, 2, 3][..], &marked, &[9, 0x85, 0x20], &other, &marked, &[7]].concat();
    let called = complete(&object, KFUNC, Some(63_866));
    let call = [0x85, 0x20, 0, 0, 0x7a, 0xf9, 0, 0];
    assert_eq!(called, [&[1, 2, 3][..], &call, &[9, 0x85, 0x20], &other, &call, &[7]].concat());
    let failing = [&[1, 2, 3][..], &FAIL, &[9, 0x85, 0x20], &other, &FAIL, &[7]].concat();
    assert_eq!(complete(&object, KFUNC, None), failing);
    assert_eq!(complete(&[1, 2, 3], KFUNC, Some(1)), [1, 2, 3]);
}
