//! Progress bars on a terminal, and log lines that do not tear them.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::progress::{Phase, Progress};

/// The bars of this process. On a pipe, or when they are not wanted, they are invisible and cost nothing.
#[derive(Clone, Debug)]
pub(super) struct Bars {
    all: MultiProgress,
}

impl Bars {
    pub(super) fn new(wanted: bool) -> Self {
        let is_shown = wanted && io::stderr().is_terminal();
        let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { all: MultiProgress::with_draw_target(target) }
    }

    pub(super) fn watch(&self) -> Watch {
        Watch { all: self.all.clone(), current: Mutex::new(ProgressBar::hidden()) }
    }
}

/// One run, on the bars.
pub(super) struct Watch {
    all: MultiProgress,
    current: Mutex<ProgressBar>,
}

impl Watch {
    fn current(&self) -> ProgressBar {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Progress for Watch {
    fn begin(&self, phase: Phase, total: usize) {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.all.add(ProgressBar::new(total as u64).with_style(style));
        bar.set_message(match phase {
            Phase::Organizations => "reading organizations",
            Phase::Records => "writing records",
        });
        bar.tick();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    fn advance(&self) {
        self.current().inc(1);
    }

    fn end(&self) {
        self.current().finish_and_clear();
    }
}

/// Writes to stderr, above the bars.
impl<'w> MakeWriter<'w> for Bars {
    type Writer = AboveBars;

    fn make_writer(&'w self) -> AboveBars {
        AboveBars(self.all.clone())
    }
}

pub(super) struct AboveBars(MultiProgress);

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
