//! The audit stream: who signed in, who was refused, what the identity server said of whom, as one JSON object a line. For whoever has to say
//! later what happened, not for whoever looks for a fault: that is the log's matter.
//!
//! [`record`] makes an object of an [`Event`] and sends it to the tracing target [`TARGET`] as its message, exactly as it is to be written;
//! `telemetry` writes it. An event holds ids: subjects, sessions at the identity server, adapter session ids, which are random and open
//! nothing. It has no field for a token, a code, a cookie or a secret, and `Secret` cannot become one.

use std::net::IpAddr;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::{AdapterSessionId, Session, Sid, Subject, Timestamp};

/// The tracing target of audit lines. Nothing else may use it.
pub const TARGET: &str = "doorward::audit";

/// Longest text in a line, in characters: much of it was chosen by strangers. What is cut off ends in `…`.
const MAX_TEXT: usize = 256;

/// Something that happened. In a line its name is `event`, in snake case; a field that is not known is left out.
///
/// Words (`reason`, `outcome`, `by`, `word`, `action`) are short, of fixed lists, and those of the metrics where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A user signed in, and has a session.
    SignedIn {
        /// The user.
        subject: &'a Subject,
        /// `preferred_username`.
        username: Option<&'a str>,
        /// The session at the identity server.
        sid: Option<&'a Sid>,
        /// The session here.
        session: &'a AdapterSessionId,
        /// Where from.
        client: Option<IpAddr>,
    },
    /// A sign-in came back and came to nothing.
    SignInFailed {
        /// Why, as in `doorward_sign_ins_total`.
        reason: &'a str,
        /// `error` of the identity server, if it sent one (RFC 6749, section 4.1.2.1).
        error: Option<&'a str>,
        /// Where from.
        client: Option<IpAddr>,
    },
    /// Somebody presented a session or a credential and was not let through. Who presented nothing is no event.
    Refused {
        /// `revoked` (a session that was ended before its time), `forbidden` (403 by the rules), `credential` (a bearer token or Basic that is
        /// not believed), `unproved` (nobody can say that the session still lives).
        reason: &'a str,
        /// More of it, in our own words.
        detail: Option<&'a str>,
        /// The user, where that is known.
        subject: Option<&'a Subject>,
        /// The session here.
        session: Option<&'a AdapterSessionId>,
    },
    /// A session's tokens were to be renewed.
    Refreshed {
        /// As in `doorward_refreshes_total`.
        outcome: &'a str,
        /// The user.
        subject: &'a Subject,
        /// The session here.
        session: &'a AdapterSessionId,
    },
    /// The identity server was asked whether a session still lives.
    Proved {
        /// Why it was asked.
        reason: &'a str,
        /// What it said.
        outcome: &'a str,
        /// The user.
        subject: &'a Subject,
        /// The session here.
        session: &'a AdapterSessionId,
    },
    /// A session was signed out here.
    SignedOut {
        /// Whose wish it was: `user`, or what stood for the user.
        by: &'a str,
        /// The user; unknown when no session was there.
        subject: Option<&'a Subject>,
        /// The session here.
        session: Option<&'a AdapterSessionId>,
        /// What became of the refresh token at the identity server: `revoked`, `failed`, `timed_out`, `none` (there was none).
        revoked_at_provider: &'a str,
    },
    /// The identity server, or somebody in its name, said something to end sessions.
    BackChannel {
        /// How it was said: `k_logout`, `k_push_not_before`, `k_test_available`, `backchannel_logout`, `frontchannel_logout`.
        word: &'a str,
        /// What came of it.
        outcome: &'a str,
        /// Why not, when it was refused.
        reason: Option<&'a str>,
        /// `jti` of a logout token, `id` of one of Keycloak's admin actions.
        id: Option<&'a str>,
        /// How many adapter session ids it named.
        sessions: usize,
        /// How many sessions at the identity server it named.
        sids: usize,
        /// The user that it named.
        subject: Option<&'a Subject>,
        /// Set when it means every user.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        everybody: bool,
        /// What was issued before this instant (the identity server's clock) counts no more.
        #[serde(serialize_with = "instant")]
        not_before: Option<Timestamp>,
    },
    /// An operator used the admin listener.
    AdminAction {
        /// What was done, or asked for: `list`, `show`, `end`, `nodes`, `readyz`, `other`.
        action: &'a str,
        /// What came of it.
        outcome: &'a str,
        /// By what the operator was known: `admin.token`, never its value; `nobody` who was not.
        who: &'a str,
    },
    /// Sessions were ended, by whatever means.
    Ended {
        /// By what: `provider` (it says so itself), `sign_in` (another took its place), `untrusted` (what it was renewed with), and the words of
        /// the other events.
        by: &'a str,
        /// The user.
        subject: Option<&'a Subject>,
        /// The session here.
        session: Option<&'a AdapterSessionId>,
        /// The session at the identity server.
        sid: Option<&'a Sid>,
        /// How many tunnels, event streams and long answers were closed with it.
        streams: usize,
    },
    /// This node was to be registered at the identity server, or taken out.
    Registered {
        /// `register` or `unregister`.
        action: &'a str,
        /// The node's name there.
        host: &'a str,
        /// What came of it.
        outcome: &'a str,
    },
}

/// Writes `event`, which happened at `now` (this node's clock).
pub fn record(event: &Event<'_>, now: Timestamp) {
    if tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        tracing::info!(target: TARGET, "{}", line(event, now));
    }
}

/// Writes that a user signed in and has `session`, from the address `client`.
pub fn signed_in(session: &Session, client: Option<IpAddr>, now: Timestamp) {
    let (principal, sid) = (&session.principal, session.sid.as_ref());
    let (subject, username) = (&principal.subject, principal.username.as_deref());
    record(&Event::SignedIn { subject, username, sid, session: &session.adapter_session_id, client }, now);
}

/// Writes that somebody signed out here; `revoked_at_provider` says what became of the refresh token there.
pub fn signed_out(by: &str, session: Option<&Session>, revoked_at_provider: &str, now: Timestamp) {
    let subject = session.map(|session| &session.principal.subject);
    let session = session.map(|session| &session.adapter_session_id);
    record(&Event::SignedOut { by, subject, session, revoked_at_provider }, now);
}

/// Writes that `session` was to be renewed.
pub fn refreshed(outcome: &str, session: &Session, now: Timestamp) {
    let (subject, session) = (&session.principal.subject, &session.adapter_session_id);
    record(&Event::Refreshed { outcome, subject, session }, now);
}

/// Writes that the identity server was asked whether `session` still lives.
pub fn proved(reason: &str, outcome: &str, session: &Session, now: Timestamp) {
    let (subject, session) = (&session.principal.subject, &session.adapter_session_id);
    record(&Event::Proved { reason, outcome, subject, session }, now);
}

/// Writes that `session` was ended, and that so many `streams` were closed with it.
pub fn ended(by: &str, session: &Session, streams: usize, now: Timestamp) {
    let (subject, id) = (Some(&session.principal.subject), Some(&session.adapter_session_id));
    record(&Event::Ended { by, subject, session: id, sid: session.sid.as_ref(), streams }, now);
}

/// Writes that the rules did not let `subject` through, who came with `session` or with a bearer token.
pub fn forbidden(subject: &Subject, session: Option<&Session>, now: Timestamp) {
    let session = session.map(|session| &session.adapter_session_id);
    record(&Event::Refused { reason: "forbidden", detail: None, subject: Some(subject), session }, now);
}

/// Writes that a bearer token, or user and password, were not believed; `why` in our own words.
pub fn credential_refused(why: &str, now: Timestamp) {
    record(&Event::Refused { reason: "credential", detail: Some(why), subject: None, session: None }, now);
}

/// Writes that `session` was presented, and did not let through whoever did.
pub fn refused(reason: &str, session: &Session, now: Timestamp) {
    let (subject, session) = (Some(&session.principal.subject), Some(&session.adapter_session_id));
    record(&Event::Refused { reason, detail: None, subject, session }, now);
}

/// The object of a line: `time`, `event`, then what is known.
fn line(event: &Event<'_>, now: Timestamp) -> Value {
    let mut line = Map::new();
    line.insert("time".to_owned(), rfc3339(now).into());
    // An event is a structure of texts and numbers: it has a form in JSON.
    if let Ok(Value::Object(fields)) = serde_json::to_value(event) {
        line.extend(
            fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, bounded(value))),
        );
    }
    Value::Object(line)
}

fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(MAX_TEXT) {
            Some((end, _)) => format!("{}…", &text[..end]).into(),
            None => text.into(),
        },
        value => value,
    }
}

#[expect(clippy::ref_option, reason = "serde hands a field over like this")]
fn instant<S: Serializer>(value: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(rfc3339).serialize(serializer)
}

/// RFC 3339 in UTC with milliseconds. Days become a date by the proleptic Gregorian calendar, counted in years that begin in March, so that
/// the leap day is the last of its year.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    const DAY: i64 = 86_400;
    /// Days of 400 years, after which the calendar repeats.
    const ERA: i64 = 146_097;
    /// Days from 0000-03-01 to 1970-01-01.
    const TO_EPOCH: i64 = 719_468;
    let (days, second) = (at.as_secs().div_euclid(DAY) + TO_EPOCH, at.as_secs().rem_euclid(DAY));
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (400 * era + year + month / 10, (month + 2) % 12 + 1);
    let (hour, minute, second, milli) = (second / 3600, second / 60 % 60, second % 60, at.as_millis().rem_euclid(1000));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_and_what_first_and_leaves_out_what_is_not_known() {
        let (subject, session) = (Subject::new("alice"), AdapterSessionId::new("id"));
        let client = Some("2001:db8::1".parse().unwrap());
        let event = Event::SignedIn { subject: &subject, username: None, sid: None, session: &session, client };
        let text = line(&event, Timestamp::from_millis(1_900_000_000_007)).to_string();
        let head = r#"{"time":"2030-03-17T17:46:40.007Z","event":"signed_in","#;
        assert_eq!(text, format!(r#"{head}"subject":"alice","session":"id","client":"2001:db8::1"}}"#));
    }

    #[test]
    fn what_strangers_chose_is_cut_and_stays_within_its_line() {
        let name = format!("\"}}\r\n{}", "ä".repeat(MAX_TEXT));
        let event = Event::SignInFailed { reason: "provider_error", error: Some(&name), client: None };
        let text = line(&event, Timestamp::from_secs(0)).to_string();
        assert!(!text.contains(['\r', '\n']), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        let error = read["error"].as_str().unwrap();
        assert_eq!(error.chars().count(), MAX_TEXT + 1);
        assert!(error.starts_with("\"}\r\n") && error.ends_with("ä…"), "{error}");
    }

    #[test]
    fn a_not_before_is_an_instant_and_everybody_is_said_only_where_it_is_meant() {
        let event = |everybody, not_before| Event::BackChannel {
            word: "k_push_not_before",
            outcome: "done",
            reason: None,
            id: Some("jti"),
            sessions: 0,
            sids: 0,
            subject: None,
            everybody,
            not_before,
        };
        let all = line(&event(true, Some(Timestamp::from_secs(951_782_400))), Timestamp::from_secs(0));
        assert_eq!((&all["everybody"], &all["not_before"]), (&true.into(), &"2000-02-29T00:00:00.000Z".into()));
        let one = line(&event(false, None), Timestamp::from_secs(0));
        assert!(one.get("everybody").is_none() && one.get("not_before").is_none(), "{one}");
    }

    #[test]
    fn instants_have_their_dates() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
        ];
        for (millis, text) in cases {
            assert_eq!(rfc3339(Timestamp::from_millis(millis)), text);
        }
        // Far out nothing overflows.
        for millis in [i64::MIN, i64::MAX] {
            assert!(rfc3339(Timestamp::from_millis(millis)).ends_with('Z'));
        }
    }
}
