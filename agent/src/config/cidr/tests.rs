use super::*;

#[test]
fn a_range_reads_and_prints_the_same() {
    for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "fc00::/7", "192.0.2.7/32", "2001:db8::1/128"] {
        assert_eq!(text.parse::<Cidr>().unwrap().to_string(), text);
    }
}

#[test]
fn each_mistake_has_its_remedy() {
    for (text, remedy) in [
        ("10.0.0.1", "write 10.0.0.1/32"),
        ("fd00::1", "write fd00::1/128"),
        ("pods", "write one such as"),
        ("10.0.0/8", "\"10.0.0\" in"),
        ("10.0.0.0/33", "between 0 and 32"),
        ("fd00::/129", "between 0 and 128"),
        ("10.0.0.0/", "between 0 and 32"),
        ("10.0.0.0/+8", "between 0 and 32"),
        ("10.0.0.0/8/8", "between 0 and 32"),
        ("10.1.2.3/8", "did you mean 10.0.0.0/8?"),
        ("fd00::1/8", "did you mean fd00::/8?"),
        ("192.0.2.1/0", "did you mean 0.0.0.0/0?"),
    ] {
        let error = text.parse::<Cidr>().unwrap_err();
        assert!(error.contains(remedy), "{text}: {error}");
    }
}

#[test]
fn ipv4_and_its_mapped_form_are_one_range() {
    let plain: Cidr = "10.0.0.0/8".parse().unwrap();
    assert_eq!("::ffff:10.0.0.0/104".parse::<Cidr>().unwrap(), plain);
    let prefix = plain.prefix();
    assert_eq!(prefix.prefix_len, 104);
    assert_eq!(prefix.addr, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 0]);
}
