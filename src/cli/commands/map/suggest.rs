//! `psasync map suggest`.

use tokio_util::sync::CancellationToken;

use super::refused;
use crate::cli::args::{ListFormat, MapSuggestArgs};
use crate::cli::consent::{Choice, can_ask, choice};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::config::mapping_file::{MappingFile, NewLine};
use crate::domain::snapshot::Completeness;
use crate::mapping::Suggestion;
use crate::render::{csv, json::v1, text};
use crate::run::{Exit, MapFile, Suggestions, map_suggest, suggested_line};

pub(super) async fn run(context: &Context, args: &MapSuggestArgs) -> Result<Exit, Failure> {
    if args.write && args.above.is_none() && !can_ask() {
        let message = "nothing was added: there is no terminal to ask on";
        let hint = "`--write --above 90` adds all that are unambiguous and have that score; without `--write` they are shown";
        return Err(Failure::new(Exit::Usage, message, hint));
    }
    let (ready, mut file) = context.ready_with_mapping_file()?;
    let (services, surroundings) = (&ready.services, ready.surroundings());
    let found = map_suggest(&services.umbrella, &services.reader, &surroundings).await;
    let mut found = found.map_err(|error| ready.failure(error))?;
    for suggestion in &mut found.suggestions {
        suggestion.candidates.retain(|candidate| candidate.score >= args.min_score);
    }
    let added = match (args.write, args.above) {
        (false, _) => None,
        (true, Some(score)) => Some(take(&found, score.max(args.min_score), &mut file)?),
        (true, None) => Some(ask(&found, &mut file, surroundings.stop).await?),
    };
    let exit = ready.exit(Exit::Done, true);
    let file = MapFile::of(&file, added);
    printer::result(&match args.format {
        ListFormat::Text => text::map_suggestions(&found, &file),
        ListFormat::Json => v1::map_suggestions(&found, &file, exit),
        ListFormat::Csv => csv::map_suggestions(&found),
    })?;
    Ok(exit)
}

/// Adds what is unambiguous from a score on.
fn take(found: &Suggestions, score: u8, file: &mut MappingFile) -> Result<Vec<NewLine>, Failure> {
    if let Completeness::Partial { reason } = &found.customers {
        return Err(Failure::failed(
            format!("nothing was added: Umbrella's customer list is partial: {reason}"),
            "an organization that was not listed may fit a company better; run again, or be asked about each",
        ));
    }
    let taken = |suggestion: &Suggestion| Some(suggested_line(suggestion, suggestion.unambiguous(score)?));
    let lines: Vec<_> = found.suggestions.iter().filter_map(taken).collect();
    file.add_all(&lines).and_then(|()| file.save()).map_err(refused)?;
    Ok(lines)
}

/// Asks about each, and adds each at once: what was confirmed stays, however the asking ends.
async fn ask(
    found: &Suggestions,
    file: &mut MappingFile,
    stop: &CancellationToken,
) -> Result<Vec<NewLine>, Failure> {
    let mut added = Vec::new();
    for suggestion in &found.suggestions {
        let is_free = |psa_id: &str| {
            let key = crate::domain::ids::psa_key(psa_id);
            !file.mapping().lines.iter().any(|line| line.psa_id.key() == key)
        };
        let best = suggestion.candidates.iter().find(|candidate| is_free(candidate.psa_id.as_str()));
        let Some(best) = best else { continue };
        let mut shown = String::new();
        text::map_suggestion(&mut shown, suggestion);
        printer::note(shown.trim_end());
        let question = format!("Is organization {} the company {}?", suggestion.organization, best.psa_id);
        match choice(&question, stop).await {
            Choice::Yes => {
                let line = suggested_line(suggestion, best);
                file.add(&line).and_then(|()| file.save()).map_err(refused)?;
                added.push(line);
            }
            Choice::No => {}
            Choice::Quit => break,
        }
    }
    Ok(added)
}
