//! The pages as HTML, from templates compiled in, all with one look and one navigation.

use minijinja::{Environment, Value, context};
use skywatch_alerters::text::one_line;
use skywatch_alerters::units;

use crate::clock::unix_now;
use crate::status::AnalyzerStatus;

/// The page of models, which a program without learned detectors does not have.
const MODELS: &str = "/models";

/// What every page leads to: path and name. A page of a subsystem that people look for gets a line here.
pub(super) const NAVIGATION: [(&str, &str); 13] = [
    ("/", "Now"),
    ("/incidents", "Incidents"),
    ("/history", "History"),
    ("/entities", "Entities"),
    ("/traces", "Traces"),
    ("/find", "Find"),
    ("/try", "Try"),
    ("/silences", "Silences"),
    ("/health", "Health"),
    ("/detectors", "Detectors"),
    (MODELS, "Models"),
    ("/status", "Status"),
    ("/settings", "Settings"),
];

/// Name and text of every template.
const TEMPLATES: [(&str, &str); 22] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("now.html", include_str!("templates/now.html")),
    ("incidents.html", include_str!("templates/incidents.html")),
    ("incident.html", include_str!("templates/incident.html")),
    ("metric.html", include_str!("templates/metric.html")),
    ("find.html", include_str!("templates/find.html")),
    ("try.html", include_str!("templates/try.html")),
    ("history.html", include_str!("templates/history.html")),
    ("notices.html", include_str!("templates/notices.html")),
    ("detectors.html", include_str!("templates/detectors.html")),
    ("models.html", include_str!("templates/models.html")),
    ("model.html", include_str!("templates/model.html")),
    ("settings.html", include_str!("templates/settings.html")),
    ("silences.html", include_str!("templates/silences.html")),
    ("entities.html", include_str!("templates/entities.html")),
    ("entity.html", include_str!("templates/entity.html")),
    ("traces.html", include_str!("templates/traces.html")),
    ("trace.html", include_str!("templates/trace.html")),
    ("health.html", include_str!("templates/health.html")),
    ("status.html", include_str!("templates/status.html")),
    ("refused.html", include_str!("templates/refused.html")),
];

/// Writes a value as all are written, but for what a text may hold to look like another one: control characters, and
/// those that turn the direction of writing.
fn visible(
    out: &mut minijinja::Output<'_>,
    state: &mut minijinja::State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if let Some(text) = value.as_str().filter(|_| !value.is_safe()) {
        let lines: Vec<_> = text.split('\n').map(one_line).collect();
        if lines
            .iter()
            .any(|line| matches!(line, std::borrow::Cow::Owned(_)))
        {
            return minijinja::escape_formatter(out, state, &Value::from(lines.join("\n")));
        }
    }
    minijinja::escape_formatter(out, state, value)
}

/// A moment (Unix seconds) in UTC; our script turns it into the reader's zone and leaves UTC for the pointer that rests on it.
fn moment(at: f64) -> Value {
    let text = units::time(at);
    Value::from_safe_string(format!("<time data-at=\"{at:.0}\">{text}</time>"))
}

/// The same to the second, for what comes several times a minute.
fn second(at: f64) -> Value {
    let text = units::rfc3339(at).unwrap_or_default();
    Value::from_safe_string(format!("<time data-at=\"{at:.0}\" data-seconds>{text}</time>"))
}

/// The same of a moment that comes as a text (RFC 3339), as the health plane gives it; what is none is shown as it is.
fn instant(text: Value) -> Value {
    let parsed = text
        .as_str()
        .and_then(|text| text.parse::<jiff::Timestamp>().ok());
    parsed.map_or(text, |at| second(at.as_millisecond() as f64 / 1e3))
}

/// How long ago a moment (Unix seconds) was.
fn ago(at: f64) -> String {
    format!("{} ago", units::length((unix_now() - at).max(0.0)))
}

/// The compiled templates.
pub(super) struct Pages {
    environment: Environment<'static>,
}

impl Pages {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.set_formatter(visible);
        environment.add_filter("moment", moment);
        environment.add_filter("second", second);
        environment.add_filter("instant", instant);
        environment.add_filter("ago", ago);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        Ok(Self { environment })
    }

    /// A page from its template; `under` is the path of the navigation it belongs to. `status` says at the top of each page
    /// what keeps passes from being made, or from being about what they should be.
    pub(super) fn render(
        &self,
        template: &str,
        under: &str,
        status: &AnalyzerStatus,
        context: Value,
    ) -> Result<String, minijinja::Error> {
        let navigation: Vec<Value> = NAVIGATION
            .iter()
            .filter(|(path, _)| cfg!(feature = "learned") || *path != MODELS)
            .map(|&(path, name)| context! { path, name, here => path == under })
            .collect();
        let shared = context! {
            navigation,
            trouble => no_pass(status),
            troubles => troubles(status),
        };
        self.environment
            .get_template(template)?
            .render(context! { ..context, ..shared })
    }
}

/// Why no pass is made, if so.
pub(super) fn no_pass(status: &AnalyzerStatus) -> Option<&str> {
    status.trouble.as_deref().or(status.silent.as_deref())
}

/// What is wrong with what passes work on.
fn troubles(status: &AnalyzerStatus) -> Vec<String> {
    let pass = status.pass.iter();
    pass.flat_map(|pass| &pass.troubles)
        .map(|trouble| trouble.why.clone())
        .collect()
}
