//! `psasync map import`.

use super::refused;
use crate::cli::args::{Format, MapImportArgs};
use crate::cli::context::{Context, environment};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::config::mapping_file::{ImportColumns, MappingFile, import};
use crate::render::{json::v1, text};
use crate::run::{Exit, MapFile};

/// Asks nobody but the two files. Nothing is sent.
pub(super) fn run(context: &Context, args: &MapImportArgs) -> Result<Exit, Failure> {
    let loaded = crate::config::load(&context.config_path, environment()?)?;
    let mut file = MappingFile::open(&loaded.config.mapping_file)?;
    let columns = ImportColumns {
        organization: args.org_column.clone(),
        psa_id: args.psa_column.clone(),
        name: args.name_column.clone(),
        package: args.package_column.clone(),
    };
    let imported = import(&args.file, &columns, &mut file).map_err(refused)?;
    if !args.dry_run {
        file.save().map_err(refused)?;
    }
    let added = (!args.dry_run).then(|| imported.lines.clone());
    let file = MapFile::of(&file, added);
    printer::result(&match args.format {
        Format::Text => text::map_import(&imported, &file, args.dry_run),
        Format::Json => v1::map_import(&imported, &file, args.dry_run, Exit::Done),
    })?;
    Ok(Exit::Done)
}
