//! What a person wants to know about the key and the console, beside what a run needs.

use super::Umbrella;
use super::error::{TOKEN, UmbrellaError};
use super::scopes::{CUSTOMERS_SCOPE, Scopes};
use crate::http::Exchange;

impl<E: Exchange> Umbrella<E> {
    /// What the console's token may be used for; `None` where it does not say.
    ///
    /// # Errors
    /// Where there is no token.
    pub async fn scopes(&self) -> Result<Option<Scopes>, UmbrellaError> {
        let scopes = self.gateway.console_scopes(None).await;
        scopes.map_err(|error| error.for_run(TOKEN, CUSTOMERS_SCOPE))
    }
}
