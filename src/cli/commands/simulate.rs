//! `psasync simulate`.

use std::path::Path;

use simulator::{FaultMix, Logged, World};

use super::simulated::{Limits, Ports, Simulated, demo_world, temporary_folder};
use crate::cli::args::{SimulateArgs, SimulatedLimits};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::files::write_private;
use crate::cli::printer;
use crate::domain::text::system_words;
use crate::run::Exit;

pub(in crate::cli) async fn run(context: &Context, args: SimulateArgs) -> Result<Exit, Failure> {
    match &args.dir {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|error| {
                Failure::failed(
                    format!("{} cannot be made: {}", folder.display(), system_words(&error.to_string())),
                    "choose another folder",
                )
            })?;
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            serve(context, &args, &folder).await
        }
        None => serve(context, &args, temporary_folder()?.path()).await,
    }
}

async fn serve(context: &Context, args: &SimulateArgs, folder: &Path) -> Result<Exit, Failure> {
    let world = match args.fleet {
        Some((organizations, companies)) => World::fleet(organizations, companies),
        None => demo_world(args.companies),
    };
    let world = world.as_tenant(args.number);
    let limits = match args.limits {
        SimulatedLimits::Published => Limits::Published { times: args.speed },
        SimulatedLimits::Off => Limits::Off,
    };
    let ports = Ports {
        umbrella: args.umbrella_port,
        regional: args.regional_port,
        connectwise: args.connectwise_port,
    };
    let simulated = Simulated::start(world, limits, ports, folder).await?;
    for fault in &args.fault {
        simulated.simulation.inject(fault.clone());
    }
    if let Some(percent) = args.faults {
        simulated.simulation.weather(FaultMix { seed: args.seed, percent });
    }
    printer::result(&simulated.config)?;
    printer::note(&format!(
        "Simulated services are up; the configuration above is also in {}, and its keys are what `psasync init` asks for. Ctrl-C ends them.",
        simulated.config_path.display()
    ));
    context.signals.stop.cancelled().await;
    if let Some(path) = &args.log {
        write_private(path, &asked(&simulated.simulation.log()))?;
    }
    let closed = simulated.served.shut_down().await;
    closed.map_err(|error| Failure::failed(format!("the simulated services failed: {error}"), ""))?;
    Ok(context.signals.exit().unwrap_or(Exit::Done))
}

/// One line a request, its parts apart by tabs.
fn asked(log: &[Logged]) -> String {
    let line = |logged: &Logged| {
        let Logged { service, method, path, organization, status, at, .. } = logged;
        let organization = organization.map(|id| id.to_string()).unwrap_or_default();
        format!(
            "{}\t{service}\t{method}\t{path}\t{organization}\t{}\n",
            at.timestamp_millis(),
            status.as_u16()
        )
    };
    log.iter().map(line).collect()
}
