//! `psasync map recover`.

use super::refused;
use crate::cli::args::{ListFormat, MapRecoverArgs};
use crate::cli::consent::{Consent, can_ask, consent};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::config::mapping_file::MappingFile;
use crate::render::{csv, json::v1, text};
use crate::run::{Exit, MapFile, Recovery, map_recover, recovered_line};

pub(super) async fn run(context: &Context, args: &MapRecoverArgs) -> Result<Exit, Failure> {
    let (ready, mut file) = context.ready_with_mapping_file()?;
    let (services, surroundings) = (&ready.services, ready.surroundings());
    let recovery = map_recover(&services.umbrella, &services.reader, &surroundings).await;
    let recovery = recovery.map_err(|error| ready.failure(error))?;
    let lines: Vec<_> = recovery.recovered.lines.iter().map(recovered_line).collect();
    if !args.write || lines.is_empty() {
        return show(&recovery, &MapFile::of(&file, args.write.then(Vec::new)), args.format, Exit::Done);
    }
    if !args.yes && can_ask() {
        printer::note(&text::map_recovery(&recovery, &MapFile::of(&file, None)));
    }
    match consent(args.yes, &question(&file, lines.len()), surroundings.stop).await {
        Consent::Given => {
            file.add_all(&lines).and_then(|()| file.save()).map_err(refused)?;
            show(&recovery, &MapFile::of(&file, Some(lines)), args.format, Exit::Done)
        }
        Consent::Refused => {
            let exit = ready.exit(Exit::Done, true);
            show(&recovery, &MapFile::of(&file, Some(Vec::new())), args.format, exit)
        }
        Consent::Unasked => {
            show(&recovery, &MapFile::of(&file, Some(Vec::new())), args.format, Exit::Usage)?;
            let message = "nothing was added: there is no terminal to ask on";
            Err(Failure::new(
                Exit::Usage,
                message,
                "say `--write --yes` to add these lines, or leave both out to look only",
            ))
        }
    }
}

fn question(file: &MappingFile, count: usize) -> String {
    let lines = if count == 1 { "this line".to_owned() } else { format!("these {count} lines") };
    format!("Add {lines} to {}?", file.path().display())
}

fn show(recovery: &Recovery, file: &MapFile, format: ListFormat, exit: Exit) -> Result<Exit, Failure> {
    printer::result(&match format {
        ListFormat::Text => text::map_recovery(recovery, file),
        ListFormat::Json => v1::map_recovery(recovery, file, exit),
        ListFormat::Csv => csv::map_recovery(recovery),
    })?;
    Ok(exit)
}
