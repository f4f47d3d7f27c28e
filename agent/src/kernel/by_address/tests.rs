use super::*;

#[test]
fn only_a_verifier_that_refuses_the_one_walk_and_takes_the_other_needs_addresses() {
    let refused = |number| Err(io::Error::from_raw_os_error(number));
    assert!(is_needed(&refused(libc::EACCES), &Ok(())));
    assert!(!is_needed(&Ok(()), &Ok(())), "storage is cheaper");
    assert!(!is_needed(&refused(libc::EACCES), &refused(libc::EACCES)));
    assert!(!is_needed(&refused(libc::EPERM), &Ok(())), "a refusal of the process");
    assert!(!is_needed(&refused(libc::EINVAL), &Ok(())));
}

#[test]
fn instructions_are_those_of_the_kernel() {
    assert_eq!(load(1, 0, 0x118), [0x79, 0x01, 0x18, 0x01, 0, 0, 0, 0]);
    assert_eq!(load_word(0, 0, 8), [0x61, 0, 8, 0, 0, 0, 0, 0]);
    assert_eq!(exit_if_null(1, 5), [0x15, 1, 5, 0, 0, 0, 0, 0]);
    assert_eq!(set(2, 0x0102_0304), [0xb7, 2, 0, 0, 4, 3, 2, 1]);
    assert_eq!(helper(SOCK_FROM_FILE), [0x85, 0, 0, 0, 162, 0, 0, 0]);
}
