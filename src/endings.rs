//! How sessions end before their time, whoever ends them: it is written down first, then what they have open is closed, and only then is
//! the rest tidied up. So of two that meet, an end and a request or stream, one sees the other.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use tokio::sync::mpsc;

use crate::{
    audit::{self, Event},
    domain::{AdapterSessionId, Clock, Session, Sid, Subject, Timestamp},
    oidc::Bearer,
    revocation::{Doubt, Hinted, Marks, Proof, Revocation, Revocations, Source, Target, Verdict},
    session::SessionTable,
    status::{ActiveSession, ActiveSessions, Metrics, Owner, Streams, TokenOwner},
};

/// Ends sessions.
#[derive(Clone, Debug)]
pub struct Endings {
    /// What was ended.
    pub revocations: Arc<Revocations>,
    /// What is open.
    pub streams: Arc<Streams>,
    /// What has been seen at work.
    pub active: Arc<ActiveSessions>,
    /// What is kept in this process.
    pub table: Arc<SessionTable>,
    /// Whom to tell of sessions that end from outside.
    pub notices: Option<Notices>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Longest time since the login.
    pub max: Duration,
}

/// Where to say that sessions ended from outside.
#[derive(Clone)]
pub struct Notices(mpsc::Sender<Notice>);

/// What the application may be told of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who ended it.
    pub by: By,
    /// Everybody's sessions ended.
    pub everybody: bool,
    /// The user, where it is known.
    pub subject: Option<Subject>,
    /// The session at the identity server, where it is known.
    pub sid: Option<Sid>,
    /// The login at this adapter, where it is known.
    pub session: Option<AdapterSessionId>,
}

/// Who ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// An administrator at this adapter.
    Administrator,
    /// The identity server, by OpenID Connect Back-Channel Logout.
    BackChannel,
    /// The identity server, in Keycloak's words.
    Keycloak,
    /// The identity server, when it was asked.
    Provider,
    /// A newer login in the same browser.
    Replaced,
    /// What the identity server sent may not be believed.
    Untrusted,
    /// The user.
    User,
}

/// What was ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sessions that had been seen at work here.
    pub sessions: usize,
    /// Streams that were closed.
    pub streams: usize,
}

/// The same, and which sessions those were.
#[derive(Default)]
struct Ending {
    sessions: Vec<ActiveSession>,
    streams: usize,
}

/// Notices that wait at the most. Beyond that they are not sent: an application that does not answer must not fill this process.
const MOST_NOTICES: usize = 1024;

impl Ending {
    fn counted(&self) -> Ended {
        Ended { sessions: self.sessions.len(), streams: self.streams }
    }
}

impl Notices {
    /// Where notices go in, and where they come out.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, receiver) = mpsc::channel(MOST_NOTICES);
        (Self(sender), receiver)
    }

    /// Sends one, if there is room; says whether there was. Whoever ends a session waits for no application.
    #[must_use]
    pub fn send(&self, notice: Notice) -> bool {
        self.0.try_send(notice).is_ok()
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

impl By {
    /// A word for logs, metrics and notices.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::BackChannel => "backchannel_logout",
            Self::Keycloak => "keycloak",
            Self::Provider => "provider",
            Self::Replaced => "sign_in",
            Self::Untrusted => "untrusted",
            Self::User => "user",
        }
    }

    fn is_outside(self) -> bool {
        matches!(self, Self::Administrator | Self::BackChannel | Self::Keycloak)
    }

    fn source(self) -> Source {
        match self {
            Self::BackChannel | Self::Keycloak | Self::Provider => Source::IdentityServer,
            Self::Administrator | Self::Replaced | Self::Untrusted | Self::User => Source::Ours,
        }
    }
}

impl Endings {
    /// Ends one session for every copy of its cookie. Remembered up to the absolute limit, since a copy may be kept alive by use until then.
    pub async fn end_session(&self, session: &Session, by: By) -> Ended {
        let keep_until = session.opened_at.plus(self.max);
        let target = Target::Session(&session.adapter_session_id);
        let cut = session.token_iat;
        let ending = self.revoke(&[Revocation { target, cut, source: by.source(), keep_until }], by).await;
        audit::ended(by.word(), session, ending.streams, self.clock.now());
        self.tell(&[target], &ending.sessions, by);
        ending.counted()
    }

    /// Ends what `target` means, of before `cut` (the identity server's clock).
    pub async fn end(&self, target: Target<'_>, cut: Timestamp, by: By) -> Ended {
        self.end_each(&[target], cut, by).await
    }

    /// Ends what these mean, which one message names together: the application is told once of each session, by however many of them it was
    /// meant.
    pub async fn end_each(&self, targets: &[Target<'_>], cut: Timestamp, by: By) -> Ended {
        self.end_all(targets, cut, &[], by).await
    }

    /// As [`Endings::end`], and each of `known`, which are sessions that `target` means, by its own id besides: for those it depends on no
    /// clock, and on no renewal that is under way.
    pub async fn end_with(&self, target: Target<'_>, cut: Timestamp, known: &[ActiveSession], by: By) -> Ended {
        self.end_all(&[target], cut, known, by).await
    }

    async fn end_all(&self, targets: &[Target<'_>], cut: Timestamp, known: &[ActiveSession], by: By) -> Ended {
        let (now, source) = (self.clock.now(), by.source());
        let keep_until = match source {
            Source::IdentityServer => self.revocations.until_proved(now),
            Source::Ours => now.plus(self.max),
        };
        let named = targets.iter().map(|target| Revocation { target: *target, cut, source, keep_until });
        let each = known.iter().map(|seen| {
            let (target, keep_until) = (Target::Session(&seen.id), seen.opened_at.plus(self.max));
            Revocation { target, cut: seen.token_iat, source, keep_until }
        });
        let ending = self.revoke(&named.chain(each).collect::<Vec<_>>(), by).await;
        for (n, target) in targets.iter().enumerate() {
            // What was closed was closed for all of them together.
            note(*target, if n == 0 { ending.streams } else { 0 }, by, now);
        }
        self.tell(targets, &ending.sessions, by);
        ending.counted()
    }

    /// Sets the not-before of everybody, as ordered at `ordered_at` (the identity server's clock), and closes what it hits. `None` when a newer
    /// order stands. What is hit is not thrown away: an order to come may take it back.
    #[must_use]
    pub fn set_not_before(&self, value: Option<Timestamp>, ordered_at: Timestamp) -> Option<Ended> {
        let stands = self.revocations.set_not_before(value, ordered_at);
        stands.then(|| Ended { sessions: 0, streams: self.close_streams(By::Keycloak, |_| true) })
    }

    /// Takes the provider's word that tokens of `subject` from before `value` (its clock) count no more.
    pub fn raise_not_before(&self, subject: &Subject, value: Timestamp, now: Timestamp) {
        self.revocations.raise_not_before(subject, value, now, self.max);
    }

    /// Takes note of the identity server's clock, which wrote `stamped` into what this node asked for at `asked`.
    pub fn hear_clock(&self, stamped: Timestamp, asked: Timestamp) {
        let offset = self.revocations.horizon().hear_clock(stamped, asked, self.clock.now());
        // A gauge: what is lost in seconds of many years is of no matter.
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a difference of clocks")]
        self.metrics.clock_offset(offset as f64 / 1000.0);
    }

    /// Notes that anybody says that a session at the identity server has ended: whoever stands for it is asked for. Says whether there was
    /// room for it.
    #[must_use]
    pub fn hint(&self, sid: &Sid) -> bool {
        let now = self.clock.now();
        let hinted = if self.active.may_know(sid, now) { Hinted::Known } else { Hinted::Unknown };
        self.revocations.hint(sid, hinted, now)
    }

    /// All at once, however many: one message may name thousands of sessions, and must be answered soon.
    async fn revoke(&self, revocations: &[Revocation<'_>], by: By) -> Ending {
        let now = self.clock.now();
        if let Err(error) = self.revocations.revoke_for_good(revocations, now).await {
            tracing::error!(%error, "a session that was ended here may come back with a restart");
        }
        // Only now: a stream that is being opened meanwhile has to find the session ended.
        let meant = Meant::of(revocations.iter().map(|revocation| revocation.target));
        let streams = self.close_streams(by, |owner| meant.concerns(&owner.into()));
        Ending { sessions: self.tidy_up(&meant, now), streams }
    }

    /// Closes every stream that is meant and lives no more, or may not: who was not meant opens it again.
    fn close_streams(&self, by: By, is_meant: impl Fn(&Owner) -> bool) -> usize {
        let now = self.clock.now();
        let is_over = |owner: &Owner| {
            matches!(self.revocations.judge_stream(owner, now), Verdict::Ended | Verdict::Doubtful(Doubt::Cut))
        };
        let closed = self.streams.close_matching(|owner| is_meant(owner) && is_over(owner));
        self.metrics.streams_closed(by.word(), closed);
        closed
    }

    /// Throws away what is kept of sessions that were ended, and says which those were.
    fn tidy_up(&self, meant: &Meant<'_>, now: Timestamp) -> Vec<ActiveSession> {
        let is_over =
            |seen: &ActiveSession| meant.concerns(&seen.into()) && self.revocations.check_for_good(seen, now).is_err();
        let ended: Vec<_> = if meant.is_by_id_alone() {
            meant.sessions.iter().filter_map(|id| self.active.find(id, now)).collect()
        } else {
            self.active.list(usize::MAX, now, is_over)
        };
        for id in meant.sessions.iter().copied().chain(ended.iter().map(|seen| &seen.id)) {
            self.active.forget(id);
            self.table.discard(id);
        }
        ended
    }

    /// Tells the application of what was ended from outside: of each session that was known here, and of what is named but was not.
    fn tell(&self, targets: &[Target<'_>], ended: &[ActiveSession], by: By) {
        let Some(notices) = self.notices.as_ref().filter(|_| by.is_outside()) else { return };
        // Who hears that all are meant needs no list.
        let each = if targets.contains(&Target::Everybody) { &[] } else { ended };
        let known = each.iter().map(|seen| Notice::of(seen, by));
        let unknown = unknown(targets, ended).map(|target| Notice::of_unknown(target, by));
        let dropped = known.chain(unknown).filter(|notice| !notices.send(notice.clone())).count();
        if dropped > 0 {
            self.metrics.app_hooks_dropped(dropped);
            tracing::warn!(dropped, "the application is not told of sessions that ended: too many notices wait");
        }
    }
}

/// Those targets that no session in `ended` stands for. Keycloak names a session by two ids, without saying which two belong together: where
/// there is its own, which the application may know, ours says nothing more.
fn unknown<'a>(targets: &'a [Target<'a>], ended: &'a [ActiveSession]) -> impl Iterator<Item = Target<'a>> {
    let by_sid = targets.iter().any(|target| matches!(target, Target::Sid(_)));
    targets.iter().copied().filter(move |target| match target {
        Target::Everybody => true,
        Target::Session(_) if by_sid => false,
        target => {
            let meant = Meant::of(std::iter::once(*target));
            !ended.iter().any(|seen| meant.concerns(&seen.into()))
        }
    })
}

impl Notice {
    fn of(seen: &ActiveSession, by: By) -> Self {
        Self {
            by,
            everybody: false,
            subject: Some(seen.subject.clone()),
            sid: seen.sid.clone(),
            session: Some(seen.id.clone()),
        }
    }

    fn of_unknown(target: Target<'_>, by: By) -> Self {
        let nobody = Self { by, everybody: false, subject: None, sid: None, session: None };
        match target {
            Target::Everybody => Self { everybody: true, ..nobody },
            Target::Session(id) => Self { session: Some(id.clone()), ..nobody },
            Target::Sid(sid) => Self { sid: Some(sid.clone()), ..nobody },
            Target::Subject(subject) => Self { subject: Some(subject.clone()), ..nobody },
        }
    }
}

/// Whom several targets mean, found at once however many they are.
#[derive(Default)]
struct Meant<'a> {
    everybody: bool,
    sessions: HashSet<&'a AdapterSessionId>,
    sids: HashSet<&'a Sid>,
    subjects: HashSet<&'a Subject>,
}

impl<'a> Meant<'a> {
    fn of(targets: impl Iterator<Item = Target<'a>>) -> Self {
        let mut meant = Self::default();
        for target in targets {
            match target {
                Target::Everybody => meant.everybody = true,
                Target::Session(id) => drop(meant.sessions.insert(id)),
                Target::Sid(sid) => drop(meant.sids.insert(sid)),
                Target::Subject(subject) => drop(meant.subjects.insert(subject)),
            }
        }
        meant
    }

    /// Whether they could mean what bears these marks, whatever its age.
    fn concerns(&self, marks: &Marks<'_>) -> bool {
        self.everybody
            || marks.adapter_session_id.is_some_and(|id| self.sessions.contains(id))
            || marks.sid.is_some_and(|sid| self.sids.contains(sid))
            || self.subjects.contains(marks.subject)
    }

    fn is_by_id_alone(&self) -> bool {
        !self.everybody && self.sids.is_empty() && self.subjects.is_empty()
    }
}

/// Writes into the audit stream that what `target` means was ended.
fn note(target: Target<'_>, streams: usize, by: By, now: Timestamp) {
    let (mut subject, mut session, mut sid) = (None, None, None);
    match target {
        Target::Everybody => {}
        Target::Session(id) => session = Some(id),
        Target::Sid(id) => sid = Some(id),
        Target::Subject(id) => subject = Some(id),
    }
    audit::record(&Event::Ended { by: by.word(), subject, session, sid, streams }, now);
}

impl<'a> From<&'a ActiveSession> for Marks<'a> {
    fn from(seen: &'a ActiveSession) -> Self {
        Self {
            adapter_session_id: Some(&seen.id),
            sid: seen.sid.as_ref(),
            subject: &seen.subject,
            established_at: seen.established_at,
            token_iat: seen.token_iat,
            proof: Some(Proof { at: seen.proved_at, by: &seen.proved_by }),
        }
    }
}

impl<'a> From<&'a Owner> for Marks<'a> {
    fn from(owner: &'a Owner) -> Self {
        match owner {
            Owner::Session(session) => session.as_ref().into(),
            Owner::Token(token) => token.into(),
        }
    }
}

/// What can end a bearer token: whatever ends its subject's tokens of its age.
impl<'a> From<&'a TokenOwner> for Marks<'a> {
    fn from(token: &'a TokenOwner) -> Self {
        Self {
            adapter_session_id: None,
            sid: token.sid.as_ref(),
            subject: &token.subject,
            established_at: token.issued_at,
            token_iat: token.issued_at,
            proof: None,
        }
    }
}

impl<'a> From<&'a Bearer> for Marks<'a> {
    fn from(bearer: &'a Bearer) -> Self {
        Self {
            adapter_session_id: None,
            sid: bearer.sid(),
            subject: &bearer.principal().subject,
            established_at: bearer.issued_at(),
            token_iat: bearer.issued_at(),
            proof: None,
        }
    }
}
