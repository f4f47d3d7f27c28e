use super::*;

const WAIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_url_may_have_a_path_and_a_login_that_is_not_shown() {
    for (url, name) in [
        ("http://prom:9090", "http://prom:9090"),
        ("http://prom:9090/", "http://prom:9090"),
        ("http://user:p%40ss@prom/sub/", "http://prom/sub"),
    ] {
        assert_eq!(direct(url, WAIT).map(|found| found.name).unwrap(), name);
    }
    for bad in ["ftp://x", "http://", "http://user:secret@", "http://x/?a=b", "http://a b"] {
        let failure = direct(bad, WAIT).map(|found| found.name).unwrap_err().to_string();
        assert!(failure.contains("write it as http://HOST:9090") && !failure.contains("secret"), "{failure}");
    }
    assert_eq!([decoded("p%40ss%3a"), decoded("50%"), decoded("%zz")], ["p@ss:", "50%", "%zz"]);
}

#[test]
fn the_port_with_the_likeliest_name_answers() {
    let port = |name: Option<&str>, port| ServicePort { name: name.map(str::to_owned), port, ..ServicePort::default() };
    let chosen = |ports: &[ServicePort]| super::port(&ports.iter().collect::<Vec<_>>()).map(|port| port.port);
    assert_eq!(chosen(&[port(Some("reloader-web"), 8080), port(Some("http-web"), 9090)]), Some(9090));
    assert_eq!(chosen(&[port(Some("grpc"), 10901), port(Some("http"), 80)]), Some(80));
    assert_eq!(chosen(&[port(Some("x"), 1), port(None, 9090)]), Some(9090));
    assert_eq!((chosen(&[port(None, 7)]), chosen(&[])), (Some(7), None));
}

#[test]
fn what_is_no_url_is_refused_with_the_forms() {
    let failure = wrong("prom").to_string();
    assert!(failure.contains("NAMESPACE/SERVICE"), "{failure}");
}
