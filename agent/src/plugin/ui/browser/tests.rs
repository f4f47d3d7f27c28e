use super::program;

#[test]
fn a_browser_is_opened_only_where_there_is_a_desktop() {
    let with = |set: &'static str| move |name: &str| name == set;
    assert_eq!(program("linux", with("")), None);
    assert_eq!(program("linux", with("DISPLAY")), Some("xdg-open"));
    assert_eq!(program("linux", with("WAYLAND_DISPLAY")), Some("xdg-open"));
    assert_eq!(program("linux", with("WSL_DISTRO_NAME")), Some("wslview"));
    assert_eq!(program("macos", with("")), Some("open"));
    assert_eq!(program("windows", with("")), Some("explorer"));
}
