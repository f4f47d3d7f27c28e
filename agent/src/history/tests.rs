//! A ring of real recordings and of a busy Node: what comes back, and what it takes.

pub(super) mod load;

use super::{testing::Folder, *};
use crate::{
    api::{Hint, HintState},
    config::Config,
    pipeline::Pipeline,
    replay,
    sample::{Recording, SampleSource as _, Snapshot},
    state::NodeView,
};
use flate2::read::GzDecoder;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Recordings of the laboratory with a fault each.
const RECORDINGS: [&str; 3] = ["bursty-loss2.b", "accept-queue-full.e", "external-slow85ms.a"];

/// Ticks of the recordings are a second apart, more or less: with this, each has a frame.
const EACH_TICK: Duration = Duration::from_millis(500);

fn recording(name: &str) -> Recording<impl BufRead> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    let file = File::open(folder.join(format!("{name}.jsonl.gz"))).unwrap();
    Recording::read(BufReader::new(GzDecoder::new(file)), name).unwrap()
}

fn settings(folder: &Path, every: Duration) -> Settings {
    Settings { folder: folder.to_owned(), max_bytes: 64 << 20, every, run: 1 }
}

/// A running agent with its recorder.
pub(super) struct Agent {
    pipeline: Pipeline,
    names: Names,
    recorder: Recorder,
    writer: Writer,
}

impl Agent {
    pub(super) fn new(folder: &Path, every: Duration, names: Names) -> Self {
        let mut pipeline = Pipeline::new("node-a", &Config::default());
        pipeline.set_peers(names.peers.clone());
        if let Some(pods) = &names.pods {
            pipeline.set_pods(pods.clone(), Duration::ZERO);
        }
        let (recorder, mut writer) = recorder(settings(folder, every), "node-a", Vec::new());
        writer.write_waiting();
        Self { pipeline, names, recorder, writer }
    }

    pub(super) fn tick(&mut self, snapshot: &Snapshot) -> NodeView {
        let view = self.pipeline.take(snapshot);
        self.recorder.take(snapshot, &self.names, &view.hints);
        self.writer.write_waiting();
        view
    }
}

/// Runs an agent over a recording. Returns what it published with each tick.
fn run(name: &str, folder: &Path, every: Duration) -> Vec<NodeView> {
    let mut recording = recording(name);
    let names = Names { peers: Arc::new(replay::peers(&recording.header)), ..Names::default() };
    let mut agent = Agent::new(folder, every, names);
    std::iter::from_fn(|| recording.sample().unwrap()).map(|snapshot| agent.tick(&snapshot)).collect()
}

fn past(folder: &Path, every: Duration) -> Past {
    Past { folder: folder.to_owned(), every, node: "node-a".into(), config: Arc::default() }
}

fn view_at(past: &Past, unix_ms: u64) -> NodeView {
    past.view(unix_ms, || false).unwrap()
}

/// Identity of a hint, and how it stands.
fn standing(hints: &[Hint]) -> BTreeSet<[String; 5]> {
    let one = |hint: &Hint| {
        let state = format!("{:?}", hint.state);
        [hint.id.clone(), state, hint.blame.kind.label().to_owned(), hint.blame.name.clone(), hint.first_seen.clone()]
    };
    hints.iter().map(one).collect()
}

#[test]
fn the_ring_gives_the_hints_that_the_agent_gave() {
    for name in RECORDINGS {
        let (folder, every) = (Folder::new("hints"), EACH_TICK);
        let views = run(name, &folder, every);
        assert!(views.iter().any(|view| !view.hints.is_empty()), "{name}");
        let past = past(&folder, every);
        for view in views.iter().skip(5).step_by(9) {
            let then = view_at(&past, view.unix_ms);
            assert_eq!(standing(&then.hints), standing(&view.hints), "{name} at {}", view.unix_ms);
        }
        let (first, last) = (views[0].unix_ms, views.last().unwrap().unix_ms);
        let all = past.hints(first, last, || false).unwrap();
        let mut wanted: BTreeMap<(String, String), &Hint> = BTreeMap::new();
        for hint in views.iter().flat_map(|view| &view.hints) {
            wanted.insert((hint.id.clone(), hint.first_seen.clone()), hint);
        }
        let wanted: Vec<Hint> = wanted.into_values().cloned().collect();
        assert_eq!(standing(&all), standing(&wanted), "{name}");
    }
}

#[test]
fn hints_of_a_time_are_those_that_fired_in_it() {
    let (folder, every) = (Folder::new("between"), EACH_TICK);
    let views = run("bursty-loss2.b", &folder, every);
    let past = past(&folder, every);
    let quiet = views.iter().take_while(|view| view.hints.is_empty()).last().unwrap();
    assert_eq!(past.hints(views[0].unix_ms, quiet.unix_ms, || false).unwrap(), []);
    let firing = |view: &&NodeView| view.hints.iter().any(|hint| hint.state == HintState::Firing);
    let moment = views.iter().find(firing).unwrap().unix_ms;
    assert!(!past.hints(moment, moment + 1_000, || false).unwrap().is_empty());
    assert!(matches!(past.hints(moment, moment, || true), Err(PastError::TooLong)));
}

/// Windows of all edges, by subject, address and port.
fn windows(view: &NodeView) -> BTreeMap<String, String> {
    let edges = view.edges.iter();
    edges
        .map(|edge| (format!("{:?} {} {:?}", edge.subject, edge.peer, edge.role), format!("{:?}", edge.window)))
        .collect()
}

#[test]
fn a_replay_gives_the_view_that_the_agent_had() {
    for name in RECORDINGS {
        let (folder, every) = (Folder::new("view"), EACH_TICK);
        let views = run(name, &folder, every);
        let past = past(&folder, every);
        let mut edges = 0;
        for view in views.iter().skip(15).step_by(9) {
            let then = view_at(&past, view.unix_ms);
            assert_eq!((then.at, then.unix_ms, then.window), (view.at, view.unix_ms, view.window), "{name}");
            assert_eq!(windows(&then), windows(view), "{name} at {}", view.unix_ms);
            assert_eq!(then.counters, view.counters);
            edges += view.edges.len();
        }
        assert!(edges > 10, "{name}: {edges}");
    }
}

#[test]
fn frames_some_ticks_apart_lose_nothing_that_was_counted() {
    let (folder, every) = (Folder::new("sparse"), Duration::from_secs(5));
    let views = run("bursty-loss2.b", &folder, every);
    let past = past(&folder, every);
    let last = view_at(&past, views.last().unwrap().unix_ms);
    let view = views.iter().find(|view| view.unix_ms == last.unix_ms).unwrap();
    let sent = |view: &NodeView| -> Vec<(String, [u64; 4])> {
        let count =
            |tally: &crate::sample::Tally| [tally.segs_out, tally.bytes_acked, tally.loss_episodes, tally.rtt.count()];
        let of = |subject: &crate::state::SubjectView| {
            let all = subject.sums.totals.iter().flatten().map(|tally| count(tally));
            all.fold([0; 4], |sum, one| std::array::from_fn(|i| sum[i] + one[i]))
        };
        view.subjects.iter().map(|subject| (format!("{:?}", subject.id), of(subject))).collect()
    };
    assert_eq!(sent(&last), sent(view));
    assert!(sent(view).iter().any(|(_, sums)| sums[2] > 0));
    assert_eq!(standing(&last.hints), standing(&view.hints));
}

#[test]
fn a_restarted_agent_continues_and_the_time_without_one_is_said() {
    let every = Duration::from_secs(1);
    let folder = Folder::new("restart");
    let mut node = load::Node::new(20);
    let mut agent = Agent::new(&folder, every, node.names());
    let mut first = 0;
    for _ in 0..30 {
        let view = agent.tick(&node.tick());
        first = view.unix_ms;
    }
    // It is killed: nobody finishes the segment.
    drop(agent);
    let gone = node.names().pods.unwrap().live().next().unwrap().name.clone();
    node.remove_first_pod();
    node.pass(Duration::from_secs(300));
    let (recorder, mut writer) = recorder(Settings { run: 2, ..settings(&folder, every) }, "node-a", Vec::new());
    writer.write_waiting();
    let mut agent = Agent { recorder, writer, ..Agent::new(&Folder::new("unused"), every, node.names()) };
    let mut last = 0;
    for _ in 0..30 {
        last = agent.tick(&node.tick()).unix_ms;
    }
    let past = past(&folder, every);
    let has = |view: &NodeView| view.subjects.iter().any(|subject| subject.id.name == gone);
    assert!(has(&view_at(&past, first)), "the Pod was there then");
    assert!(!has(&view_at(&past, last)), "it is gone now");
    let history = past.history(first - 10_000, last).unwrap();
    let whys: Vec<&str> = history.gaps.iter().map(|gap| gap.why.as_str()).collect();
    assert_eq!((history.spans.len(), whys), (2, vec!["no agent ran"]));
    let error = past.view(first + 100_000, || false).unwrap_err().to_string();
    assert!(error.ends_with(": no agent ran") && error.starts_with("no record of 20"), "{error}");
    let error = past.view(first - 3_600_000, || false).unwrap_err().to_string();
    assert!(error.contains("older than the history"), "{error}");
}

#[test]
fn a_damaged_segment_is_said_and_costs_only_itself() {
    let every = Duration::from_secs(1);
    let folder = Folder::new("damaged");
    let mut node = load::Node::new(5);
    let mut agent = Agent::new(&folder, every, node.names());
    let mut times = Vec::new();
    for _ in 0..700 {
        times.push(agent.tick(&node.tick()).unix_ms);
    }
    let files = ring::segments(&folder).unwrap();
    assert_eq!(files.len(), 2, "a segment has ten minutes");
    std::fs::write(folder.join(files[0].name.to_string()), b"rubbish").unwrap();
    let past = past(&folder, every);
    let error = past.view(times[300], || false).unwrap_err().to_string();
    assert!(error.contains("its segment is lost: it is no history"), "{error}");
    let history = past.history(times[0], times[699]).unwrap();
    assert_eq!((history.spans.len(), history.gaps.len()), (1, 1), "{history:?}");
    assert_eq!(view_at(&past, times[699]).unix_ms, times[699]);
    assert_eq!(view_at(&past, times[610]).unix_ms, times[610], "without a warm-up");
}

/// Prints what the history of a busy Node takes; docs/oncall.md has the command and the figures.
#[test]
fn a_ring_of_64_mib_holds_hours_of_250_pods() {
    let every = Config::default().history.frame_seconds();
    let folder = Folder::new("hours");
    let mut node = load::Node::new(250);
    let names = node.names();
    let (mut recorder, mut writer) = recorder(settings(&folder, every), "node-a", Vec::new());
    writer.write_waiting();
    let hints = node.hints();
    let (mut ticks, mut took, mut changed) = (0_u32, Duration::ZERO, 0);
    // A whole segment: its first frame, which has everything, counts as often as it is written.
    for _ in 0..600 {
        let snapshot = node.tick();
        changed += snapshot.tables.edges.rows.len();
        let began = std::time::Instant::now();
        recorder.take(&snapshot, &names, &hints);
        took += began.elapsed();
        writer.write_waiting();
        ticks += 1;
    }
    let stats = recorder.stats();
    assert_eq!((stats.lost_frames, stats.frames), (0, 60));
    let per_second = stats.written_bytes as f64 / f64::from(ticks);
    let hours = f64::from(64 << 20) / per_second / 3600.0;
    println!(
        "250 Pods, {} edges, {} changed rows of edges a tick: {:.0} B/s, {hours:.1} hours in 64 MiB; in a tick {:?}, \
         on the writer's thread {:?} a frame",
        node.edges(),
        changed / ticks as usize,
        per_second,
        took / ticks,
        Duration::from_secs_f64(stats.seconds / stats.frames as f64),
    );
    assert!(hours > 1.8, "{hours}");
}
