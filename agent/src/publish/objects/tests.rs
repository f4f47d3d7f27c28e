use super::*;

#[test]
fn reasons_are_in_camel_case_and_stamps_in_whole_seconds() {
    assert_eq!(camel_case("path_mtu_blackhole"), "PathMtuBlackhole");
    assert_eq!(whole_seconds("2026-01-02T03:04:05.678Z"), "2026-01-02T03:04:05Z");
    assert_eq!(whole_seconds("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
}

#[test]
fn long_messages_are_cut_between_letters() {
    let long = "µ".repeat(1000);
    let cut = shortened(&long);
    assert!(cut.len() <= MAX_MESSAGE && cut.ends_with("µ…"), "{}", cut.len());
    assert_eq!(shortened("short"), "short");
    let hostile = shortened(&crate::text::tests::mark());
    crate::text::tests::assert_safe("Event", &hostile);
    assert!(!hostile.contains('\n') && hostile.len() <= MAX_MESSAGE);
}
