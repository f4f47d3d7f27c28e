use super::*;

#[test]
fn steps_that_run_side_by_side_share_a_line_that_says_how_long_they_usually_take() {
    let began = Instant::now();
    let step = |name: &str, usual, units| Running { id: 0, name: name.to_owned(), usual, began, units };
    let steps = [
        step("compiling the agent", Some("2 min"), Some((120, 214))),
        step("installing bpf-linker", Some("1 min"), None),
        step("fetching", None, None),
    ];
    assert_eq!(
        line(&steps, began + Duration::from_secs(42)).unwrap(),
        "  compiling the agent: 120 of 214 done, 42 s (usually 2 min); installing bpf-linker: 42 s (usually 1 min); \
         fetching: 42 s"
    );
    assert_eq!(line(&[], began), None);
}
