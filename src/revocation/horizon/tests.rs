//! The rule by example, and in a random model of what it promises.

use super::*;
use crate::{
    domain::{AdapterSessionId, Sid, Subject},
    revocation::{Marks, Revocation, Revocations, Source, Target, Verdict},
};

const NOW: Timestamp = Timestamp::from_secs(100_000);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn what_was_heard_vouches_for_proofs_since_the_ground_and_no_others() {
    let before = Some(Interval { ground: NOW.minus(secs(500)), heard: NOW.minus(secs(300)) });
    let hearing = Hearing { ground: NOW.minus(secs(100)), heard: NOW, before };
    let vouched = |proved: u64| NOW.since(hearing.vouched(NOW.minus(secs(proved)), secs(5), secs(15))).as_secs();
    assert_eq!(vouched(80), 0, "proved when an end before the ground must have been committed");
    assert_eq!(vouched(81), 81, "an end just before the ground may have been under way");
    assert_eq!(vouched(480), 300, "heard of until the gap");
    assert_eq!(vouched(481), 481);
}

#[test]
fn a_share_is_between_a_half_and_all_and_differs_from_session_to_session() {
    let shares: Vec<_> = (0..1_000).map(|n| Share::of_id(&format!("session {n}")).of(secs(1024)).as_secs()).collect();
    assert!(shares.iter().all(|share| (512..=1024).contains(share)));
    let low = shares.iter().filter(|share| **share < 640).count();
    let high = shares.iter().filter(|share| **share > 896).count();
    assert!(low > 150 && high > 150, "{low} low and {high} high of 1000");
}

#[test]
fn a_session_that_an_earlier_start_proved_is_asked_for_however_young_the_proof_is() {
    let horizon = Horizon::new(Config::default(), NodeIncarnation::new("me"), NOW);
    let doubts = |name: &str| horizon.doubts(Proof { at: NOW, by: &NodeIncarnation::new(name) }, Share(512), NOW);
    assert_eq!((doubts("the last start"), doubts("me")), (Some(Doubt::Gap), None));
}

#[test]
fn a_proof_ahead_of_now_counts_as_none() {
    let horizon = Horizon::new(Config::default(), NodeIncarnation::new("me"), NOW.minus(secs(3600)));
    let them = NodeIncarnation::new("them");
    let doubts = |ahead| horizon.doubts(Proof { at: NOW.plus(secs(ahead)), by: &them }, Share(0), NOW);
    assert_eq!((doubts(5), doubts(6)), (None, Some(Doubt::Age)));
}

#[test]
fn another_node_at_work_is_known_by_its_proofs() {
    let horizon = Horizon::new(Config::default(), NodeIncarnation::new("me"), NOW);
    let (me, them) = (NodeIncarnation::new("me"), NodeIncarnation::new("them"));
    let proved = |by, after| horizon.betrays_others(Proof { at: NOW.plus(secs(after)), by });
    assert!(!proved(&them, 5), "the one that this one follows, by a clock that may differ");
    assert!(proved(&them, 6) && !proved(&me, 6));
    let deafened = |at, now| horizon.deafen(NOW.plus(secs(at)), NOW.plus(secs(now)));
    assert!(deafened(60, 60) && !deafened(90, 90), "it is news once");
    assert!(!deafened(80, 1_000), "and a proof of long ago is none");
    let own = Proof { at: NOW.plus(secs(100)), by: &me };
    assert_eq!(horizon.doubts(own, Share(512), NOW.plus(secs(131))), Some(Doubt::Deaf));
    assert!(horizon.is_deaf(NOW.plus(secs(689))) && !horizon.is_deaf(NOW.plus(secs(690))));
    assert_eq!(horizon.bound(NOW.plus(secs(100))), secs(50));
    assert_eq!(horizon.bound(NOW.plus(secs(739))), secs(50), "proofs of before may still be believed");
    assert_eq!(horizon.bound(NOW.plus(secs(740))), Duration::ZERO);
}

#[test]
fn the_identity_servers_clock_is_measured_as_far_as_whole_seconds_tell() {
    let at = |millis: i64| Timestamp::from_millis(100_000_000 + millis);
    assert_eq!(offset(at(0), at(400), at(900)), 0, "within its second");
    assert_eq!(offset(at(0), at(1_500), at(1_600)), -501);
    assert_eq!(offset(at(3_000), at(400), at(900)), 2_100);
    let horizon = Horizon::new(Config::default(), NodeIncarnation::new("me"), at(0));
    assert_eq!(horizon.hear_clock(at(9_000), at(3_900), at(4_000)), 5_000);
    assert!(!horizon.is_deaf(at(4_000)), "as much as is accepted");
    assert_eq!(horizon.hear_clock(at(10_000), at(3_900), at(4_000)), 6_000);
    assert!(!horizon.is_deaf(at(4_000)), "one measurement is none");
    assert_eq!(horizon.hear_clock(at(10_000), at(3_900), at(4_000)), 6_000);
    assert!(horizon.is_deaf(at(4_000)));
    assert_eq!(horizon.at_the_identity_server(at(4_000)), at(10_000));
}

/// One world: an identity server with many sessions, nodes with clocks of their own that start and crash, and browsers.
struct Model {
    chance: u64,
    now: Timestamp,
    nodes: Vec<Node>,
    logins: Vec<Login>,
    served: usize,
    asked: usize,
}

struct Node {
    /// How far its clock is ahead, in milliseconds, and 5,000 behind at the most.
    ahead: u64,
    up: Option<(Revocations, NodeIncarnation)>,
}

struct Login {
    id: AdapterSessionId,
    sid: Sid,
    subject: Subject,
    established_at: Timestamp,
    /// What its browser's cookie says.
    proved_at: Timestamp,
    proved_by: NodeIncarnation,
    /// When its end was pushed, and answered with success by a node.
    ended_at: Option<Timestamp>,
    /// From when on the identity server says that it is over.
    committed_at: Option<Timestamp>,
}

impl Model {
    fn new(seed: u64, nodes: usize) -> Self {
        let mut model = Self {
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            now: NOW,
            nodes: Vec::new(),
            logins: Vec::new(),
            served: 0,
            asked: 0,
        };
        for n in 0..nodes {
            // Clocks of one node at a time do not differ from themselves, those of two by 5 seconds at most.
            let ahead = if n == 0 { 2_500 } else { model.draw(5_001) };
            model.nodes.push(Node { ahead, up: None });
            model.start(n);
        }
        model
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % below
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.draw(count as u64)).unwrap()
    }

    fn clock(&self, node: usize) -> Timestamp {
        self.now.plus(Duration::from_millis(self.nodes[node].ahead)).minus(Duration::from_millis(2_500))
    }

    fn start(&mut self, node: usize) {
        let me = NodeIncarnation::new(format!("{node} at {:?}", self.now));
        let up = Revocations::open(Config::default(), me.clone(), self.clock(node)).unwrap();
        self.nodes[node].up = Some((up, me));
    }

    fn log_in(&mut self, node: usize) {
        let Some((_, me)) = &self.nodes[node].up else { return };
        let n = self.logins.len();
        self.logins.push(Login {
            id: AdapterSessionId::new(format!("id {n}")),
            sid: Sid::new(format!("sid {n}")),
            subject: Subject::new(format!("subject {n}")),
            established_at: Timestamp::from_secs(self.now.as_secs()),
            proved_at: self.clock(node),
            proved_by: me.clone(),
            ended_at: None,
            committed_at: None,
        });
    }

    /// The identity server ends a session: it pushes to one node, which may be down, and commits after.
    fn end(&mut self, login: usize, node: usize) {
        let committed_at = self.now.plus(Duration::from_millis(self.draw(15_000)));
        let (heard_at, now) = (self.clock(node), self.now);
        let login = &mut self.logins[login];
        login.committed_at.get_or_insert(committed_at);
        if let Some((revocations, _)) = &self.nodes[node].up {
            let keep_until = revocations.until_proved(heard_at);
            let source = Source::IdentityServer;
            let revocation = Revocation { target: Target::Sid(&login.sid), cut: now, source, keep_until };
            revocations.revoke(&revocation, heard_at);
            login.ended_at.get_or_insert(now);
        }
    }

    /// A request. `None`: not served. Else whether the identity server was asked first.
    fn request(&mut self, login: usize, node: usize) -> Option<bool> {
        let clock = self.clock(node);
        let (revocations, me) = self.nodes[node].up.as_ref()?;
        let login = &mut self.logins[login];
        let proof = Proof { at: login.proved_at, by: &login.proved_by };
        if revocations.horizon().betrays_others(proof) {
            revocations.horizon().deafen(proof.at, clock);
        }
        match revocations.judge(login.marks(), clock) {
            Verdict::Ended => None,
            Verdict::Clear => Some(false),
            Verdict::Doubtful(_) if login.committed_at.is_some_and(|at| at <= self.now) => None,
            Verdict::Doubtful(_) => {
                (login.proved_at, login.proved_by) = (clock, me.clone());
                let is_clear = revocations.judge_proved(login.marks(), clock) == Verdict::Clear;
                is_clear.then_some(true)
            }
        }
    }

    /// The user of an ended session signs in again under the same `sid`, perhaps before the end is committed, which then ends this login too.
    fn log_in_again(&mut self, before: usize, node: usize) {
        let count = self.logins.len();
        self.log_in(node);
        if self.logins.len() == count {
            return;
        }
        let Login { sid, subject, committed_at, ended_at, .. } = &self.logins[before];
        let is_caught = committed_at.filter(|at| self.now < *at);
        let (sid, subject, pushed) = (sid.clone(), subject.clone(), ended_at.is_some());
        let again = &mut self.logins[count];
        (again.sid, again.subject) = (sid, subject);
        again.committed_at = is_caught;
        again.ended_at = is_caught.filter(|_| pushed);
    }

    fn step(&mut self, crashes: bool) {
        self.now = self.now.plus(Duration::from_millis(self.chance % 900));
        let node = self.pick(self.nodes.len());
        match self.draw(100) {
            0 => self.log_in(node),
            1 if !self.logins.is_empty() => {
                let login = self.pick(self.logins.len());
                self.end(login, node);
            }
            2 if crashes && self.draw(8) == 0 => self.nodes[node].up = None,
            3 if self.nodes[node].up.is_none() => self.start(node),
            4 if !self.logins.is_empty() => {
                let mut ending =
                    (0..self.logins.len()).filter(|n| self.logins[*n].committed_at.is_some_and(|at| at > self.now));
                let before = ending.next_back().unwrap_or_else(|| self.logins.len() - 1);
                self.log_in_again(before, node);
            }
            _ if !self.logins.is_empty() => {
                let login = self.pick(self.logins.len());
                let served = self.request(login, node);
                self.served += usize::from(served.is_some());
                self.asked += usize::from(served == Some(true));
                if served.is_some() {
                    self.must_be_within_the_bound(login, node);
                }
            }
            _ => {}
        }
    }

    fn must_be_within_the_bound(&self, login: usize, node: usize) {
        let config = Config::default();
        let bound = config.outage_proof + config.settle + config.skew;
        let login = &self.logins[login];
        // A push that reached no node is known to nobody: the session ends with its next proof.
        let unheard = login.committed_at.map(|at| at.plus(config.proof_life));
        let latest = login.ended_at.map(|at| at.plus(bound)).or(unheard);
        assert!(
            latest.is_none_or(|latest| self.now <= latest),
            "{} at node {node}, {:?} after it was ended",
            login.id,
            login.ended_at.map(|at| self.now.since(at)),
        );
    }
}

impl Login {
    fn marks(&self) -> Marks<'_> {
        Marks {
            adapter_session_id: Some(&self.id),
            sid: Some(&self.sid),
            subject: &self.subject,
            established_at: self.established_at,
            token_iat: self.established_at,
            proof: Some(Proof { at: self.proved_at, by: &self.proved_by }),
        }
    }
}

#[test]
fn a_node_alone_never_serves_what_was_ended_past_the_bound_through_any_crashes() {
    let (mut served, mut asked) = (0, 0);
    for seed in 1..200 {
        let mut model = Model::new(seed, 1);
        for _ in 0..3_000 {
            model.step(true);
        }
        (served, asked) = (served + model.served, asked + model.asked);
    }
    assert!(served > 100_000, "the model must serve: {served}");
    assert!(asked * 10 < served, "and seldom ask: {asked} of {served}");
}

/// Without a log nobody tells a node what the others hear, but their proofs betray them soon where requests go to any node.
#[test]
fn nodes_that_share_nothing_are_betrayed_by_each_others_proofs() {
    for seed in 1..100 {
        let mut model = Model::new(seed, 3);
        for _ in 0..100 {
            model.log_in(0);
            model.log_in(1);
        }
        for _ in 0..2_000 {
            model.now = model.now.plus(Duration::from_millis(100));
            let (login, node) = (model.pick(model.logins.len()), model.pick(3));
            model.request(login, node);
        }
        for _ in 0..3_000 {
            model.step(false);
        }
        assert!(model.served > 1_000);
    }
}
