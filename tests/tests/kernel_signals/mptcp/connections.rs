//! Connections of MPTCP, and the kernel's figures of their subflows.

use super::{listener, mptcp_socket};
use crate::{
    mib,
    socket::{Flow, TcpInfo},
    stage::{Stage, wait_until},
};
use rustix::net::{SocketFlags, connect};
use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::AsRawFd,
};

/// Connections of MPTCP.
pub(super) struct Connections {
    _listener: TcpListener,
    /// Client and server of each.
    pub(super) pairs: Vec<(TcpStream, TcpStream)>,
}

impl Connections {
    pub(super) fn open(stage: &Stage, n: usize) -> Self {
        let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
        let listener = listener(stage, &server, 128);
        let to = stage.address(&server, &listener);
        let one = |_| {
            let socket = mptcp_socket(stage, &client, SocketFlags::empty()).unwrap();
            stage.inside(&client, || connect(&socket, &to)).unwrap();
            let (answers, _) = listener.accept().unwrap();
            (TcpStream::from(socket), answers)
        };
        let pairs = (0..n).map(one).collect();
        Self { _listener: listener, pairs }
    }

    /// A request and its answer on each.
    pub(super) fn exchange(&mut self, request: usize, answer: usize) {
        for (asks, answers) in &mut self.pairs {
            asks.write_all(&vec![0; request]).unwrap();
            answers.read_exact(&mut vec![0; request]).unwrap();
            answers.write_all(&vec![0; answer]).unwrap();
            asks.read_exact(&mut vec![0; answer]).unwrap();
        }
    }

    /// The kernel's figures of all clients' and of all servers' subflows.
    pub(super) fn flows(&self) -> (Flow, Flow) {
        let (mut clients, mut servers) = (Flow::default(), Flow::default());
        for (asks, answers) in &self.pairs {
            subflows(asks).into_iter().for_each(|info| clients += info.into());
            subflows(answers).into_iter().for_each(|info| servers += info.into());
        }
        (clients, servers)
    }

    /// Closes all. MPTCP may keep a subflow that waits for a FIN for a minute.
    pub(super) fn close(mut self, stage: &Stage) {
        for (asks, answers) in &mut self.pairs {
            asks.shutdown(Shutdown::Write).unwrap();
            assert_eq!(answers.read(&mut [0]).unwrap(), 0);
            answers.shutdown(Shutdown::Write).unwrap();
            assert_eq!(asks.read(&mut [0]).unwrap(), 0);
        }
        drop(self);
        let open = |node| mib::read(stage.node(node), "Tcp", "CurrEstab");
        wait_until("all are closed", || open("a") + open("b") == 0);
    }
}

/// `TCP_INFO` of each subflow (`MPTCP_TCPINFO` of `include/uapi/linux/mptcp.h`; 5.16 and later).
pub(super) fn subflows(socket: &impl AsRawFd) -> Vec<TcpInfo> {
    const SOL_MPTCP: i32 = 284;
    const MPTCP_TCPINFO: i32 = 2;
    const INFO: usize = 192;
    const HEADER: usize = 16;
    let mut bytes = [0u8; HEADER + 8 * INFO];
    bytes[0..4].copy_from_slice(&(HEADER as u32).to_ne_bytes());
    bytes[12..16].copy_from_slice(&(INFO as u32).to_ne_bytes());
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: the buffer and its length live through the call, and the kernel writes no more than that length.
    let rc = unsafe {
        libc::getsockopt(socket.as_raw_fd(), SOL_MPTCP, MPTCP_TCPINFO, bytes.as_mut_ptr().cast(), &raw mut length)
    };
    assert_eq!(rc, 0, "MPTCP_TCPINFO: {}", std::io::Error::last_os_error());
    let count = u32::from_ne_bytes(bytes[4..8].try_into().unwrap()) as usize;
    bytes[HEADER..].chunks_exact(INFO).take(count).map(TcpInfo::parse).collect()
}
