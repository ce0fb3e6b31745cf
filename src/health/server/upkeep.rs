//! What is done from time to time: votes expire, and what is too old is dropped.

use std::sync::Arc;
use std::time::Duration;

use super::shared::HealthServer;
use crate::health::clock::nanoseconds;
use crate::health::plane::Expiry;

/// How often it is looked whether votes have expired: deadlines are kept to a tenth of a second.
const TICK: Duration = Duration::from_millis(100);
/// How often what is too old is dropped.
const EXPIRE: Duration = Duration::from_secs(60);

/// Begins to. It ends with the last copy of the server.
pub(super) fn begin(server: &Arc<HealthServer>) {
    let collection = server.options.collection;
    let age = server.options.retention.age;
    let server = Arc::downgrade(server);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut expired, mut collected) = (tokio::time::Instant::now(), tokio::time::Instant::now());
        loop {
            ticks.tick().await;
            let Some(server) = server.upgrade() else { return };
            server.step(|plane, now| plane.tick(now));
            if expired.elapsed() >= EXPIRE {
                expired = tokio::time::Instant::now();
                server.step(|plane, now| plane.expire(Expiry::CameBefore(now - nanoseconds(age)), now));
            }
            if let Some(collection) = collection.filter(|collection| collected.elapsed() >= collection.period)
            {
                collected = tokio::time::Instant::now();
                let age = nanoseconds(collection.age);
                server.step(|plane, now| {
                    let expiry = if collection.relative {
                        Expiry::BehindNewest(age)
                    } else {
                        Expiry::MadeBefore(now - age)
                    };
                    plane.expire(expiry, now)
                });
            }
        }
    });
}
