//! Values that must never be seen.

use secrecy::{ExposeSecret, SecretString};

/// Compiles only for types that have none of Debug, Display and Serialize: with one of them, two implementations fit `proof`, and neither
/// is chosen.
#[cfg(test)]
macro_rules! assert_unshowable {
    ($($secret:ty),+ $(,)?) => {
        const _: fn() = || {
            trait Shown<Way> {
                fn proof() {}
            }
            struct AsDebug;
            struct AsDisplay;
            struct AsSerialize;
            impl<T: ?Sized> Shown<()> for T {}
            impl<T: ?Sized + std::fmt::Debug> Shown<AsDebug> for T {}
            impl<T: ?Sized + std::fmt::Display> Shown<AsDisplay> for T {}
            impl<T: ?Sized + serde::Serialize> Shown<AsSerialize> for T {}
            $(let _ = <$secret as Shown<_>>::proof;)+
        };
    };
}
#[cfg(test)]
pub(crate) use assert_unshowable;

#[cfg(test)]
assert_unshowable!(Secret, Option<Secret>);

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
