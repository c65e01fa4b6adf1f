//! `psasync history`. Asks neither service anything.

use crate::cli::args::{ForgetArgs, Format, HistoryArgs, HistoryCommand};
use crate::cli::consent::{Consent, consent};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::render::{json::v1, text};
use crate::run::{Exit, company_history, farewell, forget, months, past_runs};

pub(in crate::cli) async fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    if let Some(HistoryCommand::Forget(args)) = &args.command {
        return forget_company(context, args).await;
    }
    let ready = context.ready()?;
    let (config, mapping) = (&ready.config, &ready.mapping);
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let company = args.company.as_deref();
    let told = match company {
        _ if args.months => {
            let months = months(config, mapping, company, limit).await?;
            match args.format {
                Format::Text => text::months(months.as_deref(), config.record.threat_count),
                Format::Json => v1::months(months.as_deref().unwrap_or_default()),
            }
        }
        Some(psa_id) => {
            let history = company_history(config, mapping, psa_id, limit).await?;
            match args.format {
                Format::Text => text::history_of_company(&history),
                Format::Json => v1::history_of_company(&history),
            }
        }
        None => {
            let runs = past_runs(config, ready.clock.now(), args.limit).await?;
            match args.format {
                Format::Text => text::history(runs.as_ref()),
                Format::Json => v1::history(&runs.unwrap_or_default()),
            }
        }
    };
    printer::result(&told)?;
    Ok(Exit::Done)
}

async fn forget_company(context: &Context, args: &ForgetArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let surroundings = ready.surroundings();
    let farewell = farewell(&ready.config, &ready.mapping, &args.company).await?;
    let removed = match &farewell {
        None => None,
        Some(farewell) => {
            let question = format!("Remove everything that the state has about {}?", farewell.psa_id);
            match consent(args.yes, &question, surroundings.stop).await {
                Consent::Given => Some(forget(&surroundings, farewell).await?),
                Consent::Refused => {
                    printer::note("nothing was removed");
                    if args.format == Format::Json {
                        printer::result(&v1::forgotten(&args.company, None))?;
                    }
                    return Ok(ready.exit(Exit::Done, true));
                }
                Consent::Unasked => {
                    let message = "nothing was removed: there is no terminal to ask on";
                    return Err(Failure::new(Exit::Usage, message, "add `--yes`, or run it on a terminal"));
                }
            }
        }
    };
    let forgotten = farewell.as_ref().zip(removed.as_ref());
    printer::result(&match args.format {
        Format::Text => text::forgotten(forgotten),
        Format::Json => v1::forgotten(&args.company, forgotten),
    })?;
    Ok(Exit::Done)
}
