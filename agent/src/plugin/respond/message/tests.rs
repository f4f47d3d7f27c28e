use super::*;
use crate::{
    api::Hint,
    plugin::{
        model::{
            Kind, SilentAgent, Target,
            testing::{golden, poisoned},
            why::{explain, tests as cases},
        },
        respond::target::Wanted,
    },
    text::{
        is_printable,
        tests::{assert_safe, mark},
    },
};

fn pod() -> Candidate {
    let target = Target { kind: Some(Kind::Pod), name: "payment-1".into() };
    Candidate { namespace: Some("shop".into()), wanted: Wanted::Object(target) }
}

/// A Pod that loses packets.
pub(in super::super) fn lossy() -> Message {
    let titles = ["NetwhyPodPacketLoss (warning)".to_owned(), "CartSlow".to_owned()];
    Message::of_verdict(&titles, &pod(), &explain(cases::loses(), &cases::filter()))
}

/// A Pod without a verdict.
pub(in super::super) fn unknown() -> Message {
    let failure = Failure::new("the agent on node-b did not answer", "check its Node");
    Message::of_failure(&["CartSlow".to_owned()], &pod(), &failure)
}

/// Every text of it is hostile, and long.
pub(in super::super) fn hostile() -> Message {
    let mut facts = cases::loses();
    // Still about the target and firing, so that all of it is told.
    let poison =
        |hint: &Hint| Hint { subject: hint.subject.clone(), last_seen: hint.last_seen.clone(), ..poisoned(hint) };
    facts.hints = facts.hints.iter().map(poison).collect();
    // A text that is cut keeps its begin.
    let long = |text: String| format!("EVIL<!channel>{}", text.repeat(600));
    for hint in &mut facts.hints {
        hint.summary = long(mark());
        hint.action = long(mark());
    }
    facts.not_answered = (0..9).map(|_| SilentAgent { node: long(mark()), agent: mark(), why: long(mark()) }).collect();
    let titles: Vec<String> = (0..40).map(|_| long(mark())).collect();
    Message::of_verdict(&titles, &pod(), &explain(facts, &cases::filter()))
}

#[test]
fn a_cause_is_told_with_its_evidence_and_the_next_step() {
    let message = lossy();
    assert!(message.has_cause());
    golden("respond-loss.txt", &message.text());
    let well = Message::of_verdict(&["Slow".into()], &pod(), &explain(cases::healthy(), &cases::filter()));
    assert!(!well.has_cause() && well.at_fault.is_empty());
    golden("respond-well.txt", &well.text());
    golden("respond-unknown.txt", &unknown().text());
}

#[test]
fn an_annotation_is_one_line() {
    let line = lossy().line();
    assert!(line.contains("loses packets") && line.ends_with(')') && line.contains("path_loss · "), "{line}");
    assert!(unknown().line().starts_with("No answer: the agent on node-b"), "{}", unknown().line());
}

#[test]
fn json_has_the_verdict_of_assistants_and_the_alerts() {
    let json = lossy().json();
    assert_eq!((json["state"].as_str(), json["cause"].as_str()), (Some("cause_found"), Some("path_loss")));
    assert_eq!(json["alerts"][1], "CartSlow");
    assert_eq!(json["command"], "kubectl netwhy why pod/payment-1 -n shop");
    assert!(json["evidence"].is_array() && json["not_answered"].is_array(), "{json}");
    assert_eq!(unknown().json()["state"], "no_answer");
}

#[test]
fn messages_are_printable_and_bounded_whatever_is_in_them() {
    let message = hostile();
    assert_safe("respond", &message.text());
    assert!(is_printable(&message.line()) && !message.line().contains('\n'), "{}", message.line());
    assert!(message.text().contains("EVIL") && message.text().chars().count() < MAX_BODY + 400);
    assert!(message.text().ends_with("\nMore: kubectl netwhy why pod/payment-1 -n shop\n"));
    assert_eq!((message.alerts.len(), message.alerts[MAX_ALERTS].as_str()), (MAX_ALERTS + 1, "and 35 more"));
    assert!(message.line().chars().count() < MAX_VERDICT + 4 * MAX_TEXT);
}

#[test]
fn long_texts_are_cut_at_a_character() {
    assert_eq!([cut("äöü", 3), cut("äöüß", 3), cut("a\nb", 9)], ["äöü", "äö…", "a\\nb"]);
    assert_eq!(cut(&"\u{202e}".repeat(1000), 50).chars().count(), 50);
}
