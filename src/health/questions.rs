//! What people ask the plane of this machine: all verdicts, or one with its history.

use std::path::Path;

use serde_json::{Value, json};
use tonic::{Code, Status};

use super::idl::verdicts::verdicts_client::VerdictsClient;
use super::idl::verdicts::{GetVerdictRequest, ListTransitionsRequest, ListVerdictsRequest};
use super::local::LocalPlane;
use super::tools::{transition_as_json, verdict_as_json};

/// Changes in an answer.
const CHANGES: u32 = 100;
/// Bytes of an answer at most.
const ANSWER_BYTES: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PlaneSilent {
    /// No plane is served over this state folder.
    #[error("the health plane does not run: {0}")]
    Away(String),
    /// It does not know the subject.
    #[error("the health plane knows no subject `{0}`")]
    UnknownSubject(String),
}

/// The verdicts as they are, by name of the subject, and the last changes, newest first; of one subject or of all. As JSON:
/// `verdicts` and `changes`, each with its `evidence`, what decided first.
///
/// # Errors
/// [`PlaneSilent`].
pub async fn verdicts(state_dir: &Path, subject: Option<&str>) -> Result<Value, PlaneSilent> {
    let away = || PlaneSilent::Away("its socket in the state folder is not answered".to_owned());
    let plane = LocalPlane::find(state_dir).map_err(|_| away())?;
    let channel = plane.connect_to_ask().await.map_err(|_| away())?;
    let mut client = VerdictsClient::new(channel).max_decoding_message_size(ANSWER_BYTES);
    let refused = |status: &Status| match (status.code(), subject) {
        (Code::NotFound, Some(subject)) => PlaneSilent::UnknownSubject(subject.to_owned()),
        _ => PlaneSilent::Away(status.message().to_owned()),
    };
    let found = match subject {
        Some(subject) => {
            let request = GetVerdictRequest {
                subject: subject.to_owned(),
            };
            let answer = client.get_verdict(request).await;
            vec![answer.map_err(|status| refused(&status))?.into_inner()]
        }
        None => {
            let answer = client.list_verdicts(ListVerdictsRequest::default()).await;
            answer.map_err(|status| refused(&status))?.into_inner().verdicts
        }
    };
    let request = ListTransitionsRequest {
        subject: subject.unwrap_or_default().to_owned(),
        limit: CHANGES,
    };
    let answer = client.list_transitions(request).await;
    let changes = answer
        .map_err(|status| refused(&status))?
        .into_inner()
        .transitions;
    Ok(json!({
        "verdicts": found.iter().map(verdict_as_json).collect::<Vec<_>>(),
        "changes": changes.iter().map(transition_as_json).collect::<Vec<_>>(),
    }))
}
