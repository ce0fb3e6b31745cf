//! The kinds of sources there are, as they are named on the command line.
//!
//! A source brings its arguments along, so that a new one is a file and a line of [`KINDS`]. Arguments of a source that was not
//! chosen are refused, as are common ones that mean nothing to the one that was.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgGroup, ArgMatches, Args, Command, Error, FromArgMatches};
use skywatch_settings::Secret;

use super::arguments::{CommonArguments, SourceArguments};
use super::csv::CsvArguments;
use super::graphite::GraphiteArguments;
use super::influx::InfluxArguments;
use super::prometheus::PrometheusArguments;
use super::redis::RedisArguments;
use super::{Source, SourceError, Span};
use crate::store::redis::RedisConnect;

/// All kinds.
pub static KINDS: [SourceKind; 5] = [
    SourceKind::of::<GraphiteArguments>(),
    SourceKind::of::<PrometheusArguments>(),
    SourceKind::of::<InfluxArguments>(),
    SourceKind::of::<CsvArguments>(),
    SourceKind::of::<RedisArguments>(),
];

/// The common ones as they are typed.
#[derive(Debug, Clone, Args)]
struct CommonFlags {
    /// The name of the metric in a file without names, or of what Prometheus gives without one
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// A file with a token that a server asks for (`Authorization: Bearer …`)
    #[arg(long, value_name = "FILE")]
    bearer_token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the public ones
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// A source, or why the arguments describe none.
type OpenedSource = Result<Box<dyn Source>, SourceError>;

/// A kind without its type.
#[derive(Debug)]
pub struct SourceKind {
    flag: &'static str,
    common: &'static [&'static str],
    /// Whether it is read to its end, whatever span is asked for.
    pub reads_all: bool,
    arguments: fn(Command) -> Command,
    open: fn(&ArgMatches, CommonArguments) -> OpenedSource,
}

impl SourceKind {
    const fn of<A: SourceArguments>() -> Self {
        Self {
            flag: A::FLAG,
            common: A::COMMON,
            reads_all: A::READS_ALL,
            arguments: A::augment_args,
            open: |matches, common| {
                let arguments = A::from_arg_matches(matches);
                let arguments = arguments.map_err(|error| SourceError::Options {
                    reason: error.to_string(),
                })?;
                arguments.open(common)
            },
        }
    }
}

/// The source that a command line chooses.
#[derive(Debug, Clone)]
pub struct ChosenSource {
    /// Its kind.
    pub kind: &'static SourceKind,
    matches: ArgMatches,
    common: CommonFlags,
}

impl ChosenSource {
    /// The source; connects to nothing.
    ///
    /// # Errors
    /// [`SourceError::Options`] for arguments that describe none, [`SourceError::File`] for a token that cannot be read.
    pub fn open(
        self,
        span: Span,
        store: Option<(RedisConnect, String)>,
    ) -> Result<Box<dyn Source>, SourceError> {
        let token = self.common.bearer_token_file.map(|path| {
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|source| SourceError::File {
                path: path.display().to_string(),
                source,
            })?;
            Ok::<_, SourceError>(Secret::new(text.trim()))
        });
        let common = CommonArguments {
            span,
            metric: self.common.metric,
            bearer_token: token.transpose()?,
            ca_file: self.common.ca_file,
            store,
        };
        (self.kind.open)(&self.matches, common)
    }
}

impl Args for ChosenSource {
    fn augment_args(command: Command) -> Command {
        let command = KINDS
            .iter()
            .fold(command, |command, kind| (kind.arguments)(command));
        let flags = KINDS.iter().map(|kind| kind.flag);
        CommonFlags::augment_args(command).group(ArgGroup::new("source").required(true).args(flags))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ChosenSource {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let refused = |id: &str, flag: &str| {
            let typed = id.replace('_', "-");
            let what = format!("`--{typed}` means nothing to `--{flag}`\n");
            Error::raw(ErrorKind::ArgumentConflict, what)
        };
        let Some(kind) = KINDS.iter().find(|kind| is_typed(kind.flag)) else {
            return Err(Error::raw(
                ErrorKind::MissingRequiredArgument,
                "no source is named\n",
            ));
        };
        for other in KINDS.iter().filter(|other| other.flag != kind.flag) {
            let own = (other.arguments)(Command::new("source"));
            if let Some(typed) = own.get_arguments().find(|own| is_typed(own.get_id().as_str())) {
                return Err(refused(typed.get_long().unwrap_or_default(), kind.flag));
            }
        }
        let common = CommonFlags::augment_args(Command::new("source"));
        let common = common.get_arguments().map(|own| own.get_id().as_str());
        for id in common.filter(|id| is_typed(id)) {
            if !kind.common.contains(&id) {
                return Err(refused(id, kind.flag));
            }
        }
        Ok(Self {
            kind,
            matches: matches.clone(),
            common: CommonFlags::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
