//! What revocations hit, and what takes them back.

use super::*;

const NOW: Timestamp = Timestamp::from_secs(10_000);
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// A login, with everything that can be hit.
struct Login {
    id: AdapterSessionId,
    sid: Sid,
    subject: Subject,
    established_at: Timestamp,
    token_iat: Timestamp,
    proved_at: Timestamp,
    by: NodeIncarnation,
}

impl Login {
    /// One of an hour before, proved a moment ago by the node itself.
    fn of(subject: &str) -> Self {
        Self {
            id: AdapterSessionId::new(format!("{subject}'s login")),
            sid: Sid::new(format!("{subject}'s sid")),
            subject: Subject::new(subject),
            established_at: NOW.minus(HOUR),
            token_iat: NOW.minus(30 * SECOND),
            proved_at: NOW.minus(SECOND),
            by: me(),
        }
    }

    fn established(self, established_at: Timestamp) -> Self {
        Self { established_at, token_iat: established_at, ..self }
    }

    fn proved(&self, proved_at: Timestamp) -> Marks<'_> {
        Marks { proof: Some(Proof { at: proved_at, by: &self.by }), ..self.into() }
    }
}

impl<'a> From<&'a Login> for Marks<'a> {
    fn from(login: &'a Login) -> Self {
        Self {
            adapter_session_id: Some(&login.id),
            sid: Some(&login.sid),
            subject: &login.subject,
            established_at: login.established_at,
            token_iat: login.token_iat,
            proof: Some(Proof { at: login.proved_at, by: &login.by }),
        }
    }
}

fn me() -> NodeIncarnation {
    NodeIncarnation::new("me")
}

/// A node that has been up for long.
fn node() -> Revocations {
    Revocations::open(Config::default(), me(), NOW.minus(HOUR)).unwrap()
}

fn pushed(target: Target<'_>, cut: Timestamp) -> Revocation<'_> {
    Revocation { target, cut, source: Source::IdentityServer, keep_until: NOW.plus(HOUR) }
}

#[test]
fn a_login_that_was_ended_stays_ended_until_it_would_have_ended_by_itself() {
    let (node, ada, bob) = (node(), Login::of("ada"), Login::of("bob"));
    node.revoke(&pushed(Target::Session(&ada.id), NOW), NOW);
    assert_eq!(node.judge(&ada, NOW), Verdict::Ended);
    assert_eq!(node.check(&ada, NOW), Err(Revoked));
    assert_eq!(node.judge(&bob, NOW), Verdict::Clear);
    assert_eq!(node.check(&ada, NOW.plus(HOUR)), Ok(()));
}

#[test]
fn what_is_kept_for_long_is_not_forgotten_sooner_because_it_is_said_again() {
    let (node, ada) = (node(), Login::of("ada"));
    let ours =
        Revocation { source: Source::Ours, keep_until: NOW.plus(2 * HOUR), ..pushed(Target::Session(&ada.id), NOW) };
    node.revoke(&ours, NOW);
    node.revoke(&pushed(Target::Session(&ada.id), NOW), NOW);
    assert_eq!(node.check(&ada, NOW.plus(HOUR)), Err(Revoked));
}

#[test]
fn a_cut_ends_older_sessions_leaves_newer_ones_and_asks_about_those_of_the_time_between() {
    let Config { skew, settle, .. } = Config::default();
    let sid = Sid::new("ada's sid");
    let ada = Subject::new("ada");
    for target in [Target::Sid(&sid), Target::Subject(&ada)] {
        let node = node();
        node.revoke(&pushed(target, NOW), NOW);
        let judged = |established_at| node.judge(&Login::of("ada").established(established_at), NOW);
        assert_eq!(judged(NOW.minus(skew).minus(SECOND)), Verdict::Ended);
        assert_eq!(judged(NOW.minus(skew)), Verdict::Doubtful(Doubt::Cut));
        assert_eq!(judged(NOW.plus(settle).plus(skew)), Verdict::Doubtful(Doubt::Cut), "before the end was committed");
        assert_eq!(judged(NOW.plus(settle).plus(skew).plus(SECOND)), Verdict::Clear);
        assert_eq!(node.judge(&Login::of("bob").established(NOW.minus(HOUR)), NOW), Verdict::Clear);
    }
}

#[test]
fn who_came_while_the_end_of_everybody_was_being_committed_is_asked_for() {
    let Config { skew, settle, .. } = Config::default();
    let node = node();
    node.revoke(&pushed(Target::Everybody, NOW), NOW);
    let at = |seconds| NOW.plus(seconds * SECOND);
    let login = |established_at| Login::of("ada").established(established_at);
    assert_eq!(node.judge(&login(NOW), at(2)), Verdict::Ended);
    assert_eq!(node.judge(login(at(1)).proved(at(1)), at(3)), Verdict::Doubtful(Doubt::Cut));
    assert_eq!(node.judge(login(at(1)).proved(at(15)), at(60)), Verdict::Clear);
    let late = NOW.plus(settle).plus(skew).plus(SECOND);
    assert_eq!(node.judge(login(late).proved(late), late), Verdict::Clear);
    let refreshed = Login { token_iat: at(1), ..login(NOW.minus(HOUR)) };
    assert_eq!(node.judge(refreshed.proved(at(1)), at(3)), Verdict::Doubtful(Doubt::Cut), "a refresh of that time");
    let ours = Revocation { source: Source::Ours, ..pushed(Target::Everybody, at(100)) };
    node.revoke(&ours, at(100));
    assert_eq!(node.judge(login(at(101)).proved(at(101)), at(102)), Verdict::Clear, "nobody there knows of ours");
}

#[test]
fn a_proof_answers_what_was_heard_before_it_was_asked_for_and_nothing_later() {
    let (node, ada) = (node(), Login::of("ada").established(NOW));
    node.revoke(&pushed(Target::Sid(&ada.sid), NOW), NOW);
    let slow = NOW.plus(10 * SECOND);
    assert_eq!(node.judge_proved(ada.proved(NOW.minus(SECOND)), slow), Verdict::Doubtful(Doubt::Cut));
    assert_eq!(node.judge_proved(ada.proved(NOW.plus(SECOND)), slow), Verdict::Clear, "however long it took");
    assert!(node.hint(&ada.sid, Hinted::Unknown, NOW.plus(2 * SECOND)));
    assert_eq!(node.judge_proved(ada.proved(NOW.plus(SECOND)), slow), Verdict::Doubtful(Doubt::Hint));
    node.revoke(&pushed(Target::Session(&ada.id), slow), slow);
    assert_eq!(node.judge_proved(ada.proved(slow), slow), Verdict::Ended);
}

#[test]
fn our_own_cut_and_the_identity_servers_stand_beside_each_other() {
    let (node, ada) = (node(), Login::of("ada").established(NOW));
    node.revoke(&pushed(Target::Subject(&ada.subject), NOW), NOW);
    node.revoke(&Revocation { source: Source::Ours, ..pushed(Target::Subject(&ada.subject), NOW.minus(HOUR)) }, NOW);
    assert_eq!(node.judge(&ada, NOW), Verdict::Doubtful(Doubt::Cut), "an older cut of ours takes no asking away");
    node.revoke(&Revocation { source: Source::Ours, ..pushed(Target::Subject(&ada.subject), NOW) }, NOW);
    node.revoke(&pushed(Target::Subject(&ada.subject), NOW.plus(SECOND)), NOW);
    assert_eq!(node.judge(&ada, NOW), Verdict::Ended, "nor a newer one of theirs ours");
}

#[test]
fn while_an_end_is_being_committed_each_answer_holds_for_a_second_and_then_for_good() {
    let (node, ada) = (node(), Login::of("ada").established(NOW));
    node.revoke(&pushed(Target::Sid(&ada.sid), NOW), NOW);
    let at = |seconds| NOW.plus(seconds * SECOND);
    assert_eq!(node.judge(ada.proved(NOW.minus(SECOND)), NOW), Verdict::Doubtful(Doubt::Cut), "asked before the push");
    assert_eq!(node.judge(ada.proved(at(3)), at(4)), Verdict::Clear);
    assert_eq!(node.judge(ada.proved(at(3)), at(5)), Verdict::Doubtful(Doubt::Cut));
    assert_eq!(node.judge(ada.proved(at(15)), at(60)), Verdict::Clear, "what is settled is settled");
    let theirs = NodeIncarnation::new("another node");
    let proved = |seconds| Marks { proof: Some(Proof { at: at(seconds), by: &theirs }), ..Marks::from(&ada) };
    assert_eq!(
        node.judge(proved(3), at(3)),
        Verdict::Doubtful(Doubt::Cut),
        "another node's answer is not of this moment"
    );
    assert_eq!(node.judge(proved(15), at(20)), Verdict::Doubtful(Doubt::Cut), "clocks may differ");
}

#[test]
fn everybody_means_what_was_issued_up_to_then_and_nothing_takes_it_back() {
    let node = node();
    node.revoke(&pushed(Target::Everybody, NOW), NOW);
    node.revoke(&pushed(Target::Everybody, NOW.minus(HOUR)), NOW);
    assert!(node.set_not_before(None, NOW.plus(SECOND)));
    assert_eq!(node.judge(&Login::of("ada").established(NOW), NOW), Verdict::Ended);
    assert_eq!(node.check(&Login::of("ada").established(NOW.plus(SECOND)), NOW), Ok(()));
}

#[test]
fn of_not_befores_the_newest_order_stands_and_nothing_takes_it_back() {
    let node = node();
    let old = Login::of("ada").established(NOW.minus(HOUR));
    let of_then = Login::of("ada").established(NOW);
    assert!(node.set_not_before(Some(NOW), NOW));
    assert_eq!((node.judge(&old, NOW), node.judge(&of_then, NOW)), (Verdict::Ended, Verdict::Clear));
    assert!(!node.set_not_before(None, NOW.minus(SECOND)), "an older order, come late");
    assert_eq!(node.judge(&old, NOW), Verdict::Ended);
    assert!(node.set_not_before(None, NOW.plus(SECOND)));
    assert_eq!(node.judge(&old, NOW), Verdict::Clear);
}

#[test]
fn a_subjects_not_before_cuts_its_older_tokens_alone_and_only_rises() {
    let node = node();
    let (ada, bob) = (Subject::new("ada"), Login::of("bob").established(NOW.minus(HOUR)));
    for value in [500, 990, 700] {
        node.raise_not_before(&ada, NOW.minus(HOUR).plus(value * SECOND), NOW, HOUR);
    }
    let issued = |seconds| node.judge(&Login::of("ada").established(NOW.minus(HOUR).plus(seconds * SECOND)), NOW);
    assert_eq!((issued(989), issued(990)), (Verdict::Ended, Verdict::Clear), "the very instant still counts");
    assert_eq!(node.judge(&bob, NOW), Verdict::Clear);
}

#[test]
fn what_we_alone_know_is_asked_of_nobody() {
    let (node, ada) = (node(), Login::of("ada").established(NOW));
    let ours = Revocation { source: Source::Ours, ..pushed(Target::Subject(&ada.subject), NOW) };
    node.revoke(&ours, NOW);
    assert_eq!(node.judge(&ada, NOW), Verdict::Ended);
    assert_eq!(node.judge(&Login::of("ada").established(NOW.plus(SECOND)), NOW), Verdict::Clear);
}

#[test]
fn a_bearer_token_from_before_a_cut_is_ended_and_never_asked_for() {
    let node = node();
    let ada = Login::of("ada").established(NOW);
    node.revoke(&pushed(Target::Sid(&ada.sid), NOW), NOW);
    let bearer = Marks { adapter_session_id: None, proof: None, ..Marks::from(&ada) };
    assert_eq!(node.judge(bearer, NOW), Verdict::Ended);
    let newer = Marks { established_at: NOW.plus(SECOND), ..bearer };
    assert_eq!(node.judge(newer, NOW), Verdict::Clear);
}

#[test]
fn a_front_channel_logout_ends_nothing_and_makes_its_session_ask() {
    let (node, ada, bob) = (node(), Login::of("ada"), Login::of("bob"));
    assert!(node.hint(&ada.sid, Hinted::Unknown, NOW));
    assert_eq!(node.judge(&ada, NOW), Verdict::Doubtful(Doubt::Hint));
    assert_eq!(node.judge_stream(&ada, NOW), Verdict::Doubtful(Doubt::Hint));
    assert_eq!((node.check(&ada, NOW), node.judge(&bob, NOW)), (Ok(()), Verdict::Clear));
    assert_eq!(node.judge(ada.proved(NOW.plus(16 * SECOND)), NOW.plus(60 * SECOND)), Verdict::Clear);
}

#[test]
fn a_full_table_forgets_one_and_asks_for_what_it_had_heard_of() {
    let node = Revocations::empty(Config::default(), me(), NOW.minus(HOUR), 2);
    let ids = ["a", "b", "c"].map(AdapterSessionId::new);
    for (n, id) in (0..).zip(&ids) {
        let heard = NOW.plus(n * SECOND);
        node.revoke(&Revocation { keep_until: heard.plus(HOUR), ..pushed(Target::Session(id), heard) }, heard);
    }
    assert_eq!(node.len(), 2);
    let later = NOW.plus(60 * SECOND);
    let ada = Login::of("ada");
    assert_eq!(node.judge(&ada, later), Verdict::Doubtful(Doubt::Gap), "its proof is from before what was forgotten");
    assert_eq!(node.judge(ada.proved(NOW.plus(20 * SECOND)), later), Verdict::Clear);
}

#[test]
fn a_stream_lives_on_what_is_heard_however_old_its_proof_is() {
    let (node, ada) = (node(), Login::of("ada"));
    let later = NOW.plus(2 * HOUR);
    assert_eq!(node.judge(&ada, later), Verdict::Doubtful(Doubt::Age));
    assert_eq!(node.judge_stream(&ada, later), Verdict::Clear);
    node.horizon().deafen(later, later);
    assert_eq!(node.judge_stream(&ada, later), Verdict::Doubtful(Doubt::Age));
}

#[tokio::test]
async fn what_we_alone_know_outlives_the_process_and_what_the_identity_server_knows_need_not() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { persist: Some(directory.path().to_owned()), ..Config::default() };
    let (ada, bob) = (Login::of("ada"), Login::of("bob"));
    let node = Revocations::open(config.clone(), me(), NOW).unwrap();
    let ours = Revocation { source: Source::Ours, ..pushed(Target::Session(&ada.id), NOW) };
    node.revoke_for_good(&[ours], NOW).await.unwrap();
    node.revoke_for_good(&[pushed(Target::Session(&bob.id), NOW)], NOW).await.unwrap();
    let next = Revocations::open(config, NodeIncarnation::new("next"), NOW).unwrap();
    assert_eq!(next.check(&ada, NOW), Err(Revoked));
    assert_eq!(
        (next.check(&bob, NOW), next.judge(&bob, NOW.plus(60 * SECOND))),
        (Ok(()), Verdict::Doubtful(Doubt::Gap))
    );
}
