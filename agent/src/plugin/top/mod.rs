//! `top`: the agents' view, live in a terminal.

mod draw;
mod state;

use super::{
    Trouble,
    cli::{Cli, Format},
    commands::{look, now_ms, view},
    fetch::Session,
};
use futures::future::join_all;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use state::{After, Row, State};
use std::{io::IsTerminal as _, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

/// Between two looks at the agents.
const REFRESH: Duration = Duration::from_secs(2);

/// What comes in from the keyboard.
enum Input {
    Key(KeyEvent),
    Resize,
}

/// What comes in from the agents.
type Look = Result<(Vec<Row>, usize, usize), Trouble>;

/// Shows it until `q`.
///
/// # Errors
/// When there is no terminal, or the first look finds no agent.
pub(super) async fn run(cli: &Cli, sessions: &[Session]) -> Result<(), Trouble> {
    if !matches!(cli.global.output, Format::Table | Format::Wide) {
        return Err(Trouble::new("top has no other output than the screen", "use `hints -w` or `nodes` with -o"));
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Trouble::new("top needs a terminal", "use `hints -w`, or -o json with another command"));
    }
    // Before the screen is taken: an error here is a line, as of any other command.
    let (rows, agents, silent) = looked(sessions).await?;
    let mut state = State::new(view().paint.is_on());
    state.update(rows, agents, silent, now_ms());
    let mut terminal =
        ratatui::try_init().map_err(|error| Trouble::new(format!("can't take the terminal: {error}"), ""))?;
    let ended = live(&mut terminal, &mut state, sessions).await;
    ratatui::restore();
    ended
}

async fn live(terminal: &mut ratatui::DefaultTerminal, state: &mut State, sessions: &[Session]) -> Result<(), Trouble> {
    let broken = |error: std::io::Error| Trouble::new(format!("the terminal: {error}"), "");
    let mut inputs = keyboard();
    let (looks, mut seen) = mpsc::channel::<Look>(1);
    let watched = sessions.to_vec();
    let looker = tokio::spawn(async move {
        let mut tick = interval(REFRESH);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await;
        loop {
            tick.tick().await;
            if looks.send(looked(&watched).await).await.is_err() {
                return;
            }
        }
    });
    let mut clock = interval(Duration::from_secs(1));
    let mut term = signal(SignalKind::terminate()).map_err(broken)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(broken)?;
    loop {
        terminal.draw(|frame| draw::draw(frame, state, now_ms())).map_err(broken)?;
        tokio::select! {
            input = inputs.recv() => match input {
                Some(Input::Key(key)) => if state.key(key) == After::Quit { break },
                Some(Input::Resize) => {}
                None => break,
            },
            Some(look) = seen.recv() => match look {
                Ok((rows, agents, silent)) => state.update(rows, agents, silent, now_ms()),
                Err(trouble) => state.trouble = Some(trouble.to_string()),
            },
            _ = clock.tick() => {}
            _ = term.recv() => break,
            _ = hangup.recv() => break,
        }
    }
    looker.abort();
    Ok(())
}

/// A thread of its own, because reading a terminal blocks; it ends with the process.
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

/// One look at all contexts.
async fn looked(sessions: &[Session]) -> Look {
    let answers = join_all(sessions.iter().map(|session| async move { (session, look(session).await) })).await;
    let (mut rows, mut agents, mut silent) = (Vec::new(), 0, 0);
    let mut trouble = None;
    for (session, answer) in answers {
        match answer {
            Ok(answers) => {
                agents += answers.got.len();
                silent += answers.silent.len();
                for (_, (pods, hints)) in answers.got {
                    rows.extend(state::rows(session.context.as_deref(), pods, &hints));
                }
            }
            Err(error) => trouble = Some(error.at(session.prefix().trim_end_matches(": "))),
        }
    }
    match trouble {
        Some(trouble) if agents == 0 => Err(Trouble::new(trouble.what.trim_start_matches(": "), trouble.remedy)),
        _ => Ok((rows, agents, silent)),
    }
}
