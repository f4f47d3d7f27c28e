use super::*;

const TABLE: &str = "\
ipv4     2 tcp      6 431999 ESTABLISHED src=10.244.0.5 dst=10.96.0.10 sport=40000 dport=80 src=10.244.1.9 dst=10.244.0.5 sport=8080 dport=40000 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 100 TIME_WAIT src=10.244.0.5 dst=10.96.0.10 sport=40001 dport=80 src=10.244.1.9 dst=10.244.0.5 sport=8080 dport=40001 [ASSURED] mark=0 use=2
ipv4     2 tcp      6 100 ESTABLISHED src=10.244.0.5 dst=10.96.0.20 sport=1 dport=80 src=10.244.1.9 dst=10.244.0.5 sport=80 dport=1 mark=0 use=2
ipv4     2 tcp      6 100 ESTABLISHED src=10.244.0.5 dst=10.96.0.20 sport=2 dport=80 src=10.244.1.10 dst=10.244.0.5 sport=80 dport=2 mark=0 use=2
ipv4     2 tcp      6 100 ESTABLISHED src=10.244.0.5 dst=10.244.1.7 sport=2 dport=80 src=10.244.1.7 dst=10.244.0.5 sport=80 dport=2 mark=0 use=2
ipv4     2 udp      17 29 src=10.244.0.5 dst=10.96.0.53 sport=2 dport=53 src=10.244.1.10 dst=10.244.0.5 sport=53 dport=2 mark=0 use=2
ipv6     10 tcp      6 100 SYN_SENT src=fd00:0000:0000:0000:0000:0000:0000:0005 dst=fd00:0000:0000:0000:0000:0000:0001:0001 sport=2 dport=80 [UNREPLIED] src=fd00:0000:0000:0000:0000:0000:0000:0009 dst=fd00:0000:0000:0000:0000:0000:0000:0005 sport=80 dport=2 mark=0 use=2
no entry at all
";

fn at(text: &str) -> Ipv6Addr {
    super::super::mapped(text.parse().unwrap())
}

#[test]
fn a_single_backend_is_found_and_several_are_none() {
    let known = Translations::read(TABLE.as_bytes()).unwrap();
    let client = at("10.244.0.5");
    assert_eq!(known.backend(client, at("10.96.0.10")), Some(at("10.244.1.9")));
    assert_eq!(known.backend(client, at("10.96.0.20")), None);
    assert!(known.is_translated(client, at("10.96.0.20")));
    assert!(!known.is_translated(client, at("10.244.1.7")), "what went where it was sent is no translation");
    assert!(!known.is_translated(client, at("10.96.0.53")), "TCP only");
    assert_eq!(known.backend(at("fd00::5"), at("fd00::1:1")), Some(at("fd00::9")));
    assert_eq!(known.backend(at("10.244.0.6"), at("10.96.0.10")), None, "another client's");
}

#[test]
fn a_long_table_is_read_less_often() {
    let ms = Duration::from_millis;
    assert_eq!(interval_after(ms(1)), MIN_INTERVAL);
    assert_eq!(interval_after(ms(60)), MIN_INTERVAL);
    assert_eq!(interval_after(ms(200)), ms(100_000));
    assert_eq!(interval_after(ms(5_000)), MAX_INTERVAL);
}

#[test]
fn an_open_table_is_read_from_its_beginning_each_time() {
    let procfs = std::env::temp_dir().join(format!("netwhy-test-conntrack-{}", std::process::id()));
    let net = procfs.join("net");
    std::fs::create_dir_all(&net).unwrap();
    assert!(open_conntrack(&procfs).is_none(), "no table");
    std::fs::write(net.join("nf_conntrack"), TABLE).unwrap();
    let table = open_conntrack(&procfs).unwrap();
    // Nobody can open it any more.
    std::fs::remove_dir_all(&procfs).unwrap();
    let known = Translations::read(TABLE.as_bytes()).unwrap();
    assert_eq!(read(&table).unwrap(), known);
    assert_eq!(read(&table).unwrap(), known);
}
