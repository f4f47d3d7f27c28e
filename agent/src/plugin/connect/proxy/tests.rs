use super::*;

fn choose_with(proxy_url: Option<&str>, server: &str, env: &[(&str, &str)]) -> Option<String> {
    let lookup = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    choose(proxy_url, &server.parse().unwrap(), lookup).unwrap().map(|proxy| proxy.to_string())
}

#[test]
fn the_kubeconfig_beats_the_environment_and_asks_not_for_exemptions() {
    let env = [("HTTPS_PROXY", "http://b:3128"), ("NO_PROXY", "*")];
    assert_eq!(choose_with(Some("socks5://a:1"), "https://127.0.0.1", &env).as_deref(), Some("socks5://a:1"));
    assert_eq!(choose_with(None, "https://c", &env[..1]).as_deref(), Some("http://b:3128"));
    assert_eq!(choose_with(None, "https://c", &env), None);
    assert_eq!(choose_with(Some(""), "https://c", &[]), None);
}

#[test]
fn the_variable_follows_the_scheme_of_the_server_in_both_spellings() {
    let env = [("HTTP_PROXY", "plain"), ("https_proxy", "secure:3128"), ("HTTPS_PROXY", "")];
    assert_eq!(choose_with(None, "http://c", &env).as_deref(), Some("http://plain:80"));
    assert_eq!(choose_with(None, "https://c", &env).as_deref(), Some("http://secure:3128"));
    assert_eq!(choose_with(None, "https://c", &env[..1]), None);
}

#[test]
fn no_proxy_is_read_as_go_reads_it() {
    for (list, server, direct) in [
        ("", "https://localhost:6443", true),
        ("", "https://127.0.0.2", true),
        ("", "https://[::1]:6443", true),
        ("", "https://api.test", false),
        ("*", "https://api.test", true),
        ("other, api.test ,", "https://api.test:6443", true),
        ("test", "https://API.test", true),
        ("pi.test", "https://api.test", false),
        (".test", "https://api.test", true),
        ("*.test", "https://api.test", true),
        (".api.test", "https://api.test", false),
        ("api.test:6443", "https://api.test:6443", true),
        ("api.test:443", "https://api.test", true),
        ("api.test:6443", "https://api.test", false),
        ("10.0.0.0/8", "https://10.9.8.7", true),
        ("10.0.0.0/8", "https://11.9.8.7", false),
        ("0.0.0.0/0", "https://11.9.8.7", true),
        ("10.0.0.0/33,10.0.0.0/x", "https://10.0.0.0", false),
        ("fd00::/8", "https://[fd12::1]:6443", true),
        ("fd00::/8", "https://10.0.0.1", false),
        ("10.0.0.1", "https://10.0.0.1:6443", true),
        ("10.0.0.1:6443,[fd00::1]:443", "https://[fd00::1]", true),
        ("fd00::1", "https://[fd00::1]", true),
        (",,:443,.", "https://api.test", false),
    ] {
        assert_eq!(is_direct(list, &server.parse().unwrap()), direct, "{list:?} {server}");
    }
}

#[test]
fn a_password_is_decoded_and_never_shown() {
    let proxy = parse("http://ann:p%40ss%3a%zz@proxy:3128", "x").unwrap();
    assert_eq!(proxy.login, Some(("ann".to_owned(), "p@ss:%zz".to_owned())));
    assert_eq!(proxy.to_string(), "http://proxy:3128");
    let failure = parse("ftp://ann:secret@proxy", "HTTPS_PROXY").unwrap_err().to_string();
    assert!(failure.contains("HTTPS_PROXY") && failure.contains("ftp") && !failure.contains("secret"), "{failure}");
}
