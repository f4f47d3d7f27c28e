use super::*;

#[test]
fn matchers_quote_hostile_values_and_leave_odd_names_out() {
    let labels: Labels =
        [("alertname", "A b"), ("pod", "a\"}&filter=x\\\n"), ("odd.name", "x"), ("1st", "x"), ("", "x")]
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
    assert_eq!(query(&labels), "?filter=alertname%3D%22A%20b%22&filter=pod%3D%22a%5C%22%7D%26filter%3Dx%5C%5C%5Cn%22");
    assert_eq!(query(&Labels::new()), "");
}

#[test]
fn a_prefix_of_the_url_stays() {
    let prefix = |url: &str| Alertmanager::new(Web::new(url, None, |_| None).unwrap()).prefix;
    assert_eq!(["http://am:9093", "http://am:9093/", "http://am/x/y/"].map(prefix), ["", "", "/x/y"]);
}
