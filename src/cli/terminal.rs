//! Questions to a person: on stderr, answered on stdin, a line each.

use std::io;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::printer;
use crate::secret::Secret;

/// Nobody answered: the process was told to stop, or the input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered;

/// Reads the next line; `None` where `stop` came first, or the input ended.
pub(super) async fn next_line(stop: &CancellationToken) -> Option<String> {
    let (sender, answer) = oneshot::channel();
    // A thread of its own: the end of the process must not wait for a line that nobody enters.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).ok().filter(|bytes| *bytes > 0);
        let _ = sender.send(read.map(|_| line));
    });
    tokio::select! {
        answer = answer => answer.ok().flatten(),
        () = stop.cancelled() => None,
    }
}

/// A person at a terminal.
pub(super) struct Terminal<'a> {
    stop: &'a CancellationToken,
}

impl<'a> Terminal<'a> {
    /// Whoever [can be asked](super::consent::can_ask). `stop` ends the waiting.
    pub(super) fn new(stop: &'a CancellationToken) -> Self {
        Self { stop }
    }

    /// Asks for a text. An empty line stands for `preset`, where there is one.
    pub(super) async fn text(&self, question: &str, preset: Option<&str>) -> Result<String, Unanswered> {
        let shown = preset.filter(|preset| !preset.is_empty()).map(|preset| format!(" [{preset}]"));
        let shown = shown.unwrap_or_default();
        loop {
            printer::prompt(&format!("{question}{shown}: "));
            let line = self.line().await?;
            match (line.trim(), preset) {
                ("", Some(preset)) => return Ok(preset.to_owned()),
                ("", None) => {}
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
    }

    /// Asks for a text that nobody else is to see. An empty line keeps what is known, where something is: `None`.
    pub(super) async fn secret(&self, question: &str, is_known: bool) -> Result<Option<Secret>, Unanswered> {
        let known = if is_known { " [as it is]" } else { "" };
        loop {
            printer::prompt(&format!("{question} (not shown){known}: "));
            let line = {
                let _hidden = Hidden::new();
                self.line().await
            };
            // The line break that ended the answer was not shown either.
            printer::note("");
            match line?.trim() {
                "" if is_known => return Ok(None),
                "" => {}
                answer => return Ok(Some(Secret::new(answer.to_owned()))),
            }
        }
    }

    /// Asks for a yes or a no. An empty line stands for `preset`.
    pub(super) async fn yes(&self, question: &str, preset: bool) -> Result<bool, Unanswered> {
        loop {
            printer::prompt(&format!("{question} {}: ", if preset { "[Y/n]" } else { "[y/N]" }));
            match self.line().await?.trim().to_lowercase().as_str() {
                "" => return Ok(preset),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => printer::note("please answer `y` or `n`"),
            }
        }
    }

    async fn line(&self) -> Result<String, Unanswered> {
        next_line(self.stop).await.ok_or(Unanswered)
    }
}

/// Keeps the terminal from showing what is typed, until it is dropped.
#[cfg(unix)]
struct Hidden(Option<rustix::termios::Termios>);

#[cfg(unix)]
impl Hidden {
    fn new() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let Ok(shown) = tcgetattr(io::stdin()) else { return Self(None) };
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        Self(tcsetattr(io::stdin(), OptionalActions::Now, &hidden).is_ok().then_some(shown))
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(shown) = &self.0 {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, shown);
        }
    }
}

/// Other systems show it.
#[cfg(not(unix))]
struct Hidden;

#[cfg(not(unix))]
impl Hidden {
    fn new() -> Self {
        Self
    }
}
