//! Slack's words for no, sorted into what passes and what somebody must change.

use crate::error::Error;
use crate::text;

/// A refusal of a webhook, which comes with a status and Slack's word for it.
pub(super) fn in_slacks_words(error: Error) -> Error {
    match &error {
        Error::HttpRefused {
            status: 400..=428,
            reply,
            ..
        } if hint(reply).is_some() => refusal("webhook", reply),
        _ => error,
    }
}

pub(super) fn refusal(call: &'static str, code: &str) -> Error {
    Error::Service {
        service: "Slack",
        call,
        code: match text::shorten(code, 100) {
            code if code.is_empty() => "no reason given".into(),
            code => code.into_owned(),
        },
        transient: matches!(
            code,
            "ratelimited"
                | "rate_limited"
                | "internal_error"
                | "fatal_error"
                | "service_unavailable"
                | "request_timeout"
                | "team_added_to_org"
        ),
        hint: hint(code),
    }
}

fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            "take the bot's token, `xoxb-…`, anew from the app's page in Slack"
        }
        "not_in_channel" => "invite the bot: write `/invite @` and its name in the channel",
        "channel_not_found" | "invalid_channel" => {
            "check the channel's id; a private channel is there only for a bot that was invited"
        }
        "is_archived" | "channel_is_archived" => "the channel is archived: choose another or bring it back",
        "missing_scope" | "no_permission" | "not_allowed_token_type" => {
            "give the app the scopes `chat:write` and `files:write` and install it again"
        }
        "no_service" | "no_active_hooks" | "no_team" | "team_disabled" => {
            "the webhook is gone: make a new one"
        }
        "action_prohibited" | "posting_to_general_channel_denied" | "restricted_action" => {
            "an administrator of Slack has restricted who may post there"
        }
        _ => return None,
    })
}
