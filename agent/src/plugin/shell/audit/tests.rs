use super::*;
use crate::text::tests::{assert_safe, mark};
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("netwhy-audit-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn about() -> About {
    About {
        id: "7".into(),
        user: Some("alice".into()),
        groups: vec!["oncall".into()],
        namespace: "shop".into(),
        pod: "cart-1".into(),
        container: "app".into(),
        command: vec!["sh".into()],
        tty: true,
        ..About::default()
    }
}

fn time() -> String {
    "2026-01-01T00:00:00Z".to_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_session_has_a_line_for_its_begin_and_one_for_its_end() {
    let folder = Folder::new("lines");
    let file = path(Some(folder.0.clone().into()), None).unwrap();
    let end = Entry::End {
        time: time(),
        id: "7",
        seconds: 1.5,
        end: "exit",
        code: Some(3),
        why: String::new(),
        bytes_in: 3,
        bytes_out: 40,
        pod_event: "written".into(),
    };
    Audit::open(&file).unwrap().add(&Entry::Begin { time: time(), about: &about() }).unwrap();
    Audit::open(&file).unwrap().add(&end).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["event"], &lines[0]["user"], &lines[0]["pod"]),
        (&json!("begin"), &json!("alice"), &json!("cart-1"))
    );
    assert_eq!((&lines[1]["event"], &lines[1]["code"], &lines[1]["id"]), (&json!("end"), &json!(3), &json!("7")));
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn a_file_that_others_could_read_is_closed_to_them_and_a_link_is_not_followed() {
    let folder = Folder::new("mode");
    let file = folder.0.join("audit.jsonl");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    Audit::open(&file).unwrap();
    assert_eq!(mode(&file), 0o600);
    let link = folder.0.join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let failure = Audit::open(&link).unwrap_err();
    assert!(failure.what.contains("record of sessions") && failure.remedy.contains("XDG_STATE_HOME"), "{failure}");
}

#[test]
fn the_file_is_in_the_folder_of_states() {
    let home = || Some(PathBuf::from("/home/a"));
    let shown = |state: Option<&str>, home| path(state.map(Into::into), home).unwrap().display().to_string();
    assert_eq!(shown(Some("/state"), home()), "/state/netwhy/audit.jsonl");
    for relative in [None, Some(""), Some("state")] {
        assert_eq!(shown(relative, home()), "/home/a/.local/state/netwhy/audit.jsonl");
    }
    assert!(path(None, None).unwrap_err().remedy.contains("XDG_STATE_HOME"));
}

#[test]
fn hostile_names_stay_within_their_line() {
    let folder = Folder::new("hostile");
    let file = folder.0.join("audit.jsonl");
    let about = About { user: Some(mark()), pod: mark(), command: vec![mark()], ..about() };
    Audit::open(&file).unwrap().add(&Entry::Refused { time: time(), about: &about, why: mark() }).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert_safe("audit", &text);
    assert_eq!(text.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["command"][0], mark());
}

#[test]
fn long_commands_are_cut() {
    let short = ["sh".to_owned(), "-c".to_owned()];
    assert_eq!(shortened(&short), short);
    let long = shortened(&["é".repeat(5000)]);
    assert!(long[0].len() < MAX_WORD + 30 && long[0].ends_with("… 10000 bytes"), "{}", long[0].len());
    let many = shortened(&vec!["x".to_owned(); 100]);
    assert_eq!((many.len(), many[64].as_str()), (65, "… 100 words"));
}
