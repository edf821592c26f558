//! The session API: which sessions are known here, and ending them. What it tells holds no token; who may ask is the guard's matter.
//!
//! A session that is ended here is ended as by its user's sign-out: for every copy of its cookie, and, with `persist`, over a restart. The
//! session at the identity server is not touched.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::Admin;
use crate::{
    audit::rfc3339,
    domain::{AdapterSessionId, Clock, Sid, Subject, Timestamp},
    endings::{By, Ended, Endings},
    forms::Params,
    rate::Rate,
    revocation::Target,
    session::TokenStore,
    status::ActiveSession,
};

/// What the session API needs.
#[derive(Debug)]
pub struct SessionApi {
    /// Who ends sessions.
    pub endings: Endings,
    /// Where sessions are kept, which is what decides how much is known of them.
    pub store: TokenStore,
    /// When this process started, on this node's clock.
    pub started: Timestamp,
    /// How much of what is refused is written down.
    pub written: Arc<Rate>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Whose sessions are to end.
#[derive(Debug, PartialEq, Eq)]
enum Whose {
    /// Everybody's.
    Everybody,
    /// Those that stand for one session at the identity server.
    Sid(Sid),
    /// A user's, by subject or user name.
    User(String),
}

/// What is to be listed.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    user: Option<String>,
    sid: Option<Sid>,
    limit: usize,
}

/// Sessions listed by default, and at the most.
const LIMIT: usize = 1_000;
const MOST: usize = 10_000;
/// Longest id or name, in bytes: what is ended is written down.
const LONGEST: usize = 1_024;

/// `GET /sessions?user=&sid=&limit=`.
pub(super) async fn list(admin: web::Data<Admin>, request: HttpRequest) -> HttpResponse {
    let wanted = match Wanted::read(request.query_string()) {
        Ok(wanted) => wanted,
        Err(sentence) => return malformed(sentence),
    };
    let api = &admin.sessions;
    // One more, to know whether there are more.
    let mut found = api.living(wanted.limit + 1, |seen| wanted.means(seen));
    let truncated = found.len() > wanted.limit;
    found.truncate(wanted.limit);
    found.sort_by(|a, b| (a.opened_at, &a.id).cmp(&(b.opened_at, &b.id)));
    let mut answer = api.head();
    answer["truncated"] = truncated.into();
    answer["sessions"] = found.iter().map(shown).collect();
    HttpResponse::Ok().json(answer)
}

/// `GET /sessions/{id}`.
pub(super) async fn show(admin: web::Data<Admin>, id: web::Path<String>) -> HttpResponse {
    let (api, id) = (&admin.sessions, AdapterSessionId::new(id.into_inner()));
    let mut answer = api.head();
    let Some(seen) = api.find(&id) else {
        answer["error"] = "no such session is known here".into();
        return HttpResponse::NotFound().json(answer);
    };
    answer["session"] = shown(&seen);
    HttpResponse::Ok().json(answer)
}

/// `DELETE /sessions/{id}`. In the cookie store an id that is not known here may be a session's all the same, and is ended.
pub(super) async fn end_one(admin: web::Data<Admin>, id: web::Path<String>) -> HttpResponse {
    let api = &admin.sessions;
    if id.len() > LONGEST {
        return malformed("the id is too long");
    }
    let id = AdapterSessionId::new(id.into_inner());
    let known = api.knows(&id);
    if !known && api.store == TokenStore::Session {
        let mut answer = api.head();
        answer["error"] = "no such session is known here".into();
        return HttpResponse::NotFound().json(answer);
    }
    let ended = api.endings.end(Target::Session(&id), api.cut(), By::Administrator).await;
    let sessions = ended.sessions.max(usize::from(known));
    HttpResponse::Ok().json(api.told(&Ended { sessions, ..ended }, &[]))
}

/// `DELETE /sessions?user=`, `?sid=` or `?all=true`.
pub(super) async fn end_many(admin: web::Data<Admin>, request: HttpRequest) -> HttpResponse {
    let api = &admin.sessions;
    let whose = match Whose::read(request.query_string()) {
        Ok(whose) => whose,
        Err(sentence) => return malformed(sentence),
    };
    let answer = match whose {
        Whose::Everybody => api.told(&api.end(Target::Everybody, |_| true).await, &[]),
        Whose::Sid(sid) => api.told(&api.end(Target::Sid(&sid), |seen| seen.sid.as_ref() == Some(&sid)).await, &[]),
        Whose::User(user) => api.end_user(&user).await,
    };
    HttpResponse::Ok().json(answer)
}

impl SessionApi {
    /// Up to when what is ended now was issued, on the identity server's clock as far as it was heard: up to the second before this one. Times
    /// of issue are whole seconds, so that within one nobody can tell what was first; what is known of that second is ended by its id, and
    /// whoever signs in anew is not sent away.
    fn cut(&self) -> Timestamp {
        let there = self.endings.revocations.horizon().at_the_identity_server(self.clock.now());
        Timestamp::from_secs(there.as_secs()).minus(Duration::from_millis(1))
    }

    /// Ends what `target` means, and everything known of it that is `meant` by its own id.
    async fn end(&self, target: Target<'_>, meant: impl Fn(&ActiveSession) -> bool) -> Ended {
        let known = self.endings.active.list(usize::MAX, self.clock.now(), meant);
        self.endings.end_with(target, self.cut(), &known, By::Administrator).await
    }

    /// Ends a user's sessions. A user name stands for the subjects that are known by it; what is given may also be a subject that has not
    /// shown itself.
    async fn end_user(&self, user: &str) -> Value {
        let known = self.endings.active.list(usize::MAX, self.clock.now(), |seen| is_of(user, seen));
        let mut subjects: BTreeSet<Subject> = known.into_iter().map(|seen| seen.subject).collect();
        subjects.insert(Subject::new(user));
        let mut all = Ended::default();
        for subject in &subjects {
            let ended = self.end(Target::Subject(subject), |seen| seen.subject == *subject).await;
            all.sessions += ended.sessions;
            all.streams += ended.streams;
        }
        self.told(&all, &Vec::from_iter(subjects))
    }

    /// Known sessions that may still be used.
    fn living(&self, most: usize, wanted: impl Fn(&ActiveSession) -> bool) -> Vec<ActiveSession> {
        let now = self.clock.now();
        let lives = |seen: &ActiveSession| self.endings.revocations.check(seen, now).is_ok();
        self.endings.active.list(most, now, |seen| wanted(seen) && lives(seen))
    }

    fn find(&self, id: &AdapterSessionId) -> Option<ActiveSession> {
        let now = self.clock.now();
        let found = self.endings.active.find(id, now);
        found.filter(|seen| self.endings.revocations.check(seen, now).is_ok())
    }

    fn knows(&self, id: &AdapterSessionId) -> bool {
        self.endings.active.find(id, self.clock.now()).is_some() || self.endings.table.holds(id)
    }

    /// What an answer covers.
    fn head(&self) -> Value {
        let (store, covers) = match self.store {
            TokenStore::Cookie => ("cookie", "sessions that have shown themselves to this node since it started"),
            TokenStore::Session => ("session", "sessions that this node keeps"),
        };
        json!({ "store": store, "known_since": rfc3339(self.started), "covers": covers })
    }

    fn told(&self, ended: &Ended, subjects: &[Subject]) -> Value {
        let mut answer = self.head();
        if !subjects.is_empty() {
            answer["subjects"] = json!(subjects);
        }
        answer["known"] = (ended.sessions > 0).into();
        answer["sessions"] = ended.sessions.into();
        answer["streams"] = ended.streams.into();
        answer
    }
}

impl Wanted {
    fn read(query: &str) -> Result<Self, &'static str> {
        let params = parameters(query, &["user", "sid", "limit"])?;
        let limit = params.get("limit").map_or(Ok(LIMIT), str::parse).unwrap_or_default();
        if !(1..=MOST).contains(&limit) {
            return Err("`limit` must be a whole number from 1 to 10000");
        }
        Ok(Self { user: params.get("user").map(str::to_owned), sid: params.get("sid").map(Sid::new), limit })
    }

    fn means(&self, seen: &ActiveSession) -> bool {
        let is_users = self.user.as_ref().is_none_or(|user| is_of(user, seen));
        is_users && self.sid.as_ref().is_none_or(|sid| seen.sid.as_ref() == Some(sid))
    }
}

impl Whose {
    fn read(query: &str) -> Result<Self, &'static str> {
        let params = parameters(query, &["user", "sid", "all"])?;
        match (params.get("user"), params.get("sid"), params.get("all")) {
            (Some(user), None, None) => Ok(Self::User(user.to_owned())),
            (None, Some(sid), None) => Ok(Self::Sid(Sid::new(sid))),
            (None, None, Some("true")) => Ok(Self::Everybody),
            _ => Err("exactly one of `user`, `sid` and `all=true` must be given"),
        }
    }
}

/// Each at most once, none empty, and no other: a parameter that is misspelt must not widen what is meant.
fn parameters(query: &str, allowed: &[&str]) -> Result<Params, &'static str> {
    let params = Params::parse(query).map_err(|_| "a parameter occurs more than once")?;
    for (name, value) in params.iter() {
        if !allowed.contains(&name.as_str()) {
            return Err("there is a parameter that is not known");
        }
        if value.is_empty() || value.len() > LONGEST {
            return Err("a parameter is empty or too long");
        }
    }
    Ok(params)
}

fn is_of(user: &str, seen: &ActiveSession) -> bool {
    seen.subject.as_str() == user || seen.username.as_deref() == Some(user)
}

/// One session, without a token: there is none in what is known of it.
fn shown(seen: &ActiveSession) -> Value {
    json!({
        "id": seen.id,
        "sid": seen.sid,
        "subject": seen.subject,
        "username": seen.username,
        "established_at": rfc3339(seen.established_at),
        "opened_at": rfc3339(seen.opened_at),
        "last_seen": rfc3339(seen.last_seen),
        "proved_at": rfc3339(seen.proved_at),
    })
}

fn malformed(sentence: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({ "error": sentence }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_thing_is_ended_and_nothing_by_mistake() {
        assert_eq!(Whose::read("user=ada%20l"), Ok(Whose::User("ada l".to_owned())));
        assert_eq!(Whose::read("sid=s"), Ok(Whose::Sid(Sid::new("s"))));
        assert_eq!(Whose::read("all=true"), Ok(Whose::Everybody));
        let long = format!("user={}", "x".repeat(LONGEST + 1));
        for query in [
            "",
            "user=",
            "user",
            "all=false",
            "all=1",
            "all",
            "user=a&sid=s",
            "user=a&all=true",
            "user=&all=true",
            "user=a&user=b",
            "usr=a",
            "all=true&usr=a",
            long.as_str(),
        ] {
            assert!(Whose::read(query).is_err(), "{query}");
        }
    }

    #[test]
    fn a_list_is_bounded_and_its_parameters_are_known() {
        let read = |query| Wanted::read(query).map(|wanted| wanted.limit);
        assert_eq!((read(""), read("limit=10000"), read("user=a&sid=s&limit=1")), (Ok(LIMIT), Ok(MOST), Ok(1)));
        for query in ["limit=0", "limit=10001", "limit=-1", "limit=x", "limit=", "usr=a", "all=true", "user=a&user=a"] {
            assert!(Wanted::read(query).is_err(), "{query}");
        }
    }
}
