//! `skywatch init`: the few settings that matter first, asked for or taken from flags, each tried before it is written.
//!
//! At a terminal what no flag says is asked for; elsewhere, or with `--yes`, it is left at its default, and what does not work is an
//! error. Nothing is written before all of it was tried.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use skywatch_settings::{Settings, SettingsError, Sources};

use super::context::{CommandFailure, Global, PACKAGE_SETTINGS, say};
use crate::imported::{SettingsDraft, quoted, quoted_list};
use crate::process::probes;

/// The unit that packages install.
const UNIT: &str = "/usr/lib/systemd/system/skywatch.service";
/// The state folder that it gives to the process.
const STATE_OF_THE_UNIT: &str = "/var/lib/skywatch";

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Where the settings are written
    #[arg(default_value = "skywatch.toml")]
    file: PathBuf,
    /// The mail server: HOST or HOST:PORT
    #[arg(long, value_name = "HOST[:PORT]")]
    mail_server: Option<String>,
    /// "none" for a relay on this machine, "starttls" or "tls"; by the port unless said
    #[arg(long, value_name = "WORD")]
    mail_security: Option<String>,
    /// Whom mail is from
    #[arg(long, value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Who is told by mail; may be given again
    #[arg(long, value_name = "ADDRESS")]
    mail_to: Vec<String>,
    /// Where our own metrics go: carbon's plaintext port
    #[arg(long, value_name = "HOST:PORT")]
    graphite: Option<String>,
    /// Fetch the last day from this Graphite (its web address)
    #[arg(long, value_name = "URL", conflicts_with = "backfill_prometheus")]
    backfill_graphite: Option<String>,
    /// Fetch the last day from this Prometheus
    #[arg(long, value_name = "URL")]
    backfill_prometheus: Option<String>,
    /// What of it: a pattern of Graphite (`servers.*.cpu`) or a selector of Prometheus; may be given again
    #[arg(long, value_name = "PATTERN")]
    fetch: Vec<String>,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    /// Replace a file that has settings already
    #[arg(long)]
    force: bool,
}

pub(super) fn run(global: &Global, arguments: InitArguments) -> Result<(), CommandFailure> {
    refuse_to_replace(&arguments.file, arguments.force)?;
    let mut dialogue = InitDialogue {
        asks: !arguments.yes && std::io::stdin().is_terminal(),
    };
    let mut draft = SettingsDraft::default();
    let of_the_unit = Path::new(STATE_OF_THE_UNIT);
    let of_the_unit = is_of_the_unit(&arguments.file).then_some(of_the_unit);
    if let Some(folder) = global.state_dir().or(of_the_unit) {
        draft.set_top("state_dir", quoted(&folder.display().to_string()));
    }
    store(&mut dialogue, &mut draft, global.store())?;
    mail(&mut dialogue, &mut draft, &arguments)?;
    graphite(&mut dialogue, &mut draft, arguments.graphite.as_deref())?;
    write(&arguments.file, &draft.text("init"))?;
    say(&format!("\nwritten to `{}`", arguments.file.display()))?;
    backfill(&mut dialogue, &arguments)?;
    Ok(what_next(&arguments.file, &draft)?)
}

/// Whether the service that a package has installed reads this file.
fn is_of_the_unit(file: &Path) -> bool {
    Path::new(UNIT).exists() && file == Path::new(PACKAGE_SETTINGS)
}

/// A file without any settings but where the state lies, as packages bring one, may be replaced.
fn refuse_to_replace(file: &Path, force: bool) -> Result<(), CommandFailure> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().map(str::trim);
    let has_settings = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .any(|line| !line.starts_with("state_dir"));
    if has_settings && !force {
        return Err(CommandFailure::Arguments(format!(
            "`{}` has settings already\nhint: name another file, or replace it with `--force`",
            file.display()
        )));
    }
    Ok(())
}

/// Questions at a terminal.
struct InitDialogue {
    asks: bool,
}

impl InitDialogue {
    /// The answer, or `default` where nothing is asked or answered.
    fn ask(&mut self, question: &str, default: &str) -> anyhow::Result<String> {
        if !self.asks {
            return Ok(default.to_owned());
        }
        let shown = if default.is_empty() { "none" } else { default };
        let mut out = std::io::stdout().lock();
        write!(out, "{question} [{shown}]: ")?;
        out.flush()?;
        let mut line = String::new();
        // At the end of input nobody answers any more.
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            self.asks = false;
            writeln!(out)?;
        }
        let answer = line.trim();
        Ok(if answer.is_empty() {
            default.to_owned()
        } else {
            answer.to_owned()
        })
    }

    /// Tries what `draft` leads to under `probe`. Answers whether to go on with it; a person may ask for another try, which is
    /// `false`.
    fn try_out(&mut self, draft: &SettingsDraft, probe: &str) -> Result<bool, CommandFailure> {
        let wrong = match found(draft, probe)? {
            Ok(found) => {
                say(&format!("  ok: {found}"))?;
                return Ok(true);
            }
            Err(wrong) => wrong,
        };
        if !self.asks {
            return Err(CommandFailure::Other(anyhow::anyhow!(
                "nothing was written: {wrong}"
            )));
        }
        say(&format!("  {wrong}"))?;
        let answer = self.ask("  keep it all the same?", "no")?;
        Ok(answer.to_lowercase().starts_with('y'))
    }
}

/// The settings that a draft makes, or what is wrong with them.
fn settings(draft: &SettingsDraft) -> Result<Result<Settings, String>, CommandFailure> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), draft.text("init"))?;
    let sources = Sources {
        file: Some(file.path().to_owned()),
        env: std::env::var("HOME")
            .map(|home| ("HOME".to_owned(), home))
            .into_iter()
            .collect(),
        ..Sources::default()
    };
    let refused = |error: SettingsError| {
        let problem = error.problems.first().map(ToString::to_string);
        let place = file.path().display().to_string();
        problem.unwrap_or_default().replace(&place, "the settings")
    };
    let loaded = skywatch_settings::load(sources);
    Ok(loaded.map(|loaded| loaded.settings).map_err(refused))
}

/// What a probe of these settings finds, or what is wrong with them.
fn found(draft: &SettingsDraft, probe: &str) -> Result<Result<String, String>, CommandFailure> {
    let settings = match settings(draft)? {
        Ok(settings) => settings,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let mut all = probes::probes(&settings, true).into_iter();
    Ok(match all.find(|one| one.name == probe) {
        // The embedded store is a part of the state folder.
        None => Ok(format!("in `{}`", settings.state_dir.display())),
        Some(one) => (one.run)().map_err(|failure| format!("{}\n  hint: {}", failure.cause, failure.mend)),
    })
}

fn store(
    dialogue: &mut InitDialogue,
    draft: &mut SettingsDraft,
    given: Option<&str>,
) -> Result<(), CommandFailure> {
    let mut default = given.unwrap_or("embedded").to_owned();
    loop {
        let url = match given {
            Some(url) if !dialogue.asks => url.to_owned(),
            _ => dialogue.ask(
                "where are points kept? A Redis (redis://HOST:PORT, redis+unix:///PATH), or `embedded`, inside Skywatch",
                &default,
            )?,
        };
        draft.set("store.url", quoted(&url));
        name_nodes(draft)?;
        if dialogue.try_out(draft, "store")? {
            return Ok(());
        }
        default = url;
    }
}

/// Of a Redis Cluster one node may be named; the settings need more, in case that one is away.
fn name_nodes(draft: &mut SettingsDraft) -> Result<(), CommandFailure> {
    draft.remove("store.cluster");
    // What is wrong otherwise is said by who tries the store.
    let nodes = settings(draft)?
        .ok()
        .and_then(|settings| probes::cluster_nodes(&settings));
    if let Some(nodes) = nodes.filter(|nodes| !nodes.is_empty()) {
        say("  a node of a Redis Cluster: `store.cluster` names some of its nodes")?;
        draft.set("store.cluster", quoted_list(&nodes));
    }
    Ok(())
}

fn mail(
    dialogue: &mut InitDialogue,
    draft: &mut SettingsDraft,
    arguments: &InitArguments,
) -> Result<(), CommandFailure> {
    let mut default = arguments.mail_server.clone().unwrap_or_default();
    loop {
        let server = dialogue.ask("which mail server? HOST or HOST:PORT", &default)?;
        if server.is_empty() {
            return Ok(());
        }
        default.clone_from(&server);
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
            _ => (server.as_str(), "25"),
        };
        let is_here = host == "localhost"
            || host
                .parse()
                .is_ok_and(|host: std::net::IpAddr| host.is_loopback());
        let security = match (port, is_here) {
            ("465", _) => "tls",
            (_, true) => "none",
            (_, false) => "starttls",
        };
        let security = dialogue.ask(
            "protected how? none, starttls or tls",
            arguments.mail_security.as_deref().unwrap_or(security),
        )?;
        let from = dialogue.ask(
            "mail from which address?",
            arguments.mail_from.as_deref().unwrap_or_default(),
        )?;
        let to = dialogue.ask(
            "to whom? Addresses with commas between",
            &arguments.mail_to.join(","),
        )?;
        let to: Vec<&str> = to.split(',').map(str::trim).filter(|to| !to.is_empty()).collect();
        draft.set("email.server", quoted(host));
        draft.set("email.port", port.to_owned());
        draft.set("email.security", quoted(&security));
        draft.set("email.from", quoted(&from));
        draft.set("email.to", quoted_list(&to));
        if dialogue.try_out(draft, "receivers.email")? {
            return Ok(());
        }
    }
}

fn graphite(
    dialogue: &mut InitDialogue,
    draft: &mut SettingsDraft,
    given: Option<&str>,
) -> Result<(), CommandFailure> {
    let mut default = given.unwrap_or_default().to_owned();
    loop {
        let address = dialogue.ask("where do Skywatch's own metrics go? Carbon's HOST:PORT", &default)?;
        if address.is_empty() {
            draft.remove("graphite.address");
            return Ok(());
        }
        draft.set("graphite.address", quoted(&address));
        if dialogue.try_out(draft, "graphite")? {
            return Ok(());
        }
        default = address;
    }
}

/// For its owner and group; one that is there keeps both, and nobody else reads it from here on: passwords may come to stand there.
fn write(file: &Path, text: &str) -> Result<(), CommandFailure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o640);
    let written = options.open(file).and_then(|mut opened| {
        let mode = opened.metadata()?.permissions().mode();
        opened.set_permissions(std::fs::Permissions::from_mode(mode & 0o770))?;
        opened.write_all(text.as_bytes())
    });
    Ok(written.with_context(|| format!("cannot write `{}`", file.display()))?)
}

/// Fetches the last day with the command that does that, whose progress is seen here.
fn backfill(dialogue: &mut InitDialogue, arguments: &InitArguments) -> Result<(), CommandFailure> {
    let (kind, url) = match (&arguments.backfill_graphite, &arguments.backfill_prometheus) {
        (Some(url), _) => ("graphite", url.clone()),
        (None, Some(url)) => ("prometheus", url.clone()),
        (None, None) => {
            let answer = dialogue.ask(
                "fetch the last day, so that verdicts come within minutes? `graphite URL` or `prometheus URL`",
                "",
            )?;
            match answer.split_once(' ') {
                Some((kind @ ("graphite" | "prometheus"), url)) => (
                    if kind == "graphite" {
                        "graphite"
                    } else {
                        "prometheus"
                    },
                    url.trim().to_owned(),
                ),
                _ => return Ok(()),
            }
        }
    };
    let (flag, usual) = match kind {
        "graphite" => ("--target", "*"),
        _ => ("--match", "{__name__=~\".+\"}"),
    };
    let mut patterns = arguments.fetch.clone();
    if patterns.is_empty() {
        patterns.push(dialogue.ask("what of it?", usual)?);
    }
    let binary = std::env::current_exe()?;
    let mut command = std::process::Command::new(binary);
    command.arg("backfill").arg("--config").arg(&arguments.file);
    command.arg(format!("--{kind}")).arg(&url);
    for pattern in patterns {
        command.args([flag, &pattern]);
    }
    // What it leaves in the state folder is for the service's own user.
    if is_of_the_unit(&arguments.file)
        && let Ok(state) = std::fs::metadata(STATE_OF_THE_UNIT)
        && rustix::process::geteuid().is_root()
    {
        command.uid(state.uid()).gid(state.gid());
    }
    let status = command.status().context("cannot start the backfill")?;
    if !status.success() {
        say(
            "the past was not fetched; `skywatch backfill` can do that later, also beside a running Skywatch",
        )?;
    }
    Ok(())
}

fn what_next(file: &Path, draft: &SettingsDraft) -> anyhow::Result<()> {
    let start = if is_of_the_unit(file) {
        "systemctl enable --now skywatch".to_owned()
    } else {
        format!("skywatch run --config {}", file.display())
    };
    say("\nwhat comes next")?;
    say(&format!("  {start:<50} start it"))?;
    say(&format!(
        "  {:<50} send it points: carbon lines, also by a relay",
        "echo \"a.b 42 $(date +%s)\" | nc -q0 127.0.0.1 2023"
    ))?;
    if draft.has("email.server") {
        say(&format!(
            "  {:<50} a test notice: does it arrive?",
            "skywatch alert-test default"
        ))?;
    }
    say(&format!("  {:<50} is it working?", "skywatch status"))?;
    say(&format!("  {:<50} the pages", "http://127.0.0.1:1500"))
}
