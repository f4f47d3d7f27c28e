use super::*;

#[test]
fn programs_get_the_verdicts_too() {
    let row = |verdict| Row {
        what: "a".to_owned(),
        value: "1 ns".to_owned(),
        spread: "1 … 2  n=6".to_owned(),
        target: "≤ 60 ns",
        verdict,
    };
    assert_eq!(row(Some(Verdict::Inconclusive)).json()["verdict"], "inconclusive");
    assert!(row(None).json()["verdict"].is_null());
    assert_eq!(row(None).json()["spread"], "1 … 2  n=6");
}

#[test]
fn columns_line_up_and_verdicts_are_words() {
    let row = |what: &str, verdict| Row {
        what: what.to_owned(),
        value: "1 ns".to_owned(),
        spread: String::new(),
        target: "≤ 60 ns",
        verdict,
    };
    let text = render(&[row("a", Some(Verdict::Ok)), row("longer", Some(Verdict::Short)), row("c", None)]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].ends_with("ok") && lines[2].ends_with("short"), "{text}");
    assert_eq!(lines[1].find("1 ns"), lines[2].find("1 ns"));
    assert!(lines[3].ends_with("≤ 60 ns"), "{text}");
}
