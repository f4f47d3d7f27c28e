use super::*;

#[test]
fn this_test_program_is_seen_to_be_dynamic_and_others_are_refused() {
    let own = std::fs::read(env::current_exe().unwrap()).unwrap();
    assert_eq!(asks_for_interpreter(&own), Some(!cfg!(target_feature = "crt-static")));
    assert_eq!(asks_for_interpreter(b"#!/bin/sh\n"), None);
    assert_eq!(asks_for_interpreter(&own[..60]), None, "cut off within its header table");
    // The same without its program headers.
    let mut none = own;
    none[56..58].copy_from_slice(&[0, 0]);
    assert_eq!(asks_for_interpreter(&none), Some(false));
}
