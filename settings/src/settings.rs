//! All sections together.

use std::path::{Path, PathBuf};

use crate::adaptive::Adaptive;
use crate::alerts::Alerts;
use crate::analyzer::Analyzer;
use crate::check::Check;
use crate::email::Email;
use crate::graphite::Graphite;
use crate::ingest::Ingest;
use crate::jobs::Jobs;
use crate::log::Log;
use crate::models::Models;
use crate::process::Process;
use crate::receivers::{Receiver, ReceiverTable};
use crate::routes::Route;
use crate::routing::Routing;
use crate::secret::Secret;
use crate::section::Fields;
use crate::store::Store;
use crate::training::Training;
use crate::web::Web;

/// Every option of Skywatch, typed and checked. `Settings::default()` is what runs with no settings at all, except that
/// [`load`](crate::load) replaces the `~` in paths.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The folder for everything Skywatch keeps on this machine: history, models, the embedded store.
    pub state_dir: PathBuf,
    /// Where points are kept.
    pub store: Store,
    /// How points come in.
    pub ingest: Ingest,
    /// How series are judged.
    pub analyzer: Analyzer,
    /// What the adaptive profile calls anomalous.
    pub adaptive: Adaptive,
    /// Where Skywatch's own metrics go.
    pub graphite: Graphite,
    /// What becomes of an anomaly.
    pub alerts: Alerts,
    /// The mail server, and how to write through it.
    pub email: Email,
    /// The tables of receivers and routes as written; see [`Settings::receivers`] and [`Settings::routes`].
    pub routing: Routing,
    /// Where fitted models lie.
    pub models: Models,
    /// How jobs are handed out.
    pub jobs: Jobs,
    /// How the learned detectors are fitted.
    pub training: Training,
    /// The pages and the REST interface.
    pub web: Web,
    /// The parent and its children.
    pub process: Process,
    /// The program's own log.
    pub log: Log,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("~/.local/state/skywatch"),
            store: Store::default(),
            ingest: Ingest::default(),
            analyzer: Analyzer::default(),
            adaptive: Adaptive::default(),
            graphite: Graphite::default(),
            alerts: Alerts::default(),
            email: Email::default(),
            routing: Routing::default(),
            models: Models::default(),
            jobs: Jobs::default(),
            training: Training::default(),
            web: Web::default(),
            process: Process::default(),
            log: Log::default(),
        }
    }
}

impl Settings {
    /// Everybody who can be told: `[receivers]`, or without any the one named `email` that `[email]` stands for when it
    /// names a server and somebody to tell.
    pub fn receivers(&self) -> Vec<Receiver> {
        self.routing.resolve_receivers(&self.email)
    }

    /// Who is told of what: `[[routes]]` with all that a route has from those above it and from `[alerts]`, or without
    /// any the one named `default` that leads to every receiver. Never empty.
    pub fn routes(&self) -> Vec<Route> {
        self.routing.resolve_routes(&self.alerts, &self.email)
    }

    /// What is allowed, but hardly meant; each a text for people with a `hint:` line.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.routing.notes(&self.alerts, &self.email)
    }

    /// Every option under its dotted key, in the order of the example file.
    pub(crate) fn fields(&mut self) -> Fields<'_> {
        let mut fields: Fields<'_> = vec![("state_dir".to_owned(), &mut self.state_dir)];
        fields.extend(self.store.fields());
        fields.extend(self.ingest.fields());
        fields.extend(self.analyzer.fields());
        fields.extend(self.adaptive.fields());
        fields.extend(self.graphite.fields());
        fields.extend(self.alerts.fields());
        fields.extend(self.email.fields());
        fields.extend(self.routing.fields());
        fields.extend(self.models.fields());
        fields.extend(self.jobs.fields());
        fields.extend(self.training.fields());
        fields.extend(self.web.fields());
        fields.extend(self.process.fields());
        fields.extend(self.log.fields());
        fields
    }

    /// Every secret beside the file that may hold it.
    pub(crate) fn secrets(&mut self) -> Vec<SecretOption<'_>> {
        let mut secrets = vec![
            self.store.secret(),
            self.alerts.secret(),
            self.email.secret(),
            self.models.secret(),
        ];
        secrets.extend(self.routing.receivers.iter_mut().flat_map(ReceiverTable::secrets));
        secrets
    }

    /// Limits, and options that must agree.
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        self.store.check(&self.analyzer, check);
        self.ingest.check(check);
        self.analyzer.check(check);
        self.adaptive.check(check);
        self.graphite.check(check);
        self.alerts.check(check);
        self.email.check(&self.routing, check);
        self.routing.check(&self.alerts, &self.email, check);
        self.models.check(check);
        self.jobs.check(check);
        self.training.check(check);
        self.web.check(check);
        self.process.check(check);
    }
}

/// A secret and its `_file` sibling.
pub(crate) struct SecretOption<'s> {
    pub(crate) key: String,
    pub(crate) value: &'s mut Option<Secret>,
    pub(crate) file_key: String,
    pub(crate) file: &'s Option<PathBuf>,
}

impl<'s> SecretOption<'s> {
    /// The secret of that key, whose file is named by the key with `_file`.
    pub(crate) fn new(key: String, value: &'s mut Option<Secret>, file: &'s Option<PathBuf>) -> Self {
        Self {
            file_key: format!("{key}_file"),
            key,
            value,
            file,
        }
    }

    /// The secret in the file: all of it but the line end that editors leave.
    pub(crate) fn read(&self, path: &Path) -> Result<Secret, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err("the file is empty".to_owned()),
            secret if secret.contains('\n') => Err("the file holds more than one line".to_owned()),
            secret => Ok(Secret::new(secret)),
        }
    }
}
