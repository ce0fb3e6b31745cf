//! Whether the store can be had.

use skywatch_settings::Store as StoreSettings;

use super::redis::RedisConnect;
use super::{Connect as _, Names as _, Store as _, StoreError};
use crate::imported::quoted_list;
use crate::probe::{Probe, ProbeFailure};

/// A probe of the store that `connect` leads to.
pub(crate) fn probe(settings: &StoreSettings, connect: Result<RedisConnect, StoreError>) -> Probe {
    let place = match &connect {
        // The host of the address says nothing there.
        Ok(connect) if !settings.sentinels.is_empty() || !settings.cluster.is_empty() => connect.describe(),
        _ => settings.url.to_string(),
    };
    let namespace = settings.namespace.clone();
    Probe::new("store", move || {
        let failure = |error: StoreError| {
            let mend = error.hint().unwrap_or("see the log of the Redis server");
            ProbeFailure::new(format_args!("`{place}`: {error}"), mend)
        };
        let connect = connect.map_err(failure)?;
        if !connect.is_cluster() {
            let nodes = connect.cluster_nodes().map_err(failure)?;
            if !nodes.is_empty() {
                let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
                return Err(ProbeFailure::new(
                    format_args!("`{place}` is a node of a Redis Cluster, and has only a part of the keys"),
                    format!(
                        "name some of its nodes: `store.cluster = {}`",
                        quoted_list(&nodes)
                    ),
                ));
            }
        }
        let mut store = connect.connect().map_err(failure)?;
        store.ping().map_err(failure)?;
        let metrics = store.count().map_err(failure)?;
        let condition = store.condition().map_err(failure)?;
        if let Some(silent) = condition.silent.first() {
            return Err(ProbeFailure::new(
                format_args!("`{place}` answers in part: {silent}"),
                "see why the node is away, and whether it has a replica that could take over",
            ));
        }
        if let Some(evicting) = condition.evicts_by {
            return Err(ProbeFailure::new(
                format_args!("`{place}` throws keys away when its memory is full: {evicting}"),
                "set `maxmemory-policy noeviction` in the Redis, or metrics vanish without a word",
            ));
        }
        Ok(format!(
            "`{place}` answers, {metrics} metrics below `{namespace}`"
        ))
    })
}
