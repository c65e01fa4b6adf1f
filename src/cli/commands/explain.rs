//! `psasync explain`.

use crate::cli::args::{ExplainArgs, Format, ScopeArgs};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::domain::field::{FIELDS, FieldId};
use crate::render::{json, text};
use crate::run::{Exit, explain};

pub(in crate::cli) async fn run(context: &Context, args: ExplainArgs) -> Result<Exit, Failure> {
    let field = args.field.as_deref().map(field).transpose()?;
    let ready = context.ready()?;
    let scope =
        ScopeArgs { company: vec![args.company], scheduled_for: args.scheduled_for, ..ScopeArgs::default() };
    let job = ready.job(&scope, ready.clock.now())?;
    let services = &ready.services;
    let explained = explain(&services.umbrella, &services.reader, &ready.surroundings(), &job, field).await;
    let explained = explained.map_err(|error| ready.failure(error))?;
    printer::result(&match args.format {
        Format::Text => text::explanations(&explained),
        Format::Json => json::v1::explanations(&explained, Exit::Done),
    })?;
    Ok(Exit::Done)
}

fn field(text: &str) -> Result<FieldId, Failure> {
    FieldId::named(text).ok_or_else(|| {
        let fields: Vec<_> =
            FIELDS.iter().map(|spec| format!("{} {}", spec.id.sequence(), spec.question)).collect();
        Failure::new(
            Exit::Usage,
            format!("`{text}` is no field"),
            format!("name one by its number or its question: {}", fields.join(", ")),
        )
    })
}
