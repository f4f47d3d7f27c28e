use super::*;

#[test]
fn counters_are_found_by_group_and_name() {
    let text = "Ip: Forwarding InReceives\nIp: 1 7\nTcp: InSegs OutSegs RetransSegs\nTcp: 10 20 3\n";
    assert_eq!(counter_in(text, "Tcp:", "RetransSegs"), Some(3));
    assert_eq!(counter_in(text, "Ip:", "InReceives"), Some(7));
    assert_eq!(counter_in(text, "Tcp:", "Nothing"), None);
}
