//! What every answer to a browser carries, and under which names it may be asked for.
//!
//! A page on the web can have its own name lead to 127.0.0.1 (DNS rebinding); its scripts then read our pages as their own.
//! So a name is taken only if it is known to be ours. An IP address is always: a script that was loaded from it is ours.
//! A request without a `Host` comes from no browser.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::problem::refusal;

/// Where an answer does not set its own: no guessing of types, no framing, no referrer, no cache.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::CACHE_CONTROL, "no-store"),
];

/// The names under which we may be asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    /// In lower case, without ports.
    names: Vec<String>,
    /// Whether any will do.
    any: bool,
}

impl Hosts {
    /// Those that are set, and the host of our public address.
    pub(crate) fn new(names: &[String], base_url: &str) -> Self {
        let base = base_url.split_once("://").map_or("", |(_, rest)| rest);
        let base = base.split(['/', '?', '#']).next().unwrap_or_default();
        let names = names.iter().map(String::as_str).chain([base]);
        let names: Vec<String> = names.map(|name| name_of(name).to_ascii_lowercase()).collect();
        Self {
            any: names.iter().any(|name| name == "*"),
            names: names.into_iter().filter(|name| !name.is_empty()).collect(),
        }
    }

    /// Whether a request that asks for `host`, as it stands in the header, is meant for us.
    pub(crate) fn takes(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        self.any
            || name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<std::net::IpAddr>().is_ok()
            || self.names.iter().any(|known| known == name)
    }
}

/// The host without its port, an IPv6 address without brackets.
fn name_of(host: &str) -> &str {
    if let Some(v6) = host.strip_prefix('[') {
        return v6.split(']').next().unwrap_or_default();
    }
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

/// Lets only requests through to `router` that are meant for one of `hosts`, if there are any, and adds to each answer what
/// browsers are to know.
pub(crate) fn for_browsers(hosts: Option<Hosts>, router: Router) -> Router {
    router.layer(axum::middleware::from_fn_with_state(hosts, check))
}

async fn check(State(hosts): State<Option<Hosts>>, request: Request, next: Next) -> Response {
    let host = text_of(request.headers(), &header::HOST).map(str::to_owned);
    let mut answer = match (hosts, host) {
        (Some(hosts), Some(host)) if !hosts.takes(&host) => {
            let shown = skywatch_alerters::text::shorten(&host, 100).into_owned();
            tracing::warn!("web :: request for the host {shown:?} refused :: `web.hosts` does not name it");
            let why = format!(
                "the name {shown:?} is not known here\nhint: `web.hosts` in the settings names more\n"
            );
            (StatusCode::MISDIRECTED_REQUEST, why).into_response()
        }
        _ => next.run(request).await,
    };
    for (name, value) in HEADERS {
        answer
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// Lets no request through that a browser sends for a page of somebody else (cross-site request forgery): browsers say where a
/// request comes from (Fetch Metadata), older ones at least the origin. Programs say neither.
pub(crate) async fn only_of_ours(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()) {
        let why = "a page of another site asked for this change: it was not made\n";
        return refusal(request.uri().path(), StatusCode::FORBIDDEN, why);
    }
    next.run(request).await
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers
        .get("sec-fetch-site")
        .map(|site| site.to_str().unwrap_or("?"));
    if let Some(site) = site {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text_of(headers, &header::ORIGIN) else {
        return false;
    };
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    text_of(headers, &header::HOST) != Some(host)
}

/// Whether a browser sends this for a page of somebody else: programs say nothing of an origin.
pub(crate) fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

fn text_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    // What is no text is no name of ours.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_made_for_our_pages_and_for_programs_only() {
        let foreign = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter();
            let headers =
                headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_foreign(&headers.collect())
        };
        let host = ("host", "sky:1500");
        assert!(!foreign(&[host]), "a program");
        assert!(!foreign(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[host, ("sec-fetch-site", "none")]), "typed by a person");
        assert!(!foreign(&[host, ("origin", "https://sky:1500")]));
        for other in ["cross-site", "same-site", "?"] {
            assert!(foreign(&[host, ("sec-fetch-site", other)]), "{other}");
        }
        for other in ["https://evil.example", "null", "https://sky", ""] {
            assert!(foreign(&[host, ("origin", other)]), "{other}");
        }
    }

    #[test]
    fn names_of_ours_are_taken_and_no_others() {
        let hosts = Hosts::new(
            &["Sky.example.org".to_owned(), "other:99".to_owned()],
            "https://pages.example.org:8443/sky",
        );
        for host in [
            "127.0.0.1:1500",
            "localhost",
            "LOCALHOST:1500",
            "a.localhost",
            "[::1]:1500",
            "10.1.2.3",
            "sky.example.org",
            "sky.example.org.:80",
            "other",
            "pages.example.org",
        ] {
            assert!(hosts.takes(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "example.org",
            "[evil]",
            "*",
        ] {
            assert!(!hosts.takes(host), "{host}");
        }
        assert!(Hosts::new(&["*".to_owned()], "").takes("evil.example"));
    }
}
