use super::*;

#[test]
fn queries_are_encoded_for_a_url() {
    assert_eq!(encoded("a{b=\"c d\"}[1m] >= 2"), "a%7Bb%3D%22c%20d%22%7D%5B1m%5D%20%3E%3D%202");
    assert_eq!(encoded("é&+"), "%C3%A9%26%2B");
}

#[test]
fn only_names_get_into_a_query() {
    assert_eq!(quoted("kube-system").unwrap(), "\"kube-system\"");
    assert_eq!(quoted("Deployment/a.b_c").unwrap(), "\"Deployment/a.b_c\"");
    for bad in ["a\"} or up{x=\"", "a\\", "a\nb", "é", "{}"] {
        assert!(quoted(bad).is_err(), "{bad:?}");
    }
}
