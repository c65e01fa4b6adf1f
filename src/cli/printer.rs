//! The only place that prints. Results go to stdout, everything else to stderr.

use std::io::{self, Write as _};

use tracing::warn;

use super::failure::Failure;
use crate::domain::text::system_words;
use crate::telemetry::is_json;

/// Prints a result.
///
/// A reader that went away (`psasync plan | head`) is not an error of ours: the rest is dropped, and the exit code stays.
///
/// # Errors
/// Where stdout cannot be written for another reason, such as a full disk.
pub(super) fn result(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(
            format!("the result could not be printed: {}", system_words(&error.to_string())),
            "check where stdout goes",
        )),
        _ => Ok(()),
    }
}

/// Prints to stderr. Where that is impossible, there is nobody to tell.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Says what happens meanwhile on stderr: in a log line where log lines are JSON.
pub(super) fn tell(text: &str) {
    if is_json() { warn!("{text}") } else { note(text) }
}

/// Prints to stderr what a person is to answer, on the same line.
pub(super) fn prompt(text: &str) {
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
