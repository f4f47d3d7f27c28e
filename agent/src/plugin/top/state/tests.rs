use super::*;
use crate::plugin::model::testing::{healthy_row, hint, idle_row};

pub(crate) fn three() -> State {
    let mut lossy = healthy_row();
    lossy.name = "cart-1".to_owned();
    lossy.node = "node-b".to_owned();
    lossy.window.rtt_p50_seconds = Some(0.05);
    let hints = [hint("shop", "cart-1", "path_loss")];
    let mut state = State::new(false);
    state.update(rows(None, vec![healthy_row(), idle_row(), lossy], &hints), 2, 1, 1000);
    state
}

fn names(state: &State) -> Vec<&str> {
    state.shown().into_iter().map(|row| row.name.as_str()).collect()
}

fn press(state: &mut State, keys: &str) -> KeyEffect {
    let mut after = KeyEffect::Continue;
    for c in keys.chars() {
        let code = match c {
            '⏎' => KeyCode::Enter,
            '⎋' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            c => KeyCode::Char(c),
        };
        after = state.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    after
}

#[test]
fn hints_come_first_unless_another_column_sorts() {
    let mut state = three();
    assert_eq!(names(&state), ["cart-1", "idle-1", "payment-1"]);
    press(&mut state, "s");
    assert_eq!((state.sort, names(&state)[0]), (Column::Rtt, "cart-1"));
    press(&mut state, "r");
    assert_eq!(names(&state)[0], "idle-1", "unknown is below every figure");
}

#[test]
fn shares_of_errors_are_a_column_where_calls_are_sampled() {
    let mut state = three();
    assert!(!state.has(Column::Errors));
    state.sort = Column::Throttled;
    press(&mut state, "s");
    assert_eq!(state.sort, Column::Traffic, "what is not shown does not sort");
    let mut failing = healthy_row();
    failing.name = "failing-1".to_owned();
    let http = Some(crate::api::HttpCalls { sampled: 50, grpc: 50, error_share: 0.25, normal_error_share: None });
    let server = crate::api::ResponseTimes { http, ..Default::default() };
    failing.window.responses = Some(crate::api::PodResponses { server: Some(server), ..Default::default() });
    state.update(rows(None, vec![healthy_row(), failing], &[]), 1, 0, 1000);
    state.sort = Column::Throttled;
    press(&mut state, "s");
    assert_eq!((state.sort, names(&state)[0]), (Column::Errors, "failing-1"));
    assert!(state.shown()[0].cells().contains(&"25 %".to_owned()));
}

#[test]
fn response_times_are_a_column_where_they_are_known() {
    let mut state = three();
    assert!(!state.has(Column::Responses));
    let mut slow = healthy_row();
    slow.name = "slow-1".to_owned();
    let server = crate::api::ResponseTimes { p50_seconds: Some(0.1), p95_seconds: Some(0.25), ..Default::default() };
    slow.window.responses = Some(crate::api::PodResponses { server: Some(server), ..Default::default() });
    state.update(rows(None, vec![healthy_row(), slow], &[]), 1, 0, 1000);
    state.sort = Column::Throttled;
    press(&mut state, "s");
    assert_eq!((state.sort, names(&state)[0]), (Column::Responses, "slow-1"));
    assert!(state.shown()[0].cells().contains(&"250 ms".to_owned()));
    assert!(state.shown()[0].detail.iter().any(|line| line.contains("median 100 ms, p95 250 ms")));
}

#[test]
fn a_filter_narrows_while_it_is_typed_and_escape_clears_it() {
    let mut state = three();
    press(&mut state, "/pay");
    assert_eq!((names(&state), state.typing), (vec!["payment-1"], true));
    press(&mut state, "q");
    assert!(names(&state).is_empty(), "q is a letter of the filter");
    press(&mut state, "⎋");
    assert_eq!((names(&state).len(), state.typing), (3, false));
    press(&mut state, "/path_l⏎");
    assert_eq!(names(&state), ["cart-1"], "causes are searched too");
}

#[test]
fn the_selected_row_stays_selected_when_rows_move() {
    let mut state = three();
    press(&mut state, "↓↓");
    assert_eq!(state.at(), 2);
    press(&mut state, "r");
    assert_eq!(names(&state)[state.at()], "payment-1");
    press(&mut state, "↓↓↓↓↓⏎");
    assert!(state.detail.is_some());
    press(&mut state, "⎋");
    assert!(state.detail.is_none());
}

#[test]
fn q_and_control_c_quit() {
    assert_eq!(press(&mut three(), "q"), KeyEffect::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    let mut typing = three();
    press(&mut typing, "/x");
    assert_eq!(typing.key(interrupt), KeyEffect::Quit);
    let mut empty = State::new(false);
    assert_eq!(press(&mut empty, "↓⏎g"), KeyEffect::Continue);
}
