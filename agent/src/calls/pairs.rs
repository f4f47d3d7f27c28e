//! Requests and answers → calls. Each CPU has its own buffer, so an answer may be read before its request.

use super::{
    Call, Head, Method, Protocol,
    parse::{is_interim, request, status},
};
use netwhy_abi::{
    EdgeKey,
    heads::{ANSWER, REQUEST},
};
use std::collections::HashMap;

/// Requests that wait for their answers, at most. Each takes about 200 bytes.
const MOST: usize = 4_096;
/// How long a request waits for its answer, ns.
const PATIENCE_NS: u64 = 300_000_000_000;

/// A connection and the number of its exchange.
type Id = (u64, u32);

/// A request without its answer.
#[derive(Debug)]
struct Asked {
    key: EdgeKey,
    method: Method,
    route: String,
    at_ns: u64,
    weight: u32,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
struct Answered {
    id: Id,
    status: u16,
    at_ns: u64,
    /// Whether it waits for its request since the last call.
    is_old: bool,
}

/// The messages so far.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    asked: HashMap<Id, Asked>,
    answered: Vec<Answered>,
    /// When the newest message was sent or received, ktime ns.
    now_ns: u64,
}

impl Pairs {
    /// Takes a message. What is no HTTP is forgotten at once.
    pub(super) fn take(&mut self, head: &Head<'_>) {
        let Head { event, bytes } = head;
        let id = (event.cookie, event.exchange);
        self.now_ns = self.now_ns.max(event.at_ns);
        match event.part {
            REQUEST => {
                let Some((method, route)) = request(bytes) else { return };
                if self.asked.len() >= MOST {
                    let begin = self.now_ns.saturating_sub(PATIENCE_NS);
                    self.asked.retain(|_, asked| asked.at_ns > begin);
                }
                if self.asked.len() < MOST {
                    let asked = Asked { key: event.key, method, route, at_ns: event.at_ns, weight: event.weight };
                    self.asked.insert(id, asked);
                }
            }
            ANSWER => {
                if let Some(status) = status(bytes) {
                    self.answered.push(Answered { id, status, at_ns: event.at_ns, is_old: false });
                }
            }
            _ => {}
        }
    }

    /// The calls that ended since the last time, in the order of their ends.
    pub(super) fn calls(&mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        let mut answered = std::mem::take(&mut self.answered);
        answered.sort_by_key(|answered| answered.at_ns);
        for answer in answered {
            // The final answer follows.
            if is_interim(answer.status) {
                continue;
            }
            match self.asked.remove(&answer.id) {
                Some(Asked { key, method, route, at_ns, weight }) => {
                    let us = answer.at_ns.saturating_sub(at_ns) / 1_000;
                    calls.push(Call {
                        key,
                        method,
                        route,
                        status: answer.status,
                        protocol: Protocol::Http1,
                        us: Some(us),
                        weight,
                    });
                }
                None if !answer.is_old => self.answered.push(Answered { is_old: true, ..answer }),
                None => {}
            }
        }
        calls
    }
}

#[cfg(test)]
mod tests;
