//! The back channel: what the identity server says to this node. The last segment of the path is the word; the path before it may be any,
//! since admin URLs have paths. Knows no server framework, since the public listener may answer the same words.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use tokio::time::timeout;

use crate::{
    audit::{self, Event},
    current::Current,
    domain::{Clock, Timestamp},
    endings::Endings,
    forms::read_form,
    lifecycle::Errands,
    message::{Body, Response},
    oidc::{MAX_ADMIN_MESSAGE, Provider},
    rate::Rate,
    status::Metrics,
};

/// How much of what is refused at one place is written: 50 at once, and 5 per second in the long run; all is counted. Each place has its own,
/// so that strangers at the public listener hide nothing that happens elsewhere.
#[must_use]
pub fn refused_written() -> Arc<Rate> {
    Arc::new(Rate::new(50, 5))
}

/// What answers the identity server.
#[derive(Clone, Debug)]
pub struct BackChannel {
    /// Who verifies what it says.
    pub provider: Current<Provider>,
    /// What it ends.
    pub endings: Endings,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How much of what is refused is written down: anybody who reaches the listener can send it.
    pub written: Arc<Rate>,
    /// What may be done after the answer.
    pub errands: Errands,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// OpenID Connect Back-Channel Logout 1.0.
    BackChannelLogout,
    /// The public keys that we prove who we are by.
    Jwks,
    /// Sessions end.
    Logout,
    /// Tokens from before an instant count no more.
    PushNotBefore,
    /// Whether this node answers.
    TestAvailability,
    /// Which version this is.
    Version,
}

/// What came of a message.
#[derive(Debug)]
pub(super) enum Heard {
    /// Done.
    Yes,
    /// Not done, and why: a status, a sentence, a word for metrics.
    No(StatusCode, &'static str, &'static str),
}

/// Largest message that is read, in bytes; a logout token is far smaller.
const MAX_MESSAGE: usize = MAX_ADMIN_MESSAGE;
/// Largest form with a logout token that is read, in bytes: anybody may begin to send one, and such a token has hundreds.
pub(super) const MAX_LOGOUT_FORM: usize = 32 << 10;
/// Longest time for a message to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(5);
/// Longest time to find out whether a message is the identity server's own: it waits for each node in turn, and wants an answer within 800 ms.
pub(super) const VERIFY_WITHIN: Duration = Duration::from_millis(700);

impl Word {
    /// The word that a path ends with, if any (keycloak-adapter: `PreAuthActionsHandler`, which compares the end of the whole URI).
    #[must_use]
    pub fn at_end_of(path: &str) -> Option<Self> {
        Some(match path.rsplit('/').next()? {
            "backchannel-logout" => Self::BackChannelLogout,
            "k_jwks" => Self::Jwks,
            "k_logout" => Self::Logout,
            "k_push_not_before" => Self::PushNotBefore,
            "k_test_available" => Self::TestAvailability,
            "k_version" => Self::Version,
            _ => return None,
        })
    }

    /// The one method by which it is said.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Jwks | Self::Version => "GET",
            _ => "POST",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BackChannelLogout => "backchannel_logout",
            Self::Jwks => "k_jwks",
            Self::Logout => "k_logout",
            Self::PushNotBefore => "k_push_not_before",
            Self::TestAvailability => "k_test_available",
            Self::Version => "k_version",
        }
    }
}

impl BackChannel {
    /// Answers `word`, said by `method` with `body`.
    pub async fn answer(&self, word: Word, method: &str, body: Body) -> Response {
        let answer = if method == word.method() { self.hear(word, body).await } else { not_by(word) };
        answer.with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    /// Answers what may not be said in clear from where it came.
    #[must_use]
    pub fn insecure(&self, word: Word) -> Response {
        self.told(word, &Heard::No(StatusCode::FORBIDDEN, "ssl required", "insecure"))
    }

    async fn hear(&self, word: Word, body: Body) -> Response {
        match word {
            Word::Jwks => json(&self.provider.get().client_jwks()),
            Word::Version => json(&serde_json::json!({ "version": env!("CARGO_PKG_VERSION") })),
            Word::BackChannelLogout => self.backchannel_logout(body).await,
            Word::Logout | Word::PushNotBefore | Word::TestAvailability => {
                let heard = match read(body, MAX_MESSAGE).await {
                    Some(message) => self.keycloak(word, &message).await,
                    None => Heard::No(StatusCode::PAYLOAD_TOO_LARGE, "too large, or not all there", "unread"),
                };
                self.told(word, &heard)
            }
        }
    }

    /// The answer, counted. Nothing is written on success, as the Java adapters do.
    pub(super) fn told(&self, word: Word, heard: &Heard) -> Response {
        self.metrics.push(word.name(), heard.outcome());
        match heard {
            Heard::Yes => Response::new(StatusCode::OK),
            Heard::No(status, sentence, reason) => {
                if self.written.admits(self.clock.now()) {
                    tracing::warn!(word = word.name(), reason, "a message to this node is refused");
                    self.note(word, heard, &Noted::default());
                }
                text(*status, sentence)
            }
        }
    }

    /// Writes what was said into the audit stream.
    pub(super) fn note(&self, word: Word, heard: &Heard, noted: &Noted<'_>) {
        let reason = match heard {
            Heard::Yes => None,
            Heard::No(_, _, reason) => Some(*reason),
        };
        let event = Event::BackChannel {
            word: word.name(),
            outcome: heard.outcome(),
            reason,
            id: noted.id,
            sessions: noted.sessions,
            sids: noted.sids,
            subject: noted.subject,
            everybody: noted.everybody,
            not_before: noted.not_before,
        };
        audit::record(&event, self.clock.now());
    }
}

/// What is written of a message besides what came of it.
#[derive(Debug, Default)]
pub(super) struct Noted<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) sessions: usize,
    pub(super) sids: usize,
    pub(super) subject: Option<&'a crate::domain::Subject>,
    pub(super) everybody: bool,
    pub(super) not_before: Option<Timestamp>,
}

impl Heard {
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Yes => "ok",
            Self::No(_, _, reason) => reason,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The whole of a message; `None` when it is too large, or does not arrive.
pub(super) async fn read(body: Body, most: usize) -> Option<Bytes> {
    timeout(ARRIVE_WITHIN, read_form(body, most)).await.ok()?.ok()
}

fn not_by(word: Word) -> Response {
    text(StatusCode::METHOD_NOT_ALLOWED, "wrong method").with(header::ALLOW, HeaderValue::from_static(word.method()))
}

pub(super) fn text(status: StatusCode, sentence: &'static str) -> Response {
    Response::new(status).with(header::CONTENT_TYPE, HeaderValue::from_static("text/plain")).with_body(sentence)
}

fn json(value: &serde_json::Value) -> Response {
    Response::new(StatusCode::OK)
        .with(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .with_body(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_last_segment_of_a_path_and_nothing_else() {
        for path in ["/k_logout", "/any/path/k_logout", "//k_logout"] {
            assert_eq!(Word::at_end_of(path), Some(Word::Logout), "{path}");
        }
        for path in
            ["/k_logout/", "/xk_logout", "/K_LOGOUT", "/k_logout;x", "/", "", "/k_logout/x", "/k_query_bearer_token"]
        {
            assert_eq!(Word::at_end_of(path), None, "{path}");
        }
    }
}
