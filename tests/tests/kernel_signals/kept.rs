//! An agent ends with the test that started it, also when that is killed.

use crate::{
    bpf_objects::Objects,
    program::{command, get},
    stage::{TRAFFIC, stage, wait_until},
};
use netwhy_tests::kept::Kept;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Stdio},
};

/// The kernel's signal at a parent's end is gone then: the agent has changed its user.
#[test]
fn a_killed_parent_takes_its_agent_along() {
    let stage = stage!("a");
    let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let agent = command(&stage, &["--listen".as_ref(), listen.to_string().as_ref()]);
    let mut parent = Command::new(TRAFFIC);
    parent.args(["attend", "--"]).arg(agent.get_program()).args(agent.get_args()).stdout(Stdio::piped());
    let mut parent = Kept::new(Path::new(TRAFFIC), parent.spawn().unwrap()).unwrap();
    let (mut output, mut line) = (BufReader::new(parent.stdout.take().unwrap()), String::new());
    output.read_line(&mut line).unwrap();
    let id: u32 = line.trim().parse().unwrap();
    wait_until("it is ready", || get(listen, "/readyz", "*/*").is_some_and(|(status, _)| status == 200));
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    assert!(status.contains("\nUid:\t65532\t"), "{status}");
    let objects = Objects::of(id);
    assert!(objects.count() > 20, "{objects:?}");
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("the kernel has none of its objects", || objects.left().is_empty());
}
