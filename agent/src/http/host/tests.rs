use super::is_local;

#[test]
fn only_localhost_and_addresses_are_local() {
    for host in ["localhost", "LocalHost:9812", "127.0.0.1:9812", "10.0.0.1", "[::1]:9812", "[::1]"] {
        assert!(is_local(host), "{host}");
    }
    for host in
        ["evil.example", "evil.example:9812", "localhost.evil.example", "127.0.0.1.evil.example", "", " ", "a b"]
    {
        assert!(!is_local(host), "{host}");
    }
}
