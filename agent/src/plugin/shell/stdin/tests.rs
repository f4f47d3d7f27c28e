use super::*;
use std::{
    io::{self, Read as _, Write as _},
    process::{Command, Output, Stdio},
    thread,
};

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

fn run(command: &[&str], bytes: &[u8], path: Option<&str>) -> Output {
    run_and_write(command, bytes, path).0
}

/// Runs the command here as a container would: stdin stays open behind the bytes, as with v4 of the protocol. Second:
/// whether all of it was read.
fn run_and_write(command: &[&str], bytes: &[u8], path: Option<&str>) -> (Output, io::Result<()>) {
    let line = by_length(&words(command), bytes.len());
    let mut child = Command::new("/bin/sh");
    child.args(&line[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(path) = path {
        child.env("PATH", path);
    }
    let mut child = child.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = thread::spawn(move || (stdin.write_all(&bytes), stdin));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut stderr = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        stderr.read_to_end(&mut err).unwrap();
        err
    });
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    let status = child.wait().unwrap();
    let stderr = errors.join().unwrap();
    let (written, stdin) = writer.join().unwrap();
    drop(stdin);
    (Output { status, stdout: out, stderr }, written)
}

#[test]
fn a_command_sees_the_end_of_stdin_whose_pipe_stays_open() {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let output = run(&["cat"], &bytes, None);
    assert!(output.status.success() && output.stdout == bytes, "{} bytes", output.stdout.len());
    assert_eq!(run(&["wc", "-c"], b"hel\0o", None).stdout.trim_ascii(), b"5");
}

#[test]
fn the_exit_code_and_the_words_are_the_commands() {
    let output = run(&["sh", "-c", "cat; echo \"$1\" >&2; exit 7", "sh", "a  b $HOME"], b"in", None);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!((output.stdout, output.stderr), (b"in".to_vec(), b"a  b $HOME\n".to_vec()));
    // It needs not read its stdin. Then the shell does: nothing waits in pipes at the end.
    let (early, written) = run_and_write(&["true"], &[b'x'; 1_000_000], None);
    assert_eq!((early.status.code(), early.stderr), (Some(0), Vec::new()));
    assert!(written.is_ok(), "{written:?}");
}

#[test]
fn without_head_the_command_does_not_run() {
    let output = run(&["/bin/sh", "-c", "echo ran"], b"in", Some("/nonexistent"));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()), "{error}");
    assert!(error.contains("error: the command did not run") && error.contains("kubectl exec -i"), "{error}");
}

#[test]
fn a_missing_shell_is_explained() {
    let end = || End::NotRun("sh: not found".to_owned());
    assert_eq!(explained(end(), false), end());
    assert!(matches!(explained(end(), true), End::NotRun(why) if why.contains("`sh` and `head`")));
    assert_eq!(explained(End::Exit(127), true), End::Exit(127));
}
