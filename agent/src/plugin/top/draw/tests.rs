use super::super::state::rows;
use super::{super::state::tests::three, *};
use crate::{
    plugin::model::testing::{golden, healthy_row, hint, poisoned},
    text::tests::assert_safe,
};
use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};

fn screen(state: &State, columns: u16, lines: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| draw(frame, state, 4000)).unwrap();
    let text = terminal.backend().to_string();
    text.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n") + "\n"
}

fn key(state: &mut State, code: KeyCode) {
    state.key(KeyEvent::new(code, KeyModifiers::NONE));
}

#[test]
fn list_detail_and_help_equal_the_golden_files() {
    let mut state = three();
    golden("top-list.txt", &screen(&state, 120, 8));
    key(&mut state, KeyCode::Enter);
    golden("top-detail.txt", &screen(&state, 100, 24));
    key(&mut state, KeyCode::Char('?'));
    golden("top-help.txt", &screen(&state, 100, 14));
}

#[test]
fn the_screen_has_no_hidden_characters() {
    let mark = crate::text::tests::mark();
    let (mut pod, hint) = (healthy_row(), poisoned(&hint("shop", "payment-1", "path_loss")));
    pod = poisoned(&pod);
    let mut state = State::new(false);
    state.update(rows(Some(&mark), vec![pod], &[hint]), 2, 1, 1000);
    state.failure = Some(mark.clone());
    let list = screen(&state, 5000, 20);
    key(&mut state, KeyCode::Enter);
    let detail = screen(&state, 5000, 100);
    state.failure = None;
    state.filter = mark;
    for text in [list, detail, screen(&state, 5000, 20)] {
        assert_safe("top", &text);
    }
}

#[test]
fn every_terminal_size_can_be_drawn() {
    let mut state = three();
    for (columns, lines) in [(1, 1), (3, 2), (20, 3), (300, 100)] {
        screen(&state, columns, lines);
    }
    key(&mut state, KeyCode::Enter);
    for _ in 0..50 {
        key(&mut state, KeyCode::Down);
    }
    screen(&state, 10, 3);
    screen(&State::new(true), 40, 5);
}
