//! `psasync notify`.

use crate::cli::args::{Format, NotifyCommand, NotifyTestArgs};
use crate::cli::context::{Context, notifiers, unusable_wire};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::clock::Clock;
use crate::render::{json::v1, text};
use crate::run::Exit;

pub(in crate::cli) async fn run(context: &Context, command: NotifyCommand) -> Result<Exit, Failure> {
    match command {
        NotifyCommand::Test(args) => test(context, args).await,
    }
}

async fn test(context: &Context, args: NotifyTestArgs) -> Result<Exit, Failure> {
    let config = context.settings()?;
    let Some(notifiers) = notifiers(&config).map_err(unusable_wire)? else {
        let hint = "add a section such as `[notify.webhook]`; `psasync.example.toml` shows all of them";
        return Err(Failure::new(Exit::Config, "no notifier is configured", hint));
    };
    let deliveries = notifiers.test(Clock::system().now()).await;
    let exit =
        if deliveries.iter().all(|delivery| delivery.trouble.is_none()) { Exit::Done } else { Exit::Failed };
    printer::result(&match args.format {
        Format::Text => text::deliveries(&deliveries),
        Format::Json => v1::deliveries(&deliveries, exit),
    })?;
    Ok(exit)
}
