//! What becomes of each key of `config.ini`.

use std::path::Path;

use super::AioutliersError;
use super::ini::Ini;
use crate::imported::{ImportOutcome, ImportedSettings, SettingsDraft, quoted};

/// What becomes of a key.
enum IniRule {
    /// The same text is this setting.
    Text(&'static str),
    /// The same number is this setting.
    Number(&'static str),
    /// It becomes a part of this setting, together with others.
    Part(&'static str),
    /// A secret: it is to be written into this file, which this setting names.
    Secret(&'static str, &'static str),
    /// Nothing, and why.
    Left(&'static str),
}
use IniRule::{Left, Number, Part, Secret, Text};

const NO_TEST_SERVER: &str = "there is no second server for development";

/// Every key there is, in the order of the original's file.
#[rustfmt::skip] // A table, a key a line.
const KEYS: &[(&str, &str, IniRule)] = &[
    ("OutliersServerProduction", "outliers_binding_address", Part("outliers.listen")),
    ("OutliersServerProduction", "outliers_server_port", Part("outliers.listen")),
    ("OutliersServerProduction", "outliers_server_workers", Left("as many requests are judged at the same time as there are cores")),
    ("OutliersServerProduction", "outliers_server_threads", Left("`outliers.max_connections` and `druid.concurrency` bound what is under way")),
    ("OutliersServerTesting", "outliers_binding_address", Left(NO_TEST_SERVER)),
    ("OutliersServerTesting", "outliers_server_port", Left(NO_TEST_SERVER)),
    ("Outliers", "metric", Text("outliers.metric")),
    ("Outliers", "schedule_hour", Text("sensors.schedule")),
    ("Outliers", "epochs", Number("training.epochs")),
    ("Outliers", "batch_size", Number("training.batch")),
    ("Outliers", "backup_path", Left("former versions stay where models are; `skywatch models rollback` brings one back")),
    ("Outliers", "model_names", Part("sensors.names")),
    ("Outliers", "target_sensors", Part("sensors.names")),
    ("ShallowOutliers", "sensitivity", Number("outliers.sensitivity")),
    ("ShallowOutliers", "contamination", Number("outliers.contamination")),
    ("Druid", "druid_endpoint", Text("druid.url")),
    ("Logger", "log_file", Left("the log goes to standard error, where systemd keeps it")),
    ("NTP", "ntp_server", Left("the machine's own clock is asked")),
    ("AWS", "s3_hostname", Part("models.endpoint")),
    ("AWS", "s3_public_key", Text("models.access_key")),
    ("AWS", "s3_private_key", Secret("models.secret_key_file", "/etc/skywatch/s3-key")),
    ("AWS", "s3_region", Text("models.region")),
    ("AWS", "s3_bucket", Part("models.place")),
    ("Redis", "rd_hostname", Part("store.url")),
    ("Redis", "rd_port", Part("store.url")),
    ("Redis", "rd_secret", Secret("store.password_file", "/etc/skywatch/redis-password")),
];

/// Where the token of a service that other machines reach is to be put.
const TOKEN_FILE: &str = "/etc/skywatch/outliers-token";

/// Says in settings what `config.ini` says. A key that is not known is a note and no error.
///
/// # Errors
/// A file that cannot be read or is no INI file.
pub fn import(path: &Path) -> Result<ImportedSettings, AioutliersError> {
    let ini = Ini::read(path)?;
    let mut draft = SettingsDraft::default();
    parts(&ini, &mut draft);
    for (section, key) in ini.keys() {
        let known = KEYS.iter().find(|(own, name, _)| *own == section && *name == key);
        let value = ini.get(section, key);
        let outcome = match (known, value) {
            (None, _) => ImportOutcome::Left("rb-aioutliers does not know this key".to_owned()),
            (Some((_, _, Left(why))), _) => ImportOutcome::Left((*why).to_owned()),
            (_, None) => ImportOutcome::Left("it is empty".to_owned()),
            (Some((_, _, Text(setting))), Some(value)) => {
                draft.set(setting, quoted(value));
                ImportOutcome::Carried((*setting).to_owned())
            }
            (Some((_, _, Number(setting))), Some(value)) => match value.parse::<f64>() {
                Ok(number) if number.is_finite() => {
                    draft.set(setting, value.to_owned());
                    ImportOutcome::Carried((*setting).to_owned())
                }
                _ => ImportOutcome::Left(format!("`{value}` is no number")),
            },
            (Some((_, _, Part(setting))), Some(_)) if draft.has(setting) => {
                ImportOutcome::Carried((*setting).to_owned())
            }
            (Some((_, _, Part(setting))), Some(value)) => {
                ImportOutcome::Left(format!("`{setting}` cannot be made of `{value}`"))
            }
            (Some((_, _, Secret(setting, file))), Some(_)) => {
                draft.set(setting, quoted(file));
                ImportOutcome::ToDo(format!(
                    "write it into `{file}`, which nobody else may read; it is not repeated here"
                ))
            }
        };
        draft.note(&format!("{section}.{key}"), outcome);
    }
    Ok(draft.finish("import-aioutliers"))
}

/// Settings that are made of several keys, and those without which clients would see another service.
fn parts(ini: &Ini, draft: &mut SettingsDraft) {
    draft.set("outliers.enabled", "true".to_owned());
    draft.set("outliers.detector", quoted("forest"));
    draft.set("outliers.always_200", "true".to_owned());
    draft.set("outliers.ips_as_text", "true".to_owned());
    draft.note(
        "(answers)",
        ImportOutcome::ToDo(
            "errors have the status 200 and addresses come as a text, as before: remove `outliers.always_200` and \
             `outliers.ips_as_text` once clients can do without"
                .to_owned(),
        ),
    );
    let production = |key| ini.get("OutliersServerProduction", key);
    if let Some(address) = production("outliers_binding_address") {
        let port = production("outliers_server_port").unwrap_or("39091");
        let listen = format!("{address}:{port}");
        if let Ok(listen) = listen.parse::<std::net::SocketAddr>() {
            draft.set("outliers.listen", quoted(&listen.to_string()));
            if !listen.ip().is_loopback() {
                draft.set("outliers.token_file", quoted(TOKEN_FILE));
                draft.note(
                    "(token)",
                    ImportOutcome::ToDo(format!(
                        "other machines need a token now: write one into `{TOKEN_FILE}` and have clients send `Authorization: Bearer \
                         TOKEN`, or replace `outliers.token_file` by `outliers.insecure_listen = true`"
                    )),
                );
            }
        }
    }
    let names = |key| {
        let all = ini
            .get("Outliers", key)
            .unwrap_or_default()
            .split([',', ' ', '\n']);
        all.map(str::trim).filter(|name| !name.is_empty()).map(quoted)
    };
    let sensors: Vec<String> = names("target_sensors").chain(names("model_names")).collect();
    if !sensors.is_empty() {
        draft.set("sensors.names", format!("[{}]", sensors.join(", ")));
        draft.set("training.enabled", "true".to_owned());
        draft.note(
            "(sensors)",
            ImportOutcome::ToDo(
                "a model is named for the sensor its queries filter by: where `<model>_filter.json` names another one, name that in \
                 `sensors.names`"
                    .to_owned(),
            ),
        );
    }
    if let Some(bucket) = ini.get("AWS", "s3_bucket") {
        draft.set("models.place", quoted(&format!("s3://{bucket}/skywatch")));
    }
    if let Some(host) = ini.get("AWS", "s3_hostname") {
        let scheme = if host.contains("://") { "" } else { "https://" };
        draft.set("models.endpoint", quoted(&format!("{scheme}{host}")));
    }
    if let Some(host) = ini.get("Redis", "rd_hostname") {
        let port = ini.get("Redis", "rd_port").unwrap_or("16379");
        draft.set("store.url", quoted(&format!("redis://{host}:{port}")));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use skywatch_settings::{ShallowDetector, Sources, load};

    use super::*;

    /// As the original has it, with an own key more.
    const CONFIGURATION: &str = "\
[OutliersServerProduction]
outliers_binding_address=0.0.0.0
outliers_server_port=39091
outliers_server_workers=4
outliers_server_threads=20
[OutliersServerTesting]
outliers_binding_address=0.0.0.0
outliers_server_port=39091
[Outliers]
metric=bytes
schedule_hour=0 * * * *
epochs=20
batch_size=32
backup_path=./backups/
model_names=traffic, edge
#target_sensors=FlowSensor
[ShallowOutliers]
sensitivity=0.95
contamination=0.01
[Druid]
druid_endpoint=http://broker:8082/druid/v2/
[Logger]
log_file=./outliers.log
[NTP]
ntp_server=hora.roa.es
[AWS]
s3_hostname=http://s3.service:9000
s3_public_key=AKIA
s3_private_key=hunter2
s3_region=es
s3_bucket=bucket
[Redis]
rd_hostname=localhost
rd_port=16379
rd_secret=hunter2
rd_odd=1
";

    #[test]
    fn every_key_is_carried_over_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.ini");
        std::fs::write(&path, CONFIGURATION).unwrap();
        let imported = import(&path).unwrap();
        assert!(!imported.settings.contains("hunter2"));
        // Each of the 26 keys that are in the table, the odd one, and three that are about no key.
        assert_eq!(imported.notes.len(), 25 + 1 + 3, "{:#?}", imported.notes);
        let odd = imported
            .notes
            .iter()
            .find(|note| note.key == "Redis.rd_odd")
            .unwrap();
        assert!(matches!(odd.outcome, ImportOutcome::Left(_)), "{odd:?}");
        // What comes out can be loaded, once the secrets are where they should be.
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "hunter2").unwrap();
        let place = secret.display().to_string();
        let mut settings = imported.settings.clone();
        for file in ["/etc/skywatch/s3-key", "/etc/skywatch/redis-password", TOKEN_FILE] {
            settings = settings.replace(file, &place);
        }
        let file: PathBuf = folder.path().join("skywatch.toml");
        std::fs::write(&file, &settings).unwrap();
        let sources = Sources {
            file: Some(file),
            env: vec![("HOME".to_owned(), "/root".to_owned())],
            ..Sources::default()
        };
        let loaded = load(sources)
            .unwrap_or_else(|error| panic!("{error}\n{settings}"))
            .settings;
        assert_eq!(loaded.outliers.listen.to_string(), "0.0.0.0:39091");
        assert_eq!(loaded.outliers.detector, ShallowDetector::Forest);
        assert_eq!(loaded.sensors.names, ["traffic", "edge"]);
        assert_eq!((loaded.training.epochs, loaded.training.batch), (20, 32));
        assert_eq!(loaded.druid.url.unwrap().as_str(), "http://broker:8082/druid/v2");
        assert_eq!(loaded.models.place.as_deref(), Some("s3://bucket/skywatch"));
    }
}
