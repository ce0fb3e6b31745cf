//! `skywatch generate`: manual pages, completions and the reference page, made of what the command line itself knows, so that they
//! cannot say anything else.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

use super::context::CommandFailure;
use crate::process;

#[derive(Debug, Args)]
pub(super) struct GenerateArguments {
    /// The folder: `man/`, `completions/` and `reference.md` are written there
    folder: PathBuf,
}

/// Writes what is made of the command line that `cli` builds.
pub(super) fn run(arguments: &GenerateArguments, cli: fn() -> Command) -> Result<(), CommandFailure> {
    let (man, completions) = (arguments.folder.join("man"), arguments.folder.join("completions"));
    for folder in [&man, &completions] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    clap_mangen::generate_to(cli(), &man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli(), "skywatch", &completions)?;
    }
    std::fs::write(arguments.folder.join("reference.md"), reference(cli()))?;
    Ok(())
}

/// Every command and every setting, as a page.
fn reference(mut command: Command) -> String {
    let mut page = "# Reference\n\nMade by `skywatch generate DIR` from the program itself; a test holds it true.\n\n## Commands\n\n\
                    Options that every command has:\n"
        .to_owned();
    command.build();
    let global: Vec<_> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .collect();
    for argument in &global {
        describe_argument(argument, &mut page);
    }
    let names: Vec<String> = global
        .iter()
        .map(|argument| argument.get_id().to_string())
        .collect();
    for below in command.get_subcommands() {
        describe_command(below, "skywatch", &names, &mut page);
    }
    page += "\n## Settings\n\nEach with its default. A setting can also come from the environment (`SKYWATCH__SECTION__KEY`) or from \
             `--set section.key=value`. Those marked *live* take effect when settings are read anew (`skywatch reload`), all \
             others at the next start.\n";
    describe_settings(skywatch_settings::EXAMPLE, &mut page);
    page
}

fn describe_command(command: &Command, above: &str, global: &[String], page: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    // Writing to a text never fails.
    let _ = writeln!(page, "\n### `{name}`\n\n{about}.");
    let own = |argument: &&clap::Arg| {
        let id = argument.get_id().to_string();
        !argument.is_hide_set() && !matches!(id.as_str(), "help" | "version") && !global.contains(&id)
    };
    let mut is_first = true;
    for argument in command.get_arguments().filter(own) {
        if std::mem::take(&mut is_first) {
            page.push('\n');
        }
        describe_argument(argument, page);
    }
    for below in command.get_subcommands() {
        describe_command(below, &name, global, page);
    }
}

fn describe_argument(argument: &clap::Arg, page: &mut String) {
    let id = argument.get_id().to_string().to_uppercase();
    let takes_value = argument.get_action().takes_values();
    let value = match argument.get_value_names() {
        Some(names) if takes_value => names.join(" "),
        _ if takes_value => id.clone(),
        _ => String::new(),
    };
    let shown = match argument.get_long() {
        Some(long) if value.is_empty() => format!("--{long}"),
        Some(long) => format!("--{long} {value}"),
        None => value,
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> = argument
        .get_default_values()
        .iter()
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    let default = if defaults.is_empty() || !takes_value {
        String::new()
    } else {
        format!(" (by default `{}`)", defaults.join(" "))
    };
    let _ = writeln!(page, "- `{shown}`: {help}{default}");
}

/// The commented example as lists: a section each, its keys with their defaults and comments.
fn describe_settings(example: &str, page: &mut String) {
    let mut comment: Vec<&str> = Vec::new();
    let mut section = String::new();
    for line in example.lines() {
        // Tables of which there are none by default are comments without a space.
        let is_example = line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
        let text = if is_example { &line[1..] } else { line };
        if let Some(words) = text.strip_prefix("# ") {
            comment.push(words);
        } else if text.starts_with('[') {
            section = format!("{}.", text.trim_matches(['[', ']']));
            let _ = writeln!(
                page,
                "\n### `{text}`\n\n{}\n",
                std::mem::take(&mut comment).join(" ")
            );
        } else if let Some((key, _)) = text.split_once(" = ") {
            let words = std::mem::take(&mut comment).join(" ");
            let colon = if words.is_empty() { "" } else { ": " };
            let live = match process::is_live(&format!("{section}{key}")) {
                true => " *live*",
                false => "",
            };
            let _ = writeln!(page, "- `{text}`{live}{colon}{words}");
        } else if text == "#" || text.is_empty() {
            // What stands at the top of the file is said above.
            comment.clear();
        }
    }
}
