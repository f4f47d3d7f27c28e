use super::*;

#[test]
fn committed_hints_md_is_what_the_rules_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hints.md");
    if std::env::var_os("NETWHY_BLESS").is_some() {
        std::fs::write(path, hints_md()).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == hints_md(), "docs/hints.md differs from the rules: run `cargo xtask docs`");
}

#[test]
fn sentences_that_begin_in_bold_are_items_of_a_list() {
    assert_eq!(
        items("All rose. **Who** is at fault: **one** of both."),
        " All rose.\n  - **Who** is at fault: **one** of both."
    );
    assert_eq!(
        items("**Now**: it holds. **Else**: it does not."),
        "\n  - **Now**: it holds.\n  - **Else**: it does not."
    );
}
