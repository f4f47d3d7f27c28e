use super::{super::room::Room, *};
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

fn body(chunk: &'static [u8], chunks: usize) -> impl Body<Data = Bytes, Error = Infallible> {
    StreamBody::new(stream::iter((0..chunks).map(move |_| Ok(Frame::data(Bytes::from_static(chunk))))))
}

fn account() -> Arc<Account> {
    Room::new(64 << 20).account()
}

fn why(unread: Unread) -> String {
    match unread {
        Unread::Bad(failure) | Unread::NoRoom(failure) => failure.to_string(),
    }
}

#[tokio::test]
async fn an_answer_without_end_is_left_after_8_mib() {
    let sent = AtomicUsize::new(0);
    let endless = StreamBody::new(stream::repeat_with(|| {
        sent.fetch_add(1 << 16, Ordering::Relaxed);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; 1 << 16])))
    }));
    let unread = Answer::read(endless, &account()).await.unwrap_err();
    assert!(matches!(&unread, Unread::Bad(_)) && why(unread).contains("longer than 8 MiB"));
    assert_eq!(sent.load(Ordering::Relaxed), MAX_BYTES + (1 << 16), "nothing more is read");
    assert!(Answer::read(body(&[b' '; 1 << 16], MAX_BYTES >> 16), &account()).await.is_ok());
}

#[tokio::test]
async fn small_values_count_with_the_memory_that_they_need() {
    for chunk in [&b"\"\","[..], b"[", b"{\"\":"] {
        let unread = Answer::read(body(chunk, 1 << 20), &account()).await.unwrap_err();
        assert!(matches!(&unread, Unread::NoRoom(_)), "{unread:?}");
        let why = why(unread);
        assert!(why.contains("no room") && why.contains("--answer-memory"), "{why}");
    }
    let account = account();
    let answer = Answer::read(body(b"[\"a\",\"b\"]", 1), &account).await.unwrap();
    assert_eq!(answer.parse::<Vec<String>>().unwrap(), ["a", "b"]);
    let wrong = Answer::read(body(b"[1]", 1), &account).await.unwrap();
    assert!(wrong.parse::<Vec<String>>().is_err());
}

#[tokio::test]
async fn errors_are_cut() {
    assert_eq!(error_text(body(b"no such path", 1)).await.unwrap(), "no such path");
    let endless = StreamBody::new(stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"abc")))));
    assert_eq!(error_text(endless).await.unwrap().len(), MAX_ERROR);
}
