use super::*;

#[test]
fn versions_of_one_series_are_compatible() {
    for (a, b, same) in [
        ("0.1.0", "0.1.9", true),
        ("0.1.0", "0.2.0", false),
        ("1.2.0", "1.9.3", true),
        ("1.0.0", "2.0.0", false),
        ("", "0.1.0", false),
    ] {
        assert_eq!(compatible(a, b), same, "{a} {b}");
    }
}

#[test]
fn error_messages_are_found_in_every_format() {
    assert_eq!(message(r#"{"kind":"Status","message":"pods is forbidden"}"#), "pods is forbidden");
    assert_eq!(message(r#"{"error":"no such path"}"#), "no such path");
    assert_eq!(message("Error trying to reach service\n"), "Error trying to reach service");
    assert_eq!(message(" "), "no reason given");
}

#[tokio::test]
async fn a_bad_url_is_refused_with_the_right_form() {
    for bad in ["ftp://x", "http://", "http://a b"] {
        let failure = AgentClient::direct(bad, Duration::from_secs(1)).err().unwrap();
        assert!(failure.to_string().contains("http://HOST:9810"), "{failure}");
    }
    assert_eq!(AgentClient::direct("localhost:9810", Duration::from_secs(1)).unwrap().name(), "http://localhost:9810");
}
