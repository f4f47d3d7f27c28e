use super::*;

#[test]
fn a_header_of_another_form_names_its_version_whatever_else_it_has() {
    let why = |text: &str| Header::read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        why(r#"{"netwhy_history":99,"version":"9.9.9","nodes":["a"]}"#),
        "netwhy 9.9.9 wrote it in another form"
    );
    for text in ["", "{}", r#"{"netwhy_history":1,"version":"0.1.0"}"#] {
        assert_eq!(why(text), "it has no header", "{text:?}");
    }
    let own = Header::new("node-a", 1_000, vec!["no_socket".to_owned()]);
    assert_eq!(Header::read(&serde_json::to_vec(&own).unwrap()).unwrap(), own);
}
