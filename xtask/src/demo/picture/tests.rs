use super::*;

#[test]
fn colours_follow_the_page_and_replace_the_palette() {
    let picture = svg("\x1b[1;31mnamed\x1b[0m a<b");
    let style = picture.split("</style>").next().expect("a style");
    let rules: Vec<usize> = style.match_indices(".fg-red {").map(|(at, _)| at).collect();
    let dark = style.find("prefers-color-scheme: dark").expect("colours for dark pages");
    assert!(rules.len() == 3 && rules[1] < dark && dark < rules[2], "palette, light, dark: {style}");
    assert!(picture.contains(r#"class="fg-red bold">named<"#) && picture.contains("a&lt;b"), "{picture}");
}

#[test]
fn long_lines_continue_below_their_value() {
    for (line, column) in [("  do          ", 14), ("  ", 2), ("              ", 14)] {
        let text = wrapped(&format!("{line}{}", "word ".repeat(40)));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= COLUMNS), "{text}");
        assert_eq!(lines[1].find("word"), Some(column), "{text}");
    }
}
