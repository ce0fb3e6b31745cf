//! Where fitted models lie.

use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::secret::Secret;
use crate::section::{MILLISECOND, SECOND, Section};

options! {
    /// Where fitted models lie.
    pub Models {
        /// `None` is the folder `models` in the state folder; otherwise `s3://bucket/prefix`.
        place: Option<String> = None,
        /// The S3 server; `None` is Amazon's of the region.
        endpoint: Option<String> = None,
        /// The region that requests are signed for.
        region: String = "us-east-1".to_owned(),
        /// The id of the key.
        access_key: Option<String> = None,
        /// The key.
        secret_key: Option<Secret> = None,
        /// The file that holds the key.
        secret_key_file: Option<PathBuf> = None,
        /// Certificates (PEM) to trust instead of the public ones.
        ca_file: Option<PathBuf> = None,
        /// How long each request may take.
        timeout: Duration = Duration::from_secs(30) => MILLISECOND..,
        /// How often it is looked whether another version should serve.
        refresh: Duration = Duration::from_secs(60) => SECOND..,
    }
}

impl Models {
    /// Bucket and prefix, if models lie in one.
    pub fn bucket(&self) -> Option<(&str, &str)> {
        let rest = self.place.as_deref()?.strip_prefix("s3://")?;
        Some(rest.split_once('/').unwrap_or((rest, "")))
    }
}

impl Section for Models {
    fn check(&self, check: &mut Check<'_>) {
        let Some(place) = &self.place else { return };
        let is_bucket = self.bucket().is_some_and(|(bucket, _)| !bucket.is_empty());
        check.require(
            is_bucket,
            "place",
            &self.place,
            "expected a bucket such as `\"s3://bucket/skywatch\"`",
        );
        if is_bucket && (self.access_key.is_none() || self.secret_key.is_none()) {
            check.conflict(
                &["place", "access_key", "secret_key"],
                format!("`models.place` is `{place}` without `models.access_key` and `models.secret_key`,"),
                "name both; the key may be in a file, `models.secret_key_file`",
            );
        }
    }
}
