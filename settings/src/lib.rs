//! Every option of Skywatch: its type, its default, its check and where its value came from.
//!
//! Four layers are laid over each other, the later one winning: the defaults, one TOML file, environment variables
//! (`SKYWATCH__SECTION__KEY`), command-line flags. [`load`] reads them all, refuses what it does not know, and reports
//! every problem at once, so that nobody mends a file one error at a time.
//!
//! An option is one line in its section's file (`store.rs`, `analyzer.rs`, …) and one in `skywatch.toml`; the text
//! readers, the table of `skywatch settings`, limits and the spelling hints follow from it. That is what the `options!`
//! macro is for, and why this crate does not derive `serde::Deserialize`: serde stops at the first error and forgets
//! lines. The sections are listed in `settings.rs`, the types of receivers in `receivers/mod.rs`.
//! Receivers and routes, of which there may be many, are found in the file first (`tables.rs`); from then on their
//! options are options like any other.
//!
//! The crate reads no globals: the caller passes the environment in. The only files it opens are the settings file and
//! the files that `*_file` options name, and the system's time zones.

#[macro_use]
mod section;

mod adaptive;
mod address;
mod alerts;
mod analyzer;
mod causes;
mod check;
mod choice;
mod cluster;
mod consul;
mod cron;
mod direction;
mod druid;
mod duration;
mod email;
mod entities;
mod error;
mod events;
mod field;
mod file;
mod graphite;
mod health;
mod http_url;
mod ingest;
mod jobs;
mod load;
mod log;
mod logs;
mod mail_address;
mod models;
mod nearest;
mod origin;
mod outliers;
mod pattern;
mod process;
mod raw;
mod read;
mod receivers;
mod routes;
mod routing;
mod secret;
mod sensors;
mod settings;
mod sources;
mod store;
mod store_url;
mod tables;
mod tag_rule;
mod templates;
mod traces;
mod training;
mod web;
mod week;
mod written;

pub use adaptive::{Adaptive, Override};
pub use address::HostPort;
pub use alerts::Alerts;
pub use analyzer::{Analyzer, Flavour, Profile};
pub use causes::{Causes, SuspectRanking, TopologySource};
pub use cluster::Cluster;
pub use consul::Consul;
pub use cron::Cron;
pub use direction::{AlertDirection, MinSeverity};
pub use druid::Druid;
pub use duration::{parse as parse_duration, show as show_duration};
pub use email::{Email, EmailSecurity};
pub use entities::{Aggregation, Entities, EntityMetric, EntityMetricForm};
pub use error::{Problem, SettingsError};
pub use events::{DescriptionLanguage, EventForm, Events, KafkaSasl};
pub use graphite::Graphite;
pub use health::Health;
pub use http_url::{BaseUrl, HttpUrl, SecretUrl};
pub use ingest::{Ingest, TrimMode};
pub use jobs::Jobs;
pub use load::{Loaded, SettingRow, load};
pub use log::{Log, LogFormat, LogLevel};
pub use logs::{FollowedFile, Logs};
pub use mail_address::MailAddress;
pub use models::Models;
pub use origin::Origin;
pub use outliers::{Outliers, ShallowDetector};
pub use pattern::Pattern;
pub use process::Process;
pub use receivers::{
    AlertLabel, AlertmanagerReceiver, EmailReceiver, Header, NtfyReceiver, PagerDutyReceiver, ReceiverKind,
    ReceiverLimits, ReceiverTable, ReceiverType, SlackReceiver, SyslogFacility, SyslogReceiver, SyslogTarget,
    WebhookReceiver,
};
pub use routes::ResolvedRoute;
pub use routing::Routing;
pub use secret::Secret;
pub use sensors::Sensors;
pub use settings::Settings;
pub use sources::Sources;
pub use store::Store;
pub use store_url::{RedisTransport, RedisUrl, StoreUrl};
pub use tag_rule::TagRule;
pub use templates::{LineGrouping, LineTemplates};
pub use traces::Traces;
pub use training::{LimitRule, Training};
pub use web::Web;
pub use week::{DayRange, HourSpan, TimeOfDay, Week, Zone};

/// The commented settings file that ships with Skywatch: every option with its default.
pub const EXAMPLE: &str = include_str!("../skywatch.toml");
