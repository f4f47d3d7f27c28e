//! Resolvers as the kernel sees them: by the calls on their sockets.

use crate::stage::{PATIENCE, wait_until};
use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A header, and one question: the root's addresses.
pub(super) const QUESTION: [u8; 17] = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];

/// How a resolver uses its socket.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    /// connect, send, recvfrom.
    Glibc,
    /// sendto, recvfrom.
    Musl,
    /// connect, write, read.
    Go,
}

pub(super) const STYLES: [Style; 3] = [Style::Glibc, Style::Musl, Style::Go];

impl Style {
    /// Looks up `types` types at once; true when all were answered in time.
    pub(super) fn look_up(self, server: SocketAddr, types: usize, patience: Duration) -> bool {
        self.ask(server, &vec![QUESTION; types], patience)
    }

    /// Asks all at once; true when all were answered in time.
    fn ask(self, server: SocketAddr, questions: &[[u8; QUESTION.len()]], patience: Duration) -> bool {
        let socket = self.send(server, questions, patience);
        (0..questions.len()).all(|_| self.takes_answer(&socket))
    }

    /// Sends all questions on one socket.
    fn send(self, server: SocketAddr, questions: &[[u8; QUESTION.len()]], patience: Duration) -> UdpSocket {
        let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
        let socket = UdpSocket::bind(any).unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        if !matches!(self, Self::Musl) {
            socket.connect(server).unwrap();
        }
        for question in questions {
            match self {
                Self::Musl => socket.send_to(question, server).unwrap(),
                Self::Glibc | Self::Go => socket.send(question).unwrap(),
            };
        }
        socket
    }

    /// Reads an answer; true when it came in time.
    fn takes_answer(self, socket: &UdpSocket) -> bool {
        let mut answer = [0; 512];
        match self {
            Self::Go => socket.recv(&mut answer).is_ok(),
            Self::Glibc | Self::Musl => socket.recv_from(&mut answer).is_ok(),
        }
    }
}

/// A resolver as its server sees it.
#[derive(Default)]
pub(super) struct Asker {
    /// Its thread in procfs.
    thread: OnceLock<PathBuf>,
    /// Answers that it took.
    taken: AtomicUsize,
}

impl Asker {
    /// As [`Style::ask`].
    pub(super) fn ask(&self, style: Style, server: SocketAddr, questions: &[[u8; QUESTION.len()]]) -> bool {
        self.thread.set(Path::new("/proc").join(fs::read_link("/proc/thread-self").unwrap())).unwrap();
        let socket = style.send(server, questions, PATIENCE);
        (0..questions.len()).all(|_| {
            let is_answered = style.takes_answer(&socket);
            self.taken.fetch_add(1, Ordering::SeqCst);
            is_answered
        })
    }

    /// Whether it sleeps until the next answer comes, after it took so many.
    fn sleeps_after(&self, taken: usize) -> bool {
        let Some(thread) = self.thread.get() else { return false };
        if self.taken.load(Ordering::SeqCst) != taken {
            return false;
        }
        // The number of the system call, or "running".
        let call = fs::read_to_string(thread.join("syscall")).unwrap();
        call.split(' ').next().is_some_and(|number| number == libc::SYS_recvfrom.to_string())
    }

    /// Echoes its questions, in their order. It sleeps whenever an answer arrives: one that is awake may take an answer
    /// before the agent's program has read the code.
    pub(super) fn answer_asleep(&self, socket: &UdpSocket, questions: usize) {
        let mut message = [0; 512];
        let mut receive = || {
            let (n, from) = socket.recv_from(&mut message).unwrap();
            (message[..n].to_vec(), from)
        };
        let asked: Vec<_> = (0..questions).map(|_| receive()).collect();
        for (taken, (question, from)) in asked.into_iter().enumerate() {
            wait_until("the resolver sleeps", || self.sleeps_after(taken));
            socket.send_to(&question, from).unwrap();
        }
    }
}
