//! A client's and a server's Pod, and the calls that an agent sees of them.

use crate::{
    socket::Pair,
    stage::{Options, Stage, Watch, id, wait_until},
};
use netwhy_abi::Role;
use netwhy_agent::{calls::Call, kernel::Mode};
use netwhy_tests::lab::Pod;
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

pub(super) struct Scene<'s> {
    pub(super) stage: &'s Stage,
    pub(super) client: Pod,
    pub(super) server: Pod,
    pub(super) watch: Watch,
    calls: Vec<Call>,
}

/// Response times and HTTP on, every exchange sampled.
pub(super) fn options() -> Options {
    Options { modes: &[("responses", Mode::On), ("http", Mode::On)], ..Options::default() }
}

/// A call as tests compare it.
pub(super) type Seen = (&'static str, String, u16);

impl<'s> Scene<'s> {
    pub(super) fn open(stage: &'s Stage) -> Self {
        Self::with(stage, options())
    }

    pub(super) fn with(stage: &'s Stage, options: Options) -> Self {
        let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
        let watch = stage.watch_with(options);
        Self { stage, client, server, watch, calls: Vec::new() }
    }

    /// A listener in the server's Pod, and its address.
    pub(super) fn listen(&self) -> (TcpListener, SocketAddr) {
        let listener = self.stage.listen(&self.server);
        let address = self.stage.address(&self.server, &listener);
        (listener, address)
    }

    /// A connection to a listener whose port the agent knows: a first exchange told it to speak HTTP.
    pub(super) fn connect(&mut self, listener: &TcpListener, to: SocketAddr) -> Pair {
        let mut first = Pair::open(self.stage, &self.client, listener, to);
        for _ in 0..2 {
            ask(&mut first, "GET /first HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n");
        }
        first.finish();
        wait_until("the first calls are seen at both ends", || {
            self.read();
            Role::ALL.iter().all(|role| self.count(*role) >= 1)
        });
        self.calls.clear();
        Pair::open(self.stage, &self.client, listener, to)
    }

    /// Takes a snapshot and the calls in it.
    pub(super) fn read(&mut self) {
        self.watch.read();
        self.calls.extend(self.watch.last.calls.iter().cloned());
    }

    /// Calls of one end so far, in the order of their ends.
    pub(super) fn calls(&self, role: Role) -> Vec<&Call> {
        let cgroup = id(match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        });
        let calls = self.calls.iter().filter(|call| call.key.cgroup == cgroup);
        calls.inspect(|call| assert_eq!(call.key.role(), Some(role), "each Pod is one end")).collect()
    }

    /// Forgets the calls so far, and those that are still to be read.
    pub(super) fn settle(&mut self) {
        wait_until("no more calls come", || {
            let before = self.calls.len();
            wait_for_delayed_ack();
            self.read();
            before == self.calls.len()
        });
        self.calls.clear();
    }

    /// Exchanges of one end that were looked at, and those of them that could be read.
    pub(super) fn looked_at(&self, role: Role) -> (u64, u64) {
        let cgroup = id(if role == Role::Client { &self.client } else { &self.server });
        let rows = self.watch.sums().responses.iter().filter(|(key, _)| key.cgroup == cgroup);
        rows.fold((0, 0), |(sampled, readable), (_, times)| (sampled + times.sampled, readable + times.readable))
    }

    fn count(&self, role: Role) -> usize {
        self.calls(role).len()
    }

    /// The calls of one end, once there are as many as these.
    #[track_caller]
    pub(super) fn expect(&mut self, role: Role, wanted: &[(&'static str, &str, u16)]) {
        wait_until(&format!("{} calls of the {}", wanted.len(), role.label()), || {
            self.read();
            self.count(role) >= wanted.len()
        });
        let seen: Vec<Seen> = self.calls(role).into_iter().map(seen).collect();
        let wanted: Vec<Seen> =
            wanted.iter().map(|(method, route, status)| (*method, (*route).to_owned(), *status)).collect();
        assert_eq!(seen, wanted, "{} {:?}", role.label(), self.watch.missed());
    }

    /// The same at both ends.
    #[track_caller]
    pub(super) fn expect_both(&mut self, wanted: &[(&'static str, &str, u16)]) {
        Role::ALL.into_iter().for_each(|role| self.expect(role, wanted));
    }
}

pub(super) fn seen(call: &Call) -> Seen {
    (call.method.label(), call.route.clone(), call.status)
}

/// Sends text, and waits until all of it was read.
pub(super) fn tell(from: &mut TcpStream, to: &mut TcpStream, text: impl AsRef<[u8]>) {
    from.write_all(text.as_ref()).unwrap();
    to.read_exact(&mut vec![0; text.as_ref().len()]).unwrap();
}

/// A request and its answer.
pub(super) fn ask(pair: &mut Pair, request: impl AsRef<[u8]>, answer: impl AsRef<[u8]>) {
    tell(&mut pair.client, &mut pair.server, request);
    tell(&mut pair.server, &mut pair.client, answer);
}

/// Time for an acknowledgement that nothing rides on.
pub(super) fn wait_for_delayed_ack() {
    thread::sleep(Duration::from_millis(250));
}
