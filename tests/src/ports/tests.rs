use super::*;
use std::collections::BTreeSet;

#[test]
fn each_port_is_another_one_that_is_free_and_that_no_connection_gets_by_chance() {
    let ports: Vec<SocketAddr> = (0..20).map(|_| free().unwrap()).collect();
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 20, "{ports:?}");
    let listeners: Vec<TcpListener> = ports.iter().map(|address| TcpListener::bind(address).unwrap()).collect();
    for listener in &listeners {
        assert!((20_000..30_000).contains(&listener.local_addr().unwrap().port()), "{listener:?}");
    }
}

#[test]
fn a_port_in_use_is_passed_over() {
    let next = free().unwrap().port() + 1;
    // Whoever has it.
    let _in_use = TcpListener::bind((Ipv4Addr::LOCALHOST, next));
    assert_ne!(free().unwrap().port(), next);
}
