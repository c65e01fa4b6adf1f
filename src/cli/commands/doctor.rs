//! `psasync doctor`.

use crate::cli::args::{DoctorArgs, Format};
use crate::cli::context::{Context, Examined, inspector};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::render::{json::v1, text};
use crate::run::Exit;
use crate::run::doctor::{Diagnosis, doctor};

pub(in crate::cli) async fn run(context: &Context, args: DoctorArgs) -> Result<Exit, Failure> {
    let diagnosis = match context.examined()? {
        Examined::Ready { ready, notices } => {
            let inspector = inspector(&ready.config)?;
            let diagnosis = doctor(&ready.services, &ready.surroundings(), &inspector, &notices).await;
            diagnosis.map_err(|error| ready.failure(error))?
        }
        Examined::NotValid(problems) => Diagnosis::of_problems(&problems),
    };
    printer::result(&match args.format {
        Format::Text => text::diagnosis(&diagnosis),
        Format::Json => v1::diagnosis(&diagnosis),
    })?;
    Ok(diagnosis.exit())
}
