//! What revocations cost: holds many, and prints the bytes that each takes and the CPU time of checking one session against all of them.
//! `revocations [COUNT]`; 1,000,000 when nothing is said, which is as many as are ever held. Linux only (`/proc`).

use std::{
    env,
    error::Error,
    fs,
    hint::black_box,
    io::{self, Write as _},
    time::Duration,
};

use doorward::{
    domain::{AdapterSessionId, NodeIncarnation, Random, Sid, Subject, SystemRandom, Timestamp, opaque_token},
    revocation::{Config, Marks, Proof, Revocation, Revocations, Source, Target, Verdict},
};

const START: Timestamp = Timestamp::from_secs(1_763_786_012);
/// Enough that the sessions checked one after the other are not in the processor's caches.
const CHECKED: usize = 100_000;
const ROUNDS: usize = 9;

/// What a login is known by.
struct Login {
    id: AdapterSessionId,
    sid: Sid,
    subject: Subject,
    me: NodeIncarnation,
}

impl Login {
    fn new(me: &NodeIncarnation) -> Self {
        Self {
            id: AdapterSessionId::new(opaque_token(&SystemRandom)),
            sid: Sid::new(uuid()),
            subject: Subject::new(uuid()),
            me: me.clone(),
        }
    }

    /// A session that was established, and proved, a minute after the start.
    fn marks(&self) -> Marks<'_> {
        let at = START.plus(Duration::from_secs(60));
        Marks {
            adapter_session_id: Some(&self.id),
            sid: Some(&self.sid),
            subject: &self.subject,
            established_at: at,
            token_iat: at,
            proof: Some(Proof { at, by: &self.me }),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let count = env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let me = NodeIncarnation::new(opaque_token(&SystemRandom));
    let revocations = Revocations::open(Config::default(), me.clone(), START)?;
    let living: Vec<Login> = (0..CHECKED).map(|_| Login::new(&me)).collect();
    let mut ended: Vec<Login> = (0..CHECKED.min(count)).map(|_| Login::new(&me)).collect();

    check("none held, a living session", &revocations, &living, Verdict::Clear)?;
    let (memory, time) = (resident()?, cpu()?);
    for (number, login) in ended.iter().enumerate() {
        revoke(&revocations, login, number);
    }
    for number in ended.len()..count {
        revoke(&revocations, &Login::new(&me), number);
    }
    let held = revocations.len();
    let each = (resident()? - memory) / held;
    writeln!(
        io::stdout(),
        "{held} held: {each} bytes and {} ns each to put in (its name made as well)",
        (cpu()? - time) / held as u64
    )?;
    check(&format!("{held} held, a living session"), &revocations, &living, Verdict::Clear)?;
    // They are looked for in another order than they were put in.
    ended.sort_by(|one, other| one.sid.as_str().cmp(other.sid.as_str()));
    check(&format!("{held} held, an ended session"), &revocations, &ended, Verdict::Ended)
}

/// Ends a login by one of its names: of five, two each by login and by session at the identity server, one by user.
fn revoke(revocations: &Revocations, login: &Login, number: usize) {
    let target = match number % 5 {
        0 | 1 => Target::Session(&login.id),
        2 | 3 => Target::Sid(&login.sid),
        _ => Target::Subject(&login.subject),
    };
    let now = START.plus(Duration::from_secs(120));
    let keep_until = revocations.until_proved(now).plus(Duration::from_millis(number as u64 % 600_000));
    revocations.revoke(&Revocation { target, cut: now, source: Source::IdentityServer, keep_until }, now);
}

/// Checks every one of them, several times, and prints the time for one.
fn check(what: &str, revocations: &Revocations, logins: &[Login], expected: Verdict) -> Result<(), Box<dyn Error>> {
    let now = START.plus(Duration::from_secs(120));
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let before = cpu()?;
        let met = logins.iter().filter(|login| black_box(revocations.judge(login.marks(), now)) == expected).count();
        rounds.push((cpu()? - before) / logins.len() as u64);
        assert_eq!(met, logins.len(), "{what}: not all of them are {expected:?}");
    }
    rounds.sort_unstable();
    writeln!(io::stdout(), "{what}: {} ns a check ({}-{})", rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1])?;
    Ok(())
}

/// Nanoseconds that this thread was on a processor.
fn cpu() -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no schedstat")?.parse()?)
}

/// `VmRSS`, in bytes.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}

fn uuid() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
