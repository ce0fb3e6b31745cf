//! The configuration file of the original's server, as its own tool writes it. Keys are read in any case, and those that
//! nobody knows are passed over, as Go does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use skywatch_algorithms::verdicts::SECOND;

use super::terminal::ToolError;
use crate::health::dial::DialOptions;
use crate::health::journal::Retention;
use crate::health::plane::{Holding, Options};
use crate::health::server::{Collection, ServerOptions};

/// The file the original keeps what it knows in.
pub(super) const FILE: &str = "deephealth.db";
/// The collector's period and age where the file says 0 or less, in seconds: the original's.
const PERIOD: u64 = 180;
const AGE: u64 = 300;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Config {
    pub(super) addr: String,
    pub(super) id: String,
    pub(super) subjects: Option<Vec<String>>,
    pub(super) peers: BTreeMap<String, String>,
    pub(super) filter_submission: bool,
    pub(super) log_level: String,
    pub(super) dump_mem_usage: bool,
    #[serde(rename = "DBFile")]
    pub(super) db_file: String,
    #[serde(rename = "GCConfig")]
    pub(super) gc: Gc,
    #[serde(rename = "BufConfig")]
    pub(super) buf: Buf,
}

/// The collector of old observations, times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Gc {
    pub(super) enable: bool,
    pub(super) frequency: i64,
    pub(super) threshold: i64,
    pub(super) relative: bool,
}

/// What is held of what nobody watches.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Buf {
    pub(super) hold_time: i64,
    pub(super) hold_list_len: i64,
}

/// One object of the file, its keys in lower case.
struct ConfigFields(Map<String, Value>);

impl ConfigFields {
    fn new(value: Value) -> Result<Self, ToolError> {
        match value {
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(key, value)| (key.to_lowercase(), value));
                Ok(Self(fields.collect()))
            }
            Value::Null => Ok(Self(Map::new())),
            _ => Err(ToolError::Usage(
                "an object is expected in the configuration".to_owned(),
            )),
        }
    }

    /// A field of some type; `null` and a missing one are its default, as in Go.
    fn get<T: serde::de::DeserializeOwned + Default>(&mut self, key: &str) -> Result<T, ToolError> {
        match self.0.remove(key) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(value) => serde_json::from_value(value)
                .map_err(|error| ToolError::Usage(format!("`{key}` in the configuration: {error}"))),
        }
    }
}

impl Config {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> Result<Self, ToolError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| ToolError::Usage(format!("the configuration is no JSON: {error}")))?;
        let mut fields = ConfigFields::new(value)?;
        let mut gc = ConfigFields::new(fields.get("gcconfig")?)?;
        let mut buf = ConfigFields::new(fields.get("bufconfig")?)?;
        Ok(Self {
            addr: fields.get("addr")?,
            id: fields.get("id")?,
            subjects: fields.get("subjects")?,
            peers: fields.get("peers")?,
            filter_submission: fields.get("filtersubmission")?,
            log_level: fields.get("loglevel")?,
            dump_mem_usage: fields.get("dumpmemusage")?,
            db_file: fields.get("dbfile")?,
            gc: Gc {
                enable: gc.get("enable")?,
                frequency: gc.get("frequency")?,
                threshold: gc.get("threshold")?,
                relative: gc.get("relative")?,
            },
            buf: Buf {
                hold_time: buf.get("holdtime")?,
                hold_list_len: buf.get("holdlistlen")?,
            },
        })
    }

    /// Its text: four blanks a level, as the original writes it.
    pub(super) fn text(&self) -> Result<String, ToolError> {
        let mut text = Vec::new();
        let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut writer = serde_json::Serializer::with_formatter(&mut text, format);
        self.serialize(&mut writer).map_err(ToolError::failed)?;
        String::from_utf8(text).map_err(ToolError::failed)
    }

    /// Its own address, and whether all fits together.
    pub(super) fn address(&self) -> Result<&str, ToolError> {
        let own = self.peers.get(&self.id);
        let own = own.ok_or_else(|| ToolError::Usage("Id is not present in peers".to_owned()))?;
        if !self.addr.is_empty() && self.addr != *own {
            return Err(ToolError::Usage(
                "Addr is not the same as the one in peers".to_owned(),
            ));
        }
        Ok(own)
    }

    /// The server it asks for, at `address`.
    pub(super) fn options(&self, address: &str) -> ServerOptions {
        let seconds = |given: i64, default: u64| match u64::try_from(given) {
            Ok(given) if given > 0 => Duration::from_secs(given),
            _ => Duration::from_secs(default),
        };
        let holding = if self.buf.hold_time > 0 {
            Holding {
                time: self.buf.hold_time.saturating_mul(SECOND),
                each: usize::try_from(self.buf.hold_list_len).unwrap_or(0),
                ..Holding::default()
            }
        } else {
            Holding::default()
        };
        let file = if self.db_file.is_empty() {
            FILE
        } else {
            &self.db_file
        };
        ServerOptions {
            id: self.id.clone(),
            address: address.to_owned(),
            peers: self.peers.clone(),
            dial: DialOptions::default(),
            subjects: self.subjects.clone().unwrap_or_default(),
            file: Some(PathBuf::from(file)),
            retention: Retention::default(),
            collection: self.gc.enable.then(|| Collection {
                period: seconds(self.gc.frequency, PERIOD),
                age: seconds(self.gc.threshold, AGE),
                relative: self.gc.relative,
            }),
            plane: Options {
                filter: self.filter_submission,
                holding,
                ..Options::default()
            },
        }
    }
}
