//! Who we are at a server, be it a Redis or one of its sentinels.

use ::redis::RedisConnectionInfo;

/// The same with a login, where one is given.
pub(super) fn with_login(
    mut redis: RedisConnectionInfo,
    username: Option<&str>,
    password: Option<&str>,
) -> RedisConnectionInfo {
    redis = redis.set_skip_set_lib_name();
    if let Some(username) = username {
        redis = redis.set_username(username);
    }
    if let Some(password) = password {
        redis = redis.set_password(password);
    }
    redis
}
