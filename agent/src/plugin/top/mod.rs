//! `top`: the agents' view of all Pods, live in a terminal.

mod draw;
mod list;
mod poll;
mod response_times;
mod state;

pub(super) use list::list;

use super::{
    Failure,
    cli::Format,
    fetch::Session,
    signals::{Stop, Stops},
    terminal::{now_ms, view},
};
use poll::{Poll, poll_contexts};
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use state::{KeyEffect, State};
use std::{io::IsTerminal as _, time::Duration};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

/// Pause between two polls of the agents.
const REFRESH: Duration = Duration::from_secs(2);

/// Input from the terminal.
enum Input {
    Key(KeyEvent),
    Resize,
}

/// Whether somebody sees the screen; else [`list()`] is printed.
pub(super) fn is_live(output: Format) -> bool {
    let is_for_people = matches!(output, Format::Table | Format::Wide);
    is_for_people && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Shows the screen until `q`.
///
/// # Errors
/// When the first poll finds no agent, or the terminal can't be used.
pub(super) async fn run(sessions: &[Session]) -> Result<(), Failure> {
    // Before the screen changes, so that an error is one line as with other commands.
    let (rows, agents, silent) = poll_contexts(sessions).await?;
    let mut state = State::new(view().paint.is_on());
    state.update(rows, agents, silent, now_ms());
    let mut terminal =
        ratatui::try_init().map_err(|error| Failure::new(format!("can't use the terminal: {error}"), ""))?;
    let ended = live(&mut terminal, &mut state, sessions).await;
    ratatui::restore();
    ended
}

async fn live(terminal: &mut ratatui::DefaultTerminal, state: &mut State, sessions: &[Session]) -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure::new(format!("the terminal: {error}"), "");
    let mut inputs = keyboard();
    let (sender, mut polls) = mpsc::channel::<Poll>(1);
    let watched = sessions.to_vec();
    let poller = tokio::spawn(async move {
        let mut tick = interval(REFRESH);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        loop {
            tick.tick().await;
            if sender.send(poll_contexts(&watched).await).await.is_err() {
                return;
            }
        }
    });
    let mut clock = interval(Duration::from_secs(1));
    let mut stops = Stops::receive(&[Stop::Terminate, Stop::HangUp]).map_err(broken)?;
    loop {
        terminal.draw(|frame| draw::draw(frame, state, now_ms())).map_err(broken)?;
        tokio::select! {
            input = inputs.recv() => match input {
                Some(Input::Key(key)) => if state.key(key) == KeyEffect::Quit { break },
                Some(Input::Resize) => {}
                None => break,
            },
            Some(poll) = polls.recv() => match poll {
                Ok((rows, agents, silent)) => state.update(rows, agents, silent, now_ms()),
                Err(failure) => state.failure = Some(failure.to_string()),
            },
            _ = clock.tick() => {}
            _ = stops.next() => break,
        }
    }
    poller.abort();
    Ok(())
}

/// A separate thread, because reading from a terminal blocks. It ends with the process.
fn keyboard() -> mpsc::UnboundedReceiver<Input> {
    let (sender, inputs) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let input = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => Input::Key(key),
                Event::Resize(..) => Input::Resize,
                _ => continue,
            };
            if sender.send(input).is_err() {
                return;
            }
        }
    });
    inputs
}
