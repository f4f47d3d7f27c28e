use super::*;

#[test]
fn threads_share_the_connections_of_every_target() {
    let targets: Vec<SocketAddr> = ["10.0.0.1:80", "10.0.0.2:80"].map(|to| to.parse::<SocketAddr>().unwrap()).into();
    let [a, b] = [targets[0], targets[1]];
    assert_eq!(shares(&targets, 2, 1), [[a], [b], [a], [b]]);
    assert_eq!(shares(&targets, 3, 4), [vec![a, b, a, b], vec![a, b]]);
    assert_eq!(shares(&targets, 0, 1), Vec::<Vec<SocketAddr>>::new());
    assert_eq!(shares(&targets[..1], 512, 32).len(), 16);
}
