use super::{
    super::written::tests::{LONG_BEFORE, TEN_BEFORE, TEN_BEFORE_MS, WINDOW, object},
    *,
};
use serde_json::json;

#[test]
fn certificates_that_ended_are_as_near_as_the_pods_that_name_their_secret() {
    let one = |name: &str, secret: &str, until: &str| json!({"metadata": {"name": name}, "spec": {"secretName": secret}, "status": {"notAfter": until}});
    let list: List = object(json!({"items": [
        one("web", "web-tls", TEN_BEFORE), one("other", "other-tls", TEN_BEFORE), one("old", "web-tls", LONG_BEFORE),
        {"metadata": {"name": "new"}}
    ]}));
    let secrets = [("web-tls".to_owned(), Near::Culprit)].into();
    let all = expired(&list, "shop", &secrets, WINDOW);
    let shown: Vec<(&str, Near, i64)> = all.iter().map(|seen| (seen.object.as_str(), seen.near, seen.at_ms)).collect();
    assert_eq!(
        shown,
        [("Certificate/web", Near::Culprit, TEN_BEFORE_MS), ("Certificate/other", Near::Nearby, TEN_BEFORE_MS)]
    );
    assert_eq!(all[0].what, "of Secret web-tls expired");
}
