use super::*;

#[test]
fn cargo_progress_is_told_from_its_messages() {
    let bar = "\u{1b}[K    Building [=====>        ] 120/214: tokio, aya(build)";
    assert_eq!(read_cargo(bar), CargoLine::Progress(120, 214));
    assert_eq!(read_cargo("    Building [=====>        ] 7/9"), CargoLine::Progress(7, 9));
    for status in ["   Compiling anyhow v1.0.104", "    Finished `dev` profile [unoptimized] target(s) in 1s", ""] {
        assert_eq!(read_cargo(status), CargoLine::Status, "{status}");
    }
    for message in ["error[E0425]: cannot find value `x`", "  --> agent/src/lib.rs:1:1", "   |", "   = note: `x`", "9"]
    {
        assert_eq!(read_cargo(message), CargoLine::Message, "{message}");
    }
}

#[test]
fn failed_builds_show_every_message_and_no_progress() {
    let script = "printf '   Compiling a v1\\n    Building [=> ] 1/2: a\\rerror: no\\n  --> a.rs\\n'; seq 100; exit 3";
    let error = compile("test", "no time", Command::new("sh").args(["-c", script])).unwrap_err().to_string();
    let shown: Vec<&str> = error.lines().skip(1).collect();
    assert_eq!(shown[..3], ["error: no", "  --> a.rs", "1"]);
    assert_eq!(shown.len(), 102, "{error}");
    assert!(compile("test", "no time", &mut Command::new("true")).is_ok());
}

#[test]
fn output_is_read_whole_also_without_a_last_line_end() {
    let mut command = Command::new("sh");
    let (succeeded, text) =
        captured("test", command.args(["-c", "printf 'a\\r\\n\\n1\\r2\\rb'; exit 1"]), |_| None).unwrap();
    assert_eq!((succeeded, text.as_str()), (false, "a\n\n1\n2\nb\n"));
}
