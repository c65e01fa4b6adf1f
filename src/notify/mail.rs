//! Mail over SMTP: a text, to everybody at once.
//!
//! # What never happens here
//! * A user name or a password is sent without TLS, other than to this machine itself.
//! * What the mail server said is quoted, which may repeat a login: only its code is.

use std::error::Error as StdError;
use std::fs;
use std::path::{Path, PathBuf};

use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport as _, Message, Tokio1Executor};

use super::CONNECT_TIMEOUT;
use super::delivery::{DeliveryError, repeated};
use crate::config::{Smtp, SmtpTls};
use crate::domain::text::system_words;
use crate::render::text::NoticeText;

/// Sends mail as the settings say.
pub(super) struct Mailer {
    pub(super) settings: Smtp,
    /// Root certificates in PEM that are trusted beside the system's. Configuration: `http.ca_file`.
    pub(super) ca_file: Option<PathBuf>,
}

impl Mailer {
    /// Sends a text, its title as the subject.
    pub(super) async fn send(&self, text: &NoticeText) -> Result<(), DeliveryError> {
        let message = message(&self.settings, text).map_err(|error| self.unsendable(&error.to_string()))?;
        let transport = self.transport()?;
        repeated(|| async {
            let sent = transport.send(message.clone()).await;
            sent.map(drop).map_err(|error| self.failed(&error))
        })
        .await
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, DeliveryError> {
        let Smtp { host, port, tls, login, .. } = &self.settings;
        let tls = match tls {
            SmtpTls::Starttls => Tls::Required(self.tls_parameters()?),
            SmtpTls::Implicit => Tls::Wrapper(self.tls_parameters()?),
            SmtpTls::None => Tls::None,
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        let builder = builder.port(*port).tls(tls).timeout(Some(CONNECT_TIMEOUT));
        let credentials = login
            .as_ref()
            .map(|login| Credentials::new(login.username.clone(), login.password.expose().to_owned()));
        Ok(match credentials {
            Some(credentials) => builder.credentials(credentials).build(),
            None => builder.build(),
        })
    }

    fn tls_parameters(&self) -> Result<TlsParameters, DeliveryError> {
        let mut builder = TlsParameters::builder(self.settings.host.clone());
        if let Some(root) = self.ca_file.as_deref().map(|path| self.root(path)).transpose()? {
            builder = builder.add_root_certificate(root);
        }
        builder.build().map_err(|error| self.failed(&error))
    }

    fn root(&self, path: &Path) -> Result<Certificate, DeliveryError> {
        let pem = fs::read(path).map_err(|error| {
            self.unsendable(&format!("`http.ca_file`: {}", system_words(&error.to_string())))
        })?;
        Certificate::from_pem(&pem).map_err(|error| self.failed(&error))
    }

    fn unsendable(&self, detail: &str) -> DeliveryError {
        DeliveryError::Mail { host: self.settings.host.clone(), detail: detail.to_owned() }
    }

    fn failed(&self, error: &smtp::Error) -> DeliveryError {
        let host = self.settings.host.clone();
        if let Some(code) = error.status() {
            return DeliveryError::MailRefused { host, code: code.into() };
        }
        if error.is_response() {
            return DeliveryError::Mail { host, detail: "what answers there speaks no SMTP".to_owned() };
        }
        let mut cause: &(dyn StdError + 'static) = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let words = cause.to_string();
        // What this side finds out by itself begins with a name.
        let detail = if error.is_client() { words } else { system_words(&words) };
        DeliveryError::Mail { host, detail }
    }
}

fn message(settings: &Smtp, text: &NoticeText) -> Result<Message, lettre::error::Error> {
    let builder = Message::builder().from(settings.from.clone()).subject(text.title.as_str());
    let builder = settings.to.iter().fold(builder, |builder, to| builder.to(to.clone()));
    builder.header(ContentType::TEXT_PLAIN).body(text.body() + "\n")
}

#[cfg(test)]
mod tests;
