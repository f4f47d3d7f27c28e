use super::*;
use crate::http::{Limits, connections::Connections};
use axum::body::to_bytes;
use std::sync::{
    atomic::{AtomicUsize, Ordering},
    mpsc,
};
use tokio::sync::mpsc::unbounded_channel;

/// Room of all responses.
const ALL: usize = 1 << 20;

fn answers() -> (Answers, Budget) {
    let budget = Budget::new(ALL as u64, Connections::new(Limits::default()));
    (Answers::new(budget.clone(), 8 << 20), budget)
}

/// Whether so many bytes are free.
async fn has_room(budget: &Budget, bytes: usize) -> bool {
    let room = timeout(Duration::from_millis(1), budget.room(bytes)).await;
    room.is_ok_and(|room| room.is_some())
}

/// Texts of these lengths, one after the other and the last ever again, and how many were written.
fn texts(
    lengths: &'static [usize],
) -> (impl Fn(&mut dyn io::Write) -> serde_json::Result<()> + Send + 'static, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let write = move |out: &mut dyn io::Write| {
        let number = count.fetch_add(1, Ordering::Relaxed).min(lengths.len() - 1);
        // Two quotes are a part of the text.
        serde_json::to_writer(out, &"x".repeat(lengths[number] - 2))
    };
    (write, written)
}

async fn body(response: Response) -> Bytes {
    to_bytes(response.into_body(), usize::MAX).await.unwrap()
}

#[tokio::test]
async fn an_answer_without_room_is_not_encoded_and_says_when_to_ask_again() {
    let (answers, budget) = answers();
    let held = budget.room(ALL).await.unwrap();
    let (write, written) = texts(&[100]);
    let refused = answers.json(write).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "2");
    assert!(String::from_utf8_lossy(&body(refused).await).contains("http.max_response_bytes"));
    assert_eq!(written.load(Ordering::Relaxed), 0);
    drop(held);
    let answer = answers.json(texts(&[100]).0).await;
    assert_eq!((answer.status(), body(answer).await.len()), (StatusCode::OK, 100));
}

#[tokio::test]
async fn a_long_answer_is_measured_and_then_takes_room_for_its_text() {
    let (answers, budget) = answers();
    let (write, written) = texts(&[300_000]);
    let answer = answers.json(write).await;
    assert_eq!(written.load(Ordering::Relaxed), 2);
    // The rest of the room is free again, and the text's is not.
    assert!(has_room(&budget, ALL - 301_000).await);
    assert!(!has_room(&budget, ALL - 299_000).await);
    let text = body(answer).await;
    assert_eq!(text.len(), 300_000);
    drop(text);
    assert!(has_room(&budget, ALL).await);
}

#[tokio::test]
async fn an_answer_that_outgrows_its_room_is_encoded_once_more() {
    let (answers, budget) = answers();
    let (write, written) = texts(&[100_000, 200_000, 190_000]);
    let answer = answers.json(write).await;
    assert_eq!((answer.status(), body(answer).await.len()), (StatusCode::OK, 190_000));
    assert_eq!(written.load(Ordering::Relaxed), 3);
    let (write, written) = texts(&[100_000, 200_000, 300_000]);
    assert_eq!(answers.json(write).await.status(), StatusCode::SERVICE_UNAVAILABLE, "it would never end");
    assert_eq!(written.load(Ordering::Relaxed), 3);
    assert!(has_room(&budget, ALL).await);
}

#[tokio::test]
async fn an_answer_above_the_bound_is_refused_with_the_remedy() {
    let (answers, budget) = answers();
    // Above the budget, an answer waits until it is the only one.
    let answer = answers.json(texts(&[4 << 20]).0).await;
    assert_eq!((answer.status(), body(answer).await.len()), (StatusCode::OK, 4 << 20));
    let refused = answers.json(texts(&[8 << 20]).0).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let text = body(refused).await;
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("longer than 7864320 bytes") && text.contains("http.max_response_bytes"), "{text}");
    assert!(has_room(&budget, ALL).await);
}

#[tokio::test]
async fn an_encoding_that_nobody_waits_for_any_more_keeps_its_turn_and_its_room() {
    let (answers, budget) = answers();
    let answers = Arc::new(answers);
    let (begun, mut has_begun) = unbounded_channel();
    let (end, may_end) = mpsc::channel::<()>();
    let write = move |out: &mut dyn io::Write| {
        begun.send(()).unwrap();
        let _ = may_end.recv();
        serde_json::to_writer(out, "late")
    };
    let client = tokio::spawn({
        let answers = Arc::clone(&answers);
        async move { answers.json(write).await }
    });
    has_begun.recv().await.unwrap();
    client.abort();
    assert!(client.await.is_err());
    assert_eq!(answers.encoder.available_permits(), 0, "a second one would run beside it");
    assert!(!has_room(&budget, ALL).await);
    end.send(()).unwrap();
    assert_eq!(body(answers.json(texts(&[100]).0).await).await.len(), 100);
    assert!(has_room(&budget, ALL).await);
}
