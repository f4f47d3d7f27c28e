//! Reads that may hang, such as those of a mount whose server is gone. They run on threads of their own, and the caller
//! waits for at most a deadline. A read that hangs costs its own answer, not those of the others.
//!
//! One thread makes all reads, one after the other. When one of them hangs, another thread takes over the rest, so that
//! there is one thread more for each read that hangs. A thread begins with the rights and namespaces of the thread that
//! asks first.

use std::{
    collections::VecDeque,
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Longest time that the caller waits for one read.
const DEADLINE: Duration = Duration::from_millis(300);
/// The same for a read that has not answered yet, so that nothing stands in for it.
const FIRST_DEADLINE: Duration = Duration::from_secs(1);

/// Reads something on request.
pub type Read<Q, A> = Box<dyn FnMut(&Q) -> A + Send>;

/// Outcome of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<A> {
    /// The answer. That of a slow read belongs to the previous request.
    Ready(A),
    /// There is none yet. Holds the time since the request that it is waited for.
    Late(Duration),
    /// The read panicked, or there is no thread for it.
    Failed,
}

/// Reads that are asked together.
pub struct Reads<Q, A> {
    thread_name: &'static str,
    slots: Vec<Slot<Q, A>>,
    shared: Arc<Shared<Q, A>>,
}

struct Slot<Q, A> {
    /// `None`: a thread has it.
    read: Option<Read<Q, A>>,
    asked: Instant,
    /// Whether it is worth waiting for: the last one was quick.
    is_quick: bool,
    has_answered: bool,
    answer: Option<Answer<A>>,
}

struct Shared<Q, A> {
    board: Mutex<Board<Q, A>>,
    /// Notified when there is something to do for a thread, or for it to end.
    to_do: Condvar,
    /// Notified when something is done.
    done: Condvar,
}

struct Board<Q, A> {
    waiting: VecDeque<Task<Q, A>>,
    done: Vec<Done<Q, A>>,
    /// Number of the thread that takes tasks. Others end.
    thread: u64,
}

struct Task<Q, A> {
    index: usize,
    request: Q,
    read: Read<Q, A>,
}

struct Done<Q, A> {
    index: usize,
    read: Read<Q, A>,
    /// `None`: it panicked.
    answer: Option<A>,
    took: Duration,
}

impl<Q: Clone + Send + 'static, A: Send + 'static> Reads<Q, A> {
    /// Threads start with the first request.
    pub fn new(thread_name: &'static str, reads: Vec<Read<Q, A>>) -> Self {
        let slot =
            |read| Slot { read: Some(read), asked: Instant::now(), is_quick: true, has_answered: false, answer: None };
        let board = Board { waiting: VecDeque::new(), done: Vec::new(), thread: 0 };
        let shared = Shared { board: Mutex::new(board), to_do: Condvar::new(), done: Condvar::new() };
        Self { thread_name, slots: reads.into_iter().map(slot).collect(), shared: Arc::new(shared) }
    }

    /// Makes all reads that don't hang. Returns what became of each, in their order.
    pub fn ask(&mut self, request: &Q) -> Vec<Answer<A>> {
        let Self { thread_name, slots, shared } = self;
        let mut board = shared.lock();
        collect(slots, &mut board);
        submit(slots, &mut board, request);
        if board.thread == 0 {
            start(thread_name, shared, &mut board);
        }
        shared.to_do.notify_one();
        let mut end = deadline(slots);
        while slots.iter().any(Slot::is_awaited) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // The thread hangs in a read: another one goes on with what waits behind it.
                let is_behind = |index| board.waiting.iter().any(|task| task.index == index);
                for (index, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.is_awaited()) {
                    slot.is_quick = is_behind(index);
                }
                if slots.iter().any(Slot::is_awaited) {
                    start(thread_name, shared, &mut board);
                    end = deadline(slots);
                }
                continue;
            }
            board = shared.done.wait_timeout(board, left).unwrap_or_else(PoisonError::into_inner).0;
            collect(slots, &mut board);
        }
        drop(board);
        slots.iter_mut().map(|slot| slot.answer.take().unwrap_or(Answer::Late(slot.asked.elapsed()))).collect()
    }
}

impl<Q, A> Slot<Q, A> {
    fn is_awaited(&self) -> bool {
        self.read.is_none() && self.is_quick
    }
}

impl<Q, A> Shared<Q, A> {
    /// No code of a read runs under the lock.
    fn lock(&self) -> MutexGuard<'_, Board<Q, A>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes in what is done.
fn collect<Q, A>(slots: &mut [Slot<Q, A>], board: &mut Board<Q, A>) {
    for Done { index, read, answer, took } in board.done.drain(..) {
        let slot = &mut slots[index];
        slot.read = Some(read);
        slot.is_quick = took < DEADLINE;
        slot.has_answered = true;
        slot.answer = Some(answer.map_or(Answer::Failed, Answer::Ready));
    }
}

/// Until when the awaited reads have time.
fn deadline<Q, A>(slots: &[Slot<Q, A>]) -> Instant {
    let is_first = slots.iter().any(|slot| slot.is_awaited() && !slot.has_answered);
    Instant::now() + if is_first { FIRST_DEADLINE } else { DEADLINE }
}

/// Hands out all reads that are at home, quick ones first.
fn submit<Q: Clone, A>(slots: &mut [Slot<Q, A>], board: &mut Board<Q, A>, request: &Q) {
    for is_quick in [true, false] {
        for (index, slot) in slots.iter_mut().enumerate().filter(|(_, slot)| slot.is_quick == is_quick) {
            if let Some(read) = slot.read.take() {
                slot.asked = Instant::now();
                board.waiting.push_back(Task { index, request: request.clone(), read });
            }
        }
    }
}

/// Starts a thread that takes over. Without one, tasks wait for the next try.
fn start<Q: Send + 'static, A: Send + 'static>(name: &str, shared: &Arc<Shared<Q, A>>, board: &mut Board<Q, A>) {
    let number = board.thread + 1;
    let threads = thread::Builder::new().name(name.to_owned());
    let started: io::Result<_> = threads.spawn({
        let shared = Arc::clone(shared);
        move || work(&shared, number)
    });
    match started {
        Ok(_) => board.thread = number,
        Err(error) => tracing::warn!(%error, "can't start a thread for reads: raise the limit on threads"),
    }
}

/// Makes reads until another thread took over.
fn work<Q, A>(shared: &Shared<Q, A>, number: u64) {
    let mut board = shared.lock();
    while board.thread == number {
        let Some(Task { index, request, mut read }) = board.waiting.pop_front() else {
            board = shared.to_do.wait(board).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        drop(board);
        let begun = Instant::now();
        let answer = panic::catch_unwind(AssertUnwindSafe(|| read(&request))).ok();
        let took = begun.elapsed();
        board = shared.lock();
        board.done.push(Done { index, read, answer, took });
        shared.done.notify_one();
    }
}

impl<Q, A> Drop for Reads<Q, A> {
    fn drop(&mut self) {
        let mut board = self.shared.lock();
        board.thread = u64::MAX;
        board.waiting.clear();
        self.shared.to_do.notify_all();
    }
}

#[cfg(test)]
mod tests;
