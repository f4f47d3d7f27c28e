use super::*;
use crate::http::{Limits, connections::Connections};

fn scrapes(bytes: u64) -> Arc<Scrapes> {
    Arc::new(Scrapes::new(Budget::new(bytes, Connections::new(Limits::default()))))
}

#[tokio::test]
async fn scrapes_of_one_format_at_the_same_moment_share_one_encoding() {
    let scrapes = scrapes(1 << 20);
    let turn = scrapes.encoder.acquire().await.unwrap();
    let formats = [Format::OpenMetrics, Format::OpenMetrics, Format::Prometheus, Format::Protobuf];
    let tasks = formats.map(|format| {
        let scrapes = Arc::clone(&scrapes);
        tokio::spawn(async move { scrapes.text(format, move || Bytes::from(format!("{format:?}"))).await.unwrap() })
    });
    let waiting = |slot: usize| scrapes.pending[slot].lock().unwrap().strong_count();
    while (waiting(0), waiting(1), waiting(2)) != (2, 1, 1) {
        tokio::task::yield_now().await;
    }
    drop(turn);
    let [first, second, third, fourth] = tasks;
    let (first, second, third) = (first.await.unwrap(), second.await.unwrap(), third.await.unwrap());
    assert_eq!((first.as_ptr(), &*first, &*third), (second.as_ptr(), &b"OpenMetrics"[..], &b"Prometheus"[..]));
    assert_eq!(fourth.await.unwrap(), "Protobuf");
    let stats = scrapes.stats(None);
    assert_eq!((stats.count, stats.encodings), (4, 3));
}

#[tokio::test]
async fn an_encoding_that_nobody_waits_for_any_more_keeps_its_turn() {
    let scrapes = scrapes(1 << 20);
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (end, may_end) = std::sync::mpsc::channel::<()>();
    let encode = move || {
        begun.send(()).unwrap();
        let _ = may_end.recv();
        Bytes::from("late")
    };
    let client = tokio::spawn({
        let scrapes = Arc::clone(&scrapes);
        async move { scrapes.text(Format::Prometheus, encode).await }
    });
    has_begun.await.unwrap();
    client.abort();
    assert!(client.await.is_err());
    assert_eq!(scrapes.encoder.available_permits(), 0, "a second one would run beside it");
    end.send(()).unwrap();
    assert_eq!(scrapes.text(Format::Prometheus, || Bytes::from("next")).await.unwrap(), "next");
}

#[tokio::test]
async fn a_later_scrape_is_encoded_anew() {
    let scrapes = scrapes(1 << 20);
    for text in ["old", "new"] {
        assert_eq!(scrapes.text(Format::Prometheus, move || Bytes::from(text)).await.unwrap(), text);
    }
    assert_eq!(scrapes.stats(None).encodings, 2);
}

#[tokio::test]
async fn text_counts_until_its_last_reader_drops_it() {
    let scrapes = scrapes(2048);
    let text = || Bytes::from(vec![b'x'; 1500]);
    let held = scrapes.text(Format::Prometheus, text).await.unwrap();
    let copy = held.slice(10..20);
    drop(held);
    assert_eq!(scrapes.text(Format::Prometheus, text).await, None, "no room, and no client to close");
    drop(copy);
    assert!(scrapes.text(Format::Prometheus, text).await.is_some());
}
