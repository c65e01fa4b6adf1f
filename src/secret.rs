//! Values that must never be seen.

use secrecy::{ExposeSecret, SecretString};

/// A key, password or token. It is wiped from memory on drop and has no Debug, Display or Serialize, so that it cannot reach a
/// log, an error or a report by accident.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the header or body that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
