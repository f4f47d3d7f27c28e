use super::*;

#[test]
fn addresses_and_names_come_to_the_same_culprit() {
    let ip = |host: u8| Ipv4Addr::new(10, 77, 0, host);
    let pods = [(ip(18), "api-a", "a"), (ip(34), "api-b", "b"), (ip(146), "ext", "out")];
    let nodes = [(ip(17), "a", "z1"), (ip(33), "b", "z1"), (ip(145), "out", "z2")];
    let owned = |(at, a, b): (Ipv4Addr, &str, &str)| (at, a.to_owned(), b.to_owned());
    let names = Names::new(pods.into_iter().map(owned), nodes.into_iter().map(owned), "out");
    let who = |kind, name: &str| names.who(&Blame::named(kind, name, 0.99));
    assert_eq!(who(BlameKind::PeerNode, "b"), Who::node("b"));
    assert_eq!(who(BlameKind::PeerNode, "10.77.0.34"), Who::node("b"));
    assert_eq!(who(BlameKind::NodePair, "b↔a"), Who::pair("a", "b"));
    assert_eq!(who(BlameKind::PeerPod, "10.77.0.34"), Who::pod("api-b"));
    assert_eq!(who(BlameKind::PeerPod, "shop/api-b"), Who::pod("api-b"));
    assert_eq!(who(BlameKind::PeerPod, "10.77.0.146"), Who::External);
    assert_eq!(who(BlameKind::ZonePair, "z2↔z1"), Who::zones("z1", "z2"));
    assert_eq!(who(BlameKind::None, ""), Who::Nobody);
    assert_eq!(names.zone("b"), Some("z1"));
}
