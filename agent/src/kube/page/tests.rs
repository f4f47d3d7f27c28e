use super::*;
use http_body_util::{BodyExt as _, Full};

async fn read(bytes: usize, is_watch: bool) -> Result<usize, ::kube::Error> {
    let body = bounded(Full::new(bytes::Bytes::from(vec![b'x'; bytes])), is_watch);
    // As the client wraps it.
    let read = body.collect().await.map_err(::kube::Error::Service)?;
    Ok(read.to_bytes().len())
}

#[tokio::test]
async fn a_response_is_bounded_and_a_watch_is_not() {
    let most = MAX_PAGE_BYTES as usize;
    assert_eq!(read(most, false).await.unwrap(), most);
    assert_eq!(read(most + 1, true).await.unwrap(), most + 1);
    let error = read(most + 1, false).await.unwrap_err();
    assert!(is_too_large(&error), "{error:?}");
    assert!(!is_too_large(&::kube::Error::LinesCodecMaxLineLengthExceeded));
}

#[test]
fn a_page_shrinks_down_to_one_object() {
    let page = PageSize::new(250);
    let mut sizes = vec![page.get()];
    while page.shrink() {
        sizes.push(page.get());
    }
    assert_eq!(sizes, [250, 62, 15, 3, 1]);
}
