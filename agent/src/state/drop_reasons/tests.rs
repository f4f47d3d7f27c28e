use super::*;

#[test]
fn drop_reason_is_the_kernels_name_in_lower_case_or_its_number() {
    let reasons = DropReasons::new(&["".into(), "SKB_DROP_REASON_NO_SOCKET".into(), "TCP_CSUM".into()]);
    assert_eq!(reasons.name(0), "0");
    assert_eq!(reasons.name(1), "no_socket");
    assert_eq!(reasons.name(2), "tcp_csum");
    assert_eq!(reasons.name(77), "77");
}
