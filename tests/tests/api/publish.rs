//! Hints told to an API server: by name, slowly, and not again when it refuses.

use crate::{Folder, NODE, connect, short_timeouts};
use netwhy_agent::{
    api::{Blame, BlameKind, Hint, HintState, PodInfo, Subject},
    publish::{Publish, publish},
    state::{NodeView, SubjectId, SubjectKind, SubjectView},
};
use netwhy_tests::faulty::{Asked, FaultyServer, Reply};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::sync::{oneshot, watch};

const SOON: Duration = Duration::from_secs(60);
const ALL: Publish = Publish { events: true, conditions: true };

/// A Node of which one hint says that it loses packets, to the harm of one Pod.
pub(crate) fn view() -> NodeView {
    let id = SubjectId {
        kind: SubjectKind::Pod,
        namespace: "default".to_owned(),
        name: "cart-1".to_owned(),
        ..SubjectId::default()
    };
    let pod = PodInfo { uid: "uid-cart".to_owned(), ..PodInfo::default() };
    let hint = Hint {
        id: "00c0ffee".to_owned(),
        state: HintState::Firing,
        subject: Subject {
            kind: "Pod".to_owned(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            node: NODE.to_owned(),
            ..Subject::default()
        },
        symptom: "packet_loss".to_owned(),
        cause: "node_packet_loss".to_owned(),
        blame: Blame::named(BlameKind::Node, NODE.to_owned(), 0.99),
        confidence: 0.9,
        summary: "cart-1 loses packets".to_owned(),
        evidence: Vec::new(),
        ruled_out: Vec::new(),
        chain: Vec::new(),
        action: String::new(),
        first_seen: "2026-01-01T00:00:00.123Z".to_owned(),
        last_seen: "2026-01-01T00:00:05.456Z".to_owned(),
        window_seconds: 10.0,
    };
    NodeView {
        node: NODE.to_owned(),
        unix_ms: 1_767_225_605_456,
        window_complete: true,
        subjects: vec![SubjectView { id, pod: Some(Arc::new(pod)), ..SubjectView::default() }],
        hints: vec![hint],
        ..NodeView::default()
    }
}

/// A running publisher; ends when dropped.
pub(crate) struct Publishing {
    pub(crate) view: watch::Sender<Arc<NodeView>>,
    _stop: oneshot::Sender<()>,
    _folder: Folder,
}

impl Publishing {
    pub(crate) async fn begin(kubeconfig: &str, what: Publish, view: NodeView) -> Self {
        let folder = Folder::new();
        let cluster = connect(&folder.file("kubeconfig", kubeconfig), short_timeouts()).await;
        let (view, seen) = watch::channel(Arc::new(view));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(publish(cluster, what, seen, async {
            let _ = stopped.await;
        }));
        Self { view, _stop: stop, _folder: folder }
    }
}

async fn until(server: &FaultyServer, requests: usize) -> Vec<Asked> {
    let begun = std::time::Instant::now();
    loop {
        let asked = server.asked();
        if asked.len() >= requests {
            return asked;
        }
        assert!(begun.elapsed() < SOON, "{asked:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_hint_becomes_one_event_and_a_condition_a_second_apart() {
    let server = FaultyServer::start(|asked| Reply::ok(asked.body.clone())).unwrap();
    let publishing = Publishing::begin(&server.kubeconfig(), ALL, view()).await;
    let asked = until(&server, 2).await;
    assert!(asked.iter().all(|asked| asked.method == "PATCH"), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.parameter("fieldManager") == Some("netwhy-agent")), "{asked:?}");
    // They arrive less than a second apart when the first one's connection takes its time.
    assert!(asked[1].at - asked[0].at >= Duration::from_millis(500), "{asked:?}");
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(paths, ["/api/v1/nodes/node-a/status", "/api/v1/namespaces/default/events/cart-1.netwhy-00c0ffee"]);
    let body = |i: usize| -> Value { serde_json::from_str(&asked[i].body).unwrap() };
    let condition = &body(0)["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&"NetwhyNetworkTrouble".into(), &"True".into()));
    assert_eq!(
        (&condition["reason"], &condition["message"]),
        (&"NodePacketLoss".into(), &"cart-1 loses packets".into())
    );
    assert_eq!(condition["lastTransitionTime"], "2026-01-01T00:00:05Z");
    let event = body(1);
    assert_eq!(event["involvedObject"]["uid"], "uid-cart");
    assert_eq!(
        (&event["firstTimestamp"], &event["lastTimestamp"]),
        (&"2026-01-01T00:00:00Z".into(), &"2026-01-01T00:00:05Z".into())
    );

    // The hint goes on: nothing more is said for now. It ends: the condition follows.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(server.asked().len(), 2);
    publishing.view.send_modify(|view| {
        let view = Arc::make_mut(view);
        view.hints[0].state = HintState::Resolved;
    });
    let asked = tokio::time::timeout(SOON, async {
        loop {
            let asked = server.asked();
            if asked.len() > 2 {
                return asked;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
    let healed: Value = serde_json::from_str(&asked[2].body).unwrap();
    assert_eq!(healed["status"]["conditions"][0]["status"], "False");
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_again_and_holds_up_nothing_else() {
    let server = FaultyServer::start(|asked| {
        if asked.path.contains("/nodes/") {
            Reply::refusal(403, "Forbidden", "nodes/status is forbidden")
        } else {
            Reply::ok(asked.body.clone())
        }
    })
    .unwrap();
    let _publishing = Publishing::begin(&server.kubeconfig(), ALL, view()).await;
    until(&server, 2).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths[1].contains("/events/"), "{paths:?}");
}
