//! All sections together.

use std::path::PathBuf;

use crate::adaptive::Adaptive;
use crate::alerts::Alerts;
use crate::analyzer::Analyzer;
use crate::causes::Causes;
use crate::check::Check;
use crate::cluster::Cluster;
use crate::consul::Consul;
use crate::druid::Druid;
use crate::email::Email;
use crate::entities::Entities;
use crate::events::Events;
use crate::graphite::Graphite;
use crate::health::Health;
use crate::ingest::Ingest;
use crate::jobs::Jobs;
use crate::log::Log;
use crate::logs::Logs;
use crate::models::Models;
use crate::origin::Origin;
use crate::outliers::Outliers;
use crate::process::Process;
use crate::receivers::ReceiverTable;
use crate::routes::ResolvedRoute;
use crate::routing::Routing;
use crate::section::{OptionFields, OptionTable as _, Section as _};
use crate::sensors::Sensors;
use crate::store::Store;
use crate::templates::LineTemplates;
use crate::traces::Traces;
use crate::training::Training;
use crate::web::Web;

/// Declares [`Settings`] from the list of sections, by the names they have in the file and in its order.
macro_rules! sections {
    ($( $(#[$doc:meta])* $name:ident: $section:ty, )+) => {
        /// Every option of Skywatch, typed and checked. `Settings::default()` is what runs with no settings at all, except
        /// that [`load`](crate::load) replaces the `~` in paths.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Settings {
            /// The folder for everything Skywatch keeps on this machine: history, models, the embedded store.
            pub state_dir: PathBuf,
            $( $(#[$doc])* pub $name: $section, )+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    state_dir: PathBuf::from("~/.local/state/skywatch"),
                    $( $name: <$section>::default(), )+
                }
            }
        }

        impl Settings {
            /// Every option under its dotted key, in the order of the example file.
            pub(crate) fn fields(&mut self) -> OptionFields<'_> {
                let mut fields: OptionFields<'_> = vec![("state_dir".to_owned(), &mut self.state_dir)];
                $( fields.extend(self.$name.fields_under(stringify!($name))); )+
                fields
            }

            /// Checks every section by itself.
            fn check_sections(&self, check: &mut Check<'_>) {
                $( check.table(stringify!($name), &Origin::Default, |check| {
                    self.$name.check_limits(check);
                    self.$name.check(check);
                }); )+
            }
        }
    };
}

sections! {
    /// Where points are kept.
    store: Store,
    /// How points come in.
    ingest: Ingest,
    /// How series are judged.
    analyzer: Analyzer,
    /// What the adaptive profile calls anomalous.
    adaptive: Adaptive,
    /// How several nodes on one Redis share the metrics.
    cluster: Cluster,
    /// Where Skywatch's own metrics go.
    graphite: Graphite,
    /// What becomes of an anomaly.
    alerts: Alerts,
    /// The mail server, and how to write through it.
    email: Email,
    /// The tables of receivers and routes as written; see [`Settings::receivers`] and [`Settings::routes`].
    routing: Routing,
    /// Where fitted models lie.
    models: Models,
    /// How jobs are handed out.
    jobs: Jobs,
    /// How the learned detectors are fitted.
    training: Training,
    /// The health plane: what observers report about subjects, and the verdicts.
    health: Health,
    /// How templates are found in lines of text.
    templates: LineTemplates,
    /// Log files that are followed.
    logs: Logs,
    /// What is looked for when an incident opens.
    causes: Causes,
    /// Traces: spans come in, are put together, judged, and some are kept.
    traces: Traces,
    /// Entities: machines, pods, applications, each judged over all of its metrics at once.
    entities: Entities,
    /// The outlier service: which points of a Druid timeseries are outliers, asked over HTTP.
    outliers: Outliers,
    /// The Druid broker that the outlier service and its trainings ask.
    druid: Druid,
    /// Sensors whose models are fitted to what Druid knows of them.
    sensors: Sensors,
    /// Consul, in which a node that serves outliers registers itself.
    consul: Consul,
    /// Events for other programs.
    events: Events,
    /// The pages and the REST interface.
    web: Web,
    /// The parent and its children.
    process: Process,
    /// The program's own log.
    log: Log,
}

impl Settings {
    /// Everybody who can be told: `[receivers]`, or without any the one named `email` that `[email]` stands for when it
    /// names a server and somebody to tell. Receivers of mail have from `[email]` what they leave open.
    pub fn receivers(&self) -> Vec<ReceiverTable> {
        self.routing.resolve_receivers(&self.email)
    }

    /// Who is told of what: `[[routes]]` with all that a route has from those above it and from `[alerts]`, or without
    /// any the one named `default` that leads to every receiver. Never empty.
    pub fn routes(&self) -> Vec<ResolvedRoute> {
        self.routing.resolve_routes(&self.alerts, &self.email)
    }

    /// What is allowed, but hardly meant; each a text for people with a `hint:` line.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.routing.notes(&self.alerts, &self.email)
    }

    /// Limits, and options that must agree.
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        self.check_sections(check);
        self.store.check_with(&self.analyzer, check);
        self.routing.check_with(&self.email, check);
    }
}
