//! Reading files: what is accepted, and the exact words for what isn't.

use crate::config::{Config, RttBuckets, Switch, Thresholds};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The errors of a text, one per line.
fn errors(text: &str) -> Vec<String> {
    match Config::parse(text, "f.yaml") {
        Ok(_) => Vec::new(),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

/// A file of this test process, removed at the end.
struct TempFile(PathBuf);

impl TempFile {
    fn with(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-config-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn error(&self) -> String {
        let text = Config::load(&self.0).unwrap_err().to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.replace(&*self.0.to_string_lossy(), "FILE")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn text_without_settings_gives_the_defaults() {
    for text in ["", "\n", "# only a comment\n", "---\n", "sampling:\n", "sampling: {}\n", "null", "\u{feff}labels:\n"]
    {
        assert_eq!(Config::parse(text, "t").unwrap(), Config::default(), "{text:?}");
    }
}

#[test]
fn values_of_every_kind_are_read() {
    let text = "
sampling: {rtt_every: 1, window_seconds: 2.5}
signals:
  rtt: on
  drops: off
thresholds:
  loss_ratio: 1
labels:
  rtt_buckets: fine
  peer: false
peers:
  external:
    - 203.0.113.0/24
    - 2001:db8::/32
kube:
  mode: \"off\"
  node_name: node-a
  kubeconfig: /etc/kube config
http:
  listen: \"[::1]:0\"
";
    let config = Config::parse(text, "t").unwrap();
    assert_eq!(config.sampling.rtt_every, 1);
    assert_eq!(config.sampling.window_seconds, Duration::from_millis(2500));
    assert_eq!(
        (config.signals.rtt, config.signals.drops, config.signals.resets),
        (Switch::On, Switch::Off, Switch::Auto)
    );
    assert_eq!(config.thresholds.loss_ratio, 1.0);
    assert_eq!((config.labels.rtt_buckets, config.labels.peer), (RttBuckets::Fine, false));
    assert_eq!(config.peers.external.len(), 2);
    assert_eq!(config.kube.mode, Switch::Off);
    assert_eq!(config.kube.node_name.as_deref(), Some("node-a"));
    assert_eq!(config.kube.kubeconfig, Some(PathBuf::from("/etc/kube config")));
    assert_eq!(config.http.listen, "[::1]:0".parse().unwrap());
    assert_eq!(Config::parse(&text.replace('\n', "\r\n"), "t").unwrap(), config, "line ends of Windows");
}

#[test]
fn all_mistakes_come_at_once_with_line_key_and_remedy() {
    let text = "\
sampling:
  rtt_every: 0
  tick_seconds: fast
threshold:
  loss_ratio: 3
thresholds:
  loss_ratio: 3
  min_segments: 2.5
  rtt_inflatoin: 2
  enter_windows: \"2\"
labels:
  rtt_buckets: medium
  peer: yes
  workload:
signals:
  rtt: true
peers:
  external:
    - 203.0.113.0/24
    - 10.1.2.3/8
    - 7
  same_zone: 10.0.0.0/9
kube:
  node_name: 12
http:
  listen: localhost
  colour: red
";
    assert_eq!(
        errors(text),
        [
            "error: f.yaml:2: sampling.rtt_every: 0 is below 1: give a whole number between 1 and 1024",
            "error: f.yaml:3: sampling.tick_seconds: \"fast\" is not a number: give seconds between 0.1 and 10",
            "error: f.yaml:4: threshold: unknown section: did you mean thresholds?",
            "error: f.yaml:7: thresholds.loss_ratio: 3 is above 1: give a ratio between 0 and 1",
            "error: f.yaml:8: thresholds.min_segments: 2.5 is not a whole number: give a whole number between 1 and 1000000",
            "error: f.yaml:9: thresholds.rtt_inflatoin: unknown key: did you mean rtt_inflation?",
            "error: f.yaml:10: thresholds.enter_windows: \"2\" is text: give a whole number between 1 and 30, without quotes",
            "error: f.yaml:12: labels.rtt_buckets: \"medium\" is not known: write coarse or fine",
            "error: f.yaml:13: labels.peer: \"yes\" is neither true nor false: write one of them, without quotes",
            "error: f.yaml:14: labels.workload: has no value: give one or remove the line",
            "error: f.yaml:16: signals.rtt: true is not known: write auto, on or off",
            "error: f.yaml:20: peers.external[1]: \"10.1.2.3/8\" has bits set after its prefix: did you mean 10.0.0.0/8?",
            "error: f.yaml:21: peers.external[2]: 7 is not an address range: write one such as 10.0.0.0/8",
            "error: f.yaml:22: peers.same_zone: \"10.0.0.0/9\" is not a list: write [10.0.0.0/8] or one \"- 10.0.0.0/8\" a line",
            "error: f.yaml:24: kube.node_name: 12 is not text: put it in quotes",
            "error: f.yaml:26: http.listen: \"localhost\" is not an address to listen on: write IP:PORT such as 0.0.0.0:9810 or \"[::]:9810\"",
            "error: f.yaml:27: http.colour: unknown key: http has listen, probe_listen, api, api_port, max_connections, max_connections_per_peer, read_timeout_seconds, write_timeout_seconds, max_response_bytes, tls_certificate_file, tls_key_file, tls_client_ca_file and authorization",
        ]
    );
}

#[test]
fn a_key_in_the_wrong_place_is_pointed_to_the_right_one() {
    assert_eq!(
        errors("rtt_every: 3\nsampling:\n  loss_ratio: 1\nsampling.tick_seconds: 1\n5: x\n"),
        [
            "error: f.yaml:1: rtt_every: unknown section: write \"rtt_every\" below \"sampling:\", indented",
            "error: f.yaml:3: sampling.loss_ratio: unknown key: did you mean thresholds.loss_ratio?",
            "error: f.yaml:4: sampling.tick_seconds: unknown section: write \"tick_seconds\" below \"sampling:\", indented",
            "error: f.yaml:5: 5: unknown section: there are sampling, signals, thresholds, labels, limits, history, peers, kube and http",
        ]
    );
}

#[test]
fn text_that_is_no_mapping_of_sections_is_refused() {
    assert_eq!(
        errors("- a\n"),
        ["error: f.yaml: a list where sections should be: begin with one such as \"sampling:\""]
    );
    assert_eq!(
        errors("sampling: 3\n"),
        ["error: f.yaml:1: sampling: 3 is not a section: put its keys below it, indented"]
    );
    assert_eq!(errors("http: !x {}\n"), ["error: f.yaml:1: tags are not supported: write the value without its \"!\""]);
    for (text, line) in [("sampling:\n  rtt_every: [1\n", 2), ("sampling:\n\trtt_every: 1\n", 2), ("a: b: c\n", 1)] {
        let got = errors(text);
        assert_eq!(got.len(), 1);
        assert!(got[0].starts_with(&format!("error: f.yaml:{line}: not valid YAML: ")), "{got:?}");
    }
    let two = errors("a: 1\n---\nb: 1\n");
    assert!(two.len() == 1 && two[0].contains("more than one document"), "{two:?}");
}

#[test]
fn duplicate_keys_and_anchors_are_refused_with_their_line() {
    assert_eq!(
        errors("labels:\n  peer: true\n  peer: false\n"),
        ["error: f.yaml:3: duplicate entry with key \"peer\": keep one of them"]
    );
    assert_eq!(
        errors("labels: {}\nhttp: {}\nlabels: {}\n"),
        ["error: f.yaml:3: duplicate entry with key \"labels\": keep one of them"]
    );
    assert_eq!(
        errors("labels: {peer: true, peer: false}\n"),
        ["error: f.yaml:1: duplicate entry with key \"peer\": keep one of them"]
    );
    let refused = "anchors and aliases are not supported: write the value out in each place";
    assert_eq!(errors("peers:\n  same_zone: &a []\n  external: *a\n"), [format!("error: f.yaml:2: {refused}")]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    for value in [".nan", ".inf", "-.inf", "-0.1", "1e400", "1.0000001"] {
        assert_eq!(errors(&format!("thresholds: {{loss_ratio: {value}}}")).len(), 1, "{value}");
    }
    for value in [".nan", ".inf", "-1", "1e30", "99999999999999999999999"] {
        assert_eq!(errors(&format!("sampling: {{rtt_every: {value}}}")).len(), 1, "{value}");
        assert_eq!(errors(&format!("sampling: {{walk_seconds: {value}}}")).len(), 1, "{value}");
    }
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    assert_eq!(
        errors("sampling:\n  tick_seconds: 6\n"),
        ["error: f.yaml:2: sampling.window_seconds: shorter than two of sampling.tick_seconds (6s): give at least 12s",]
    );
    assert_eq!(
        errors("sampling:\n  facts_seconds: 20\n"),
        ["error: f.yaml:2: sampling.facts_seconds: longer than sampling.window_seconds (10s): give at most 10s"]
    );
    assert_eq!(
        errors("limits:\n  edges: 256\n"),
        ["error: f.yaml:2: limits.edges_in_view: more than limits.edges (256): give at most 256"]
    );
    assert_eq!(
        errors("peers:\n  same_zone: [10.0.0.0/8]\n"),
        ["error: f.yaml:2: peers.same_zone: 10.0.0.0/8 is also in peers.in_cluster: remove it from one of them"]
    );
    assert_eq!(
        errors("peers:\n  same_zone: [10.1.0.0/16, '::ffff:10.1.0.0/112']\n"),
        ["error: f.yaml:2: peers.same_zone[1]: 10.1.0.0/16 is listed twice: remove one"]
    );
    assert_eq!(
        errors("kube:\n  node_name: a,metadata.name=b\n"),
        ["error: f.yaml:2: kube.node_name: not the name of a Node: give up to 253 letters, digits, dashes and dots"]
    );
    let tls = "tls_certificate_file: /tls.crt, tls_key_file: /tls.key";
    for (http, expected) in [
        (
            "tls_certificate_file: /a",
            "tls_key_file: is missing beside http.tls_certificate_file: give the file with the certificate's private key",
        ),
        (
            "tls_key_file: /a",
            "tls_certificate_file: is missing beside http.tls_key_file: give the file with the certificate of this key",
        ),
        (
            "tls_client_ca_file: /a",
            "tls_certificate_file: is missing beside http.tls_client_ca_file: give the file with the listener's own \
             certificate, and its key",
        ),
        (
            "authorization: kubernetes",
            "authorization: sends bearer tokens in clear text: set http.tls_certificate_file and http.tls_key_file",
        ),
    ] {
        assert_eq!(errors(&format!("http: {{{http}}}\n")), [format!("error: f.yaml:1: http.{expected}")]);
    }
    assert_eq!(errors(&format!("http: {{authorization: kubernetes, {tls}}}\n")), [""; 0]);
    assert_eq!(
        errors(&format!("http: {{authorization: kubernetes, {tls}}}\nkube: {{mode: off}}\n")),
        [
            "error: f.yaml:1: http.authorization: asks the API server, but kube.mode is off: write none, or set kube.mode to on"
        ]
    );
    let many: Vec<_> = (0..70).map(|i| format!("203.0.{i}.0/24")).collect();
    assert_eq!(
        errors(&format!("limits:\n  prefixes: 64\npeers:\n  external: [{}]\n", many.join(", "))),
        ["error: f.yaml:2: limits.prefixes: 64 is too low for the 76 ranges of peers: raise it"]
    );
}

#[test]
fn a_file_gives_its_settings_and_its_bytes() {
    let file = TempFile::with("good", b"labels:\n  peer: false\n");
    let (config, bytes) = Config::load(&file.0).unwrap();
    assert!(!config.labels.peer);
    assert_eq!(bytes, b"labels:\n  peer: false\n");
    let file = TempFile::with("empty", b"");
    assert_eq!(Config::load(&file.0).unwrap(), (Config::default(), Vec::new()));
}

#[test]
fn what_is_no_readable_text_file_is_one_clear_line() {
    let file = TempFile::with("latin1", b"labels:\n  # caf\xe9\n");
    assert_eq!(file.error(), "error: FILE:2: not UTF-8 text: save the file as UTF-8");
    let file = TempFile::with("large", &vec![b'#'; 10 << 20]);
    assert_eq!(file.error(), "error: FILE: larger than 1 MiB: this is not a configuration file of netwhy");
    let file = TempFile::with("binary", &[0, 1, 2, 3]);
    assert!(file.error().starts_with("error: FILE"), "{}", file.error());
    let dir = std::env::temp_dir();
    let text = Config::load(&dir).unwrap_err().to_string();
    assert_eq!(text, format!("error: {}: is a directory: name the file in it", dir.display()));
    let text = Config::load(&dir.join("netwhy-no-such-file")).unwrap_err().to_string();
    assert!(text.ends_with("no such file: check the path given with --config"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn the_largest_allowed_file_is_read() {
    let file = TempFile::with("limit", &vec![b'#'; 1 << 20]);
    assert_eq!(Config::load(&file.0).unwrap().0, Config::default());
}

/// Each has every key of its version, with the default of that time.
#[test]
fn files_of_earlier_versions_are_read() {
    let earlier = |day: &str| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/earlier/config/{day}.yaml"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Config::parse(&text, day).unwrap_or_else(|error| panic!("{error}"))
    };
    let thresholds = Thresholds { accept_drops: 1, ..Thresholds::default() };
    assert_eq!(earlier("2026-11-21"), Config { thresholds, ..Config::default() });
    assert_eq!(earlier("2026-11-29"), Config::default());
}
