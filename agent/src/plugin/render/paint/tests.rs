use super::*;

#[test]
fn colour_needs_a_terminal_and_no_veto() {
    let with = |terminal, variable: Option<&str>| Paint::new(terminal, variable.map(std::ffi::OsStr::new)).is_on();
    assert!(with(true, None) && with(true, Some("")));
    assert!(!with(false, None) && !with(true, Some("1")) && !with(true, Some("0")));
    assert_eq!(&*Paint::PLAIN.bold("x"), "x");
    assert_eq!(&*Paint::new(true, None).colour(Colour::Red, "x"), "\x1b[31mx\x1b[0m");
}
