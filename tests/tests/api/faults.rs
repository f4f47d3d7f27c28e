//! Faults of an API server.

use crate::{
    NODE, Watching,
    objects::{bookmark, change, error, pods},
    short_timeouts,
};
use netwhy_agent::kube::Timeouts;
use netwhy_tests::{
    faulty::{End, FaultyServer, Reply},
    ports,
};
use std::time::Duration;

/// Below the minute for which the server holds a silent connection.
const SOON: Duration = Duration::from_secs(40);

/// Lists get `list`; the n-th watch (from 0) gets `watch(n)`.
fn server(
    list: impl Fn(usize) -> Reply + Send + 'static,
    watch: impl Fn(usize) -> Reply + Send + 'static,
) -> FaultyServer {
    let (mut lists, mut watches) = (0, 0);
    FaultyServer::start(move |asked| {
        assert_eq!(asked.path, "/api/v1/pods");
        let counter = if asked.is_watch() { &mut watches } else { &mut lists };
        let n = *counter;
        *counter += 1;
        if asked.is_watch() { watch(n) } else { list(n) }
    })
    .unwrap()
}

fn idle() -> Reply {
    Reply::watch(&[], End::Silent)
}

#[tokio::test]
async fn asks_for_one_nodes_pods_and_nothing_else() {
    let server = server(|_| Reply::ok(pods(&["a", "b"], 5)), |_| idle());
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    watching.until(SOON, "two Pods", |w| w.names() == ["a", "b"] && w.now().status.complete).await;
    for asked in server.asked() {
        assert_eq!(asked.parameter("fieldSelector"), Some(format!("spec.nodeName%3D{NODE}").as_str()), "{asked:?}");
    }
    watching.until(SOON, "a watch", |_| server.asked().iter().any(|asked| asked.is_watch())).await;
    let watch = server.asked().into_iter().find(|asked| asked.is_watch()).unwrap();
    assert_eq!((watch.parameter("resourceVersion"), watch.parameter("allowWatchBookmarks")), (Some("5"), Some("true")));
}

/// The connection stands and says nothing, and the next watch resumes where the last word was.
#[tokio::test]
async fn a_silent_watch_is_resumed_from_the_last_bookmark() {
    let server = server(
        |_| Reply::ok(pods(&["a"], 5)),
        |n| {
            if n == 0 {
                Reply::watch(&[bookmark(9)], End::Silent)
            } else {
                Reply::watch(&[change("ADDED", "b", 10)], End::Silent)
            }
        },
    );
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    // One second and the client's margin of five.
    watching.until(SOON, "the Pod of the second watch", |w| w.names() == ["a", "b"]).await;
    let second = server.asked().into_iter().filter(|asked| asked.is_watch()).nth(1).unwrap();
    assert_eq!(second.parameter("resourceVersion"), Some("9"));
    assert_eq!(watching.now().status.lists, 1, "nothing was lost, so nothing is listed again");
}

#[tokio::test]
async fn watches_that_break_are_resumed() {
    for end in [End::Cut, End::HalfClosed, End::Proper] {
        let server = server(
            |_| Reply::ok(pods(&["a"], 5)),
            move |n| match n {
                0 => Reply::watch(&[change("ADDED", "b", 6)], end),
                _ => Reply::watch(&[change("DELETED", "a", 7)], End::Silent),
            },
        );
        let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
        watching.until(SOON, "the second watch's change", |w| w.names() == ["b"]).await;
        let second = server.asked().into_iter().filter(|asked| asked.is_watch()).nth(1).unwrap();
        assert_eq!(second.parameter("resourceVersion"), Some("6"), "{end:?}");
        assert_eq!(watching.now().status.last_error, None, "{end:?}");
    }
}

/// A change that can't be read may have been any: all is listed again.
#[tokio::test]
async fn after_garbage_in_a_watch_all_is_listed_again() {
    for garbage in ["{\"type\":\"MODIFIED\",\"object\":{\"spec\":7}}".to_owned(), "<html>502</html>".to_owned()] {
        let server = server(
            |n| if n == 0 { Reply::ok(pods(&["a"], 5)) } else { Reply::ok(pods(&["a", "new"], 9)) },
            move |n| if n == 0 { Reply::watch(std::slice::from_ref(&garbage), End::Silent) } else { idle() },
        );
        let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
        watching.until(SOON, "the second list", |w| w.names() == ["a", "new"]).await;
        assert_eq!(watching.errors("unreadable"), 1);
        watching.until(SOON, "no trouble any more", |w| w.now().status.last_error.is_none()).await;
    }
}

#[tokio::test]
async fn a_list_that_is_no_list_is_trouble_and_no_empty_view() {
    let bad = [
        Reply::ok("<html>please log in</html>"),
        Reply::ok([0xff, 0xfe, 0x00]),
        Reply::ok(r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#),
        Reply { end: End::Cut, ..Reply::ok(r#"{"kind":"PodList","#) },
    ];
    for bad in bad {
        let shown = bad.clone();
        let server = server(move |n| if n < 3 { bad.clone() } else { Reply::ok(pods(&["a"], 5)) }, |_| idle());
        let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
        watching.until(SOON, "trouble", |w| w.now().status.last_error.is_some()).await;
        assert!(!watching.now().status.complete, "{shown:?}");
        let trouble = watching.now().status.last_error.clone().unwrap();
        assert!(trouble.starts_with("watching pods: ") && !trouble.contains('\n'), "{trouble}");
        watching.until(SOON, "the good list", |w| w.names() == ["a"] && w.now().status.complete).await;
        assert_eq!(watching.now().status.last_error, None);
    }
}

/// 300 agents that ask a struggling server every few milliseconds would keep it down.
#[tokio::test]
async fn refusals_are_met_with_longer_and_longer_waits() {
    for (code, reason, kind) in [
        (429, "TooManyRequests", "throttled"),
        (500, "InternalError", "server_error"),
        (503, "ServiceUnavailable", "server_error"),
        (504, "Timeout", "server_error"),
    ] {
        let server = server(
            move |n| if n < 6 { Reply::refusal(code, reason, "no") } else { Reply::ok(pods(&["a"], 5)) },
            |_| idle(),
        );
        let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
        watching.until(SOON, "the list", |w| w.now().status.complete).await;
        assert_eq!(watching.errors(kind), 6);
        let times: Vec<Duration> = server.asked().iter().map(|asked| asked.at).collect();
        for (n, pair) in times[..7].windows(2).enumerate() {
            let least = (short_timeouts().first_backoff * 2u32.pow(n as u32)).min(short_timeouts().max_backoff);
            assert!(pair[1] - pair[0] >= least, "{code}: wait {n} was {:?}", pair[1] - pair[0]);
        }
    }
}

#[tokio::test]
async fn a_storm_of_errors_within_watches_neither_floods_nor_blinds() {
    let server = server(
        |_| Reply::ok(pods(&["a"], 5)),
        |n| match n % 2 {
            _ if n >= 12 => Reply::watch(&[change("ADDED", "b", 6)], End::Silent),
            0 => Reply::refusal(500, "InternalError", "no"),
            _ => Reply::watch(&[error(500, "InternalError")], End::Proper),
        },
    );
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    watching.until(SOON, "a Pod", |w| w.names() == ["a"]).await;
    let took = watching.until(SOON * 2, "the change after the storm", |w| w.names() == ["a", "b"]).await;
    assert!(took > Duration::from_secs(2), "twelve failures within {took:?}");
    assert!(watching.errors("server_error") >= 12);
}

#[tokio::test]
async fn watches_that_end_at_once_are_not_asked_for_without_a_pause() {
    let server = server(|_| Reply::ok(pods(&["a"], 5)), |_| Reply::watch(&[], End::Proper));
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    watching.until(SOON, "a Pod", |w| w.names() == ["a"]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let watches: Vec<Duration> = server.asked().iter().filter(|asked| asked.is_watch()).map(|asked| asked.at).collect();
    // By the server's clock: on a busy machine the pause here may last longer.
    let early = watches.iter().filter(|at| **at - watches[0] <= Duration::from_secs(3)).count();
    // 50, 100, 200 and then 400 ms and more apart.
    assert!((2..=11).contains(&early), "{early} watches in 3 s: {watches:?}");
    assert!(watching.now().status.last_error.is_none(), "changes would come through all the same");
}

/// Expired history, as an answer and within a watch: what was deleted meanwhile disappears.
#[tokio::test]
async fn gone_means_listing_again() {
    let expired: [fn() -> Reply; 2] =
        [|| Reply::refusal(410, "Expired", "too old"), || Reply::watch(&[error(410, "Expired")], End::Proper)];
    for expired in expired {
        let server = server(
            |n| if n == 0 { Reply::ok(pods(&["a", "b"], 5)) } else { Reply::ok(pods(&["b", "c"], 90)) },
            move |n| if n == 0 { expired() } else { idle() },
        );
        let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
        watching.until(SOON, "the second list", |w| w.names() == ["b", "c"]).await;
        assert_eq!(watching.now().status.lists, 2);
        assert_eq!(watching.errors("gone"), 1);
    }
}

#[tokio::test]
async fn denied_is_said_and_ends_when_it_is_granted() {
    for (code, reason, kind) in [(401, "Unauthorized", "unauthorized"), (403, "Forbidden", "forbidden")] {
        let server = server(
            move |n| if n < 2 { Reply::refusal(code, reason, "no rights") } else { Reply::ok(pods(&["a"], 5)) },
            |_| idle(),
        );
        let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
        watching.until(SOON, "trouble", |w| w.errors(kind) > 0).await;
        let now = watching.now();
        let trouble = now.status.last_error.as_deref().unwrap();
        assert!(trouble.contains(&format!("{code} {reason}: no rights")), "{trouble}");
        assert!(
            !now.status.complete && now.status.age_seconds.is_none(),
            "a refusal says nothing of the Pods: {now:?}"
        );
        watching.until(SOON, "the list", |w| w.names() == ["a"] && w.now().status.last_error.is_none()).await;
    }
}

#[tokio::test]
async fn a_list_that_hangs_is_begun_anew() {
    let server = server(|n| if n == 0 { Reply::none() } else { Reply::ok(pods(&["a"], 5)) }, |_| idle());
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    watching.until(SOON, "the second list", |w| w.names() == ["a"]).await;
    assert_eq!(watching.errors("stalled"), 1);
}

/// The rest of a list takes its time, but comes: pages are progress.
#[tokio::test]
async fn slow_lists_arrive() {
    // Each page takes less than the limit, and both together more.
    let pause = short_timeouts().list.mul_f64(0.3);
    let slow = move |body: String| {
        let (first, rest) = body.split_at(body.len() / 2);
        let parts = [first, rest].map(|part| (pause, part.as_bytes().to_vec())).to_vec();
        Reply { parts, ..Reply::ok("") }
    };
    let page =
        pods(&["a"], 5).replace("\"resourceVersion\":\"5\"}", "\"resourceVersion\":\"5\",\"continue\":\"more\"}");
    assert!(page.contains("continue"));
    let server = server(move |n| if n == 0 { slow(page.clone()) } else { slow(pods(&["b"], 5)) }, |_| idle());
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    watching.until(SOON, "both pages", |w| w.names() == ["a", "b"]).await;
    assert_eq!(watching.now().status.errors.len(), 0, "{:?}", watching.now().status);
}

/// Pages are bounded in bytes as well as in Pods: a page that is too large is asked for again with fewer Pods.
#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_again_with_fewer_pods() {
    let server = FaultyServer::start(move |asked| {
        if asked.is_watch() {
            return idle();
        }
        let limit: usize = asked.parameter("limit").unwrap().parse().unwrap();
        // Each Pod takes 100 kB, so that 40 fit.
        let text = pods(&["a"], 5).replace("app:1", &"x".repeat(limit * 100_000));
        Reply::ok(text)
    })
    .unwrap();
    // Megabytes take their time without optimisation.
    let timeouts = Timeouts { list: Duration::from_secs(30), ..short_timeouts() };
    let mut watching = Watching::begin(&server.kubeconfig(), timeouts).await;
    watching.until(SOON, "the list", |w| w.names() == ["a"] && w.now().status.complete).await;
    let lists = server.asked().into_iter().filter(|asked| !asked.is_watch());
    let sizes: Vec<String> = lists.map(|asked| asked.parameter("limit").unwrap().to_owned()).collect();
    assert_eq!(sizes, ["250", "62", "15"]);
    assert_eq!(watching.now().status.errors.len(), 0, "{:?}", watching.now().status);
}

/// Bookmarks that come late, changes that come twice, of unknown kind, and out of order.
#[tokio::test]
async fn odd_but_lawful_streams_are_followed() {
    let lines = vec![
        change("MODIFIED", "never-added", 6),
        change("ADDED", "a", 7),
        change("ADDED", "a", 7),
        change("DELETED", "never-there", 8),
        bookmark(3),
        change("DELETED", "a", 9),
    ];
    let server = server(
        |_| Reply::ok(pods(&["a"], 5)),
        move |n| if n == 0 { Reply::watch(&lines, End::Silent) } else { idle() },
    );
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    watching.until(SOON, "the last change", |w| w.names() == ["never-added"]).await;
    assert_eq!(watching.now().status.errors.len(), 0);
}

#[tokio::test]
async fn nobody_there_is_said_and_waited_out() {
    let free = ports::free().unwrap();
    let config = netwhy_tests::faulty::kubeconfig(&format!("http://{free}"), "");
    let mut watching = Watching::begin(&config, short_timeouts()).await;
    watching.until(SOON, "three attempts", |w| w.errors("unreachable") >= 3).await;
    let now = watching.now();
    assert!(!now.status.complete);
    let trouble = now.status.last_error.as_deref().unwrap();
    assert!(trouble.contains("refused") && trouble.contains("reaches the API server"), "{trouble}");
}

/// The view of before stays while the server is away, and its age grows.
#[tokio::test]
async fn a_view_that_grows_old_says_so() {
    let server = server(|_| Reply::ok(pods(&["a"], 5)), |_| Reply::refusal(503, "ServiceUnavailable", "away"));
    let mut watching = Watching::begin(&server.kubeconfig(), short_timeouts()).await;
    watching.until(SOON, "a Pod", |w| w.names() == ["a"]).await;
    watching.until(SOON, "age", |w| w.now().status.age_seconds.is_some_and(|age| age > 1.5)).await;
    assert_eq!(watching.names(), ["a"]);
    assert!(watching.now().status.last_error.is_some());
}

#[test]
fn the_default_timeouts_suits_five_thousand_agents() {
    let timeouts = Timeouts::default();
    let requests_per_second = 5_000.0 / f64::from(timeouts.watch_seconds);
    assert!(requests_per_second < 50.0, "resumptions of one resource: {requests_per_second:.0}/s");
}
