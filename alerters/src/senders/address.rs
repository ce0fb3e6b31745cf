//! Where a sender goes: checked when the settings are read, and never shown in full.

use std::fmt;

use ureq::http::Uri;

use crate::error::Error;

/// Where to, checked. Errors and `Debug` show host and port only: a path can be a secret.
#[derive(Clone)]
pub(super) struct Address {
    uri: Uri,
    place: String,
}

impl Address {
    /// `http://` or `https://`, a host, and whatever follows it, without user, password and `#`.
    ///
    /// # Errors
    /// [`Error::Options`], which does not show the address.
    pub(super) fn new(sender: &'static str, url: &str) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Options {
            sender,
            reason: reason.into(),
        };
        let not_of_the_form = "the address is not of the form `https://host` or `http://host:port/path`";
        let uri: Uri = url.parse().map_err(|_| refused(not_of_the_form))?;
        let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refused(not_of_the_form));
        };
        if authority.host().is_empty() || url.contains('#') {
            return Err(refused(not_of_the_form));
        }
        if authority.as_str().contains('@') {
            return Err(refused(
                "the address holds a user or a password, which have settings of their own",
            ));
        }
        let place = authority.to_string();
        Ok(Self { uri, place })
    }

    /// The address of `path`, which begins with a slash, below this one.
    ///
    /// # Errors
    /// As [`Address::new`].
    pub(super) fn join(&self, sender: &'static str, path: &str) -> Result<Self, Error> {
        let base = self.uri.to_string();
        if self.uri.query().is_some() {
            return Err(Error::Options {
                sender,
                reason: "the address holds a `?`".into(),
            });
        }
        Self::new(sender, &format!("{}{path}", base.trim_end_matches('/')))
    }

    /// The whole, for the client.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Path and query, as they are sent.
    pub(super) fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// Whether this lies at the same server as `home`, or at a subdomain of it, and is as well protected.
    pub(super) fn belongs_to(&self, home: &Self) -> bool {
        let (host, home_host) = (
            self.uri.host().unwrap_or_default(),
            home.uri.host().unwrap_or_default(),
        );
        let subdomain = host
            .strip_suffix(home_host)
            .is_some_and(|sub| sub.ends_with('.') && self.uri.port().is_none());
        self.uri.scheme() == home.uri.scheme() && (self.place == home.place || subdomain)
    }

    /// Host and port, for errors.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}
