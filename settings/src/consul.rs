//! Consul, in which a node that serves outliers registers itself.

use std::path::PathBuf;
use std::time::Duration;

use crate::http_url::BaseUrl;
use crate::secret::Secret;
use crate::section::{SECOND, Section};

options! {
    /// Consul, in which a node that serves outliers registers itself.
    pub Consul {
        /// The agent of this machine, such as `http://127.0.0.1:8500`; none for no Consul.
        url: Option<BaseUrl> = None,
        /// The token it asks for. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// Authorities (PEM) to trust instead of the public ones.
        ca_file: Option<PathBuf> = None,
        /// The name under which nodes find the service.
        service: String = "rb-aioutliers".to_owned(),
        /// The id of this node's; the service's name and that of this machine if empty.
        id: String = String::new(),
        /// The address that others are told; that of `outliers.listen` if empty, or the agent's where it listens on all.
        address: String = String::new(),
        /// Tags of the service.
        tags: Vec<String> = Vec::new(),
        /// How often the agent asks whether we are well.
        check_each: Duration = Duration::from_secs(10) => SECOND..,
        /// A node that is not well for so long is taken out by the agent.
        deregister_after: Duration = Duration::from_secs(600) => Duration::from_secs(60)..,
        /// How often it is looked whether we are still registered.
        look_each: Duration = Duration::from_secs(15) => SECOND..,
        /// How long the agent may take to answer.
        timeout: Duration = Duration::from_secs(5) => SECOND..,
    }
}

impl Section for Consul {}
