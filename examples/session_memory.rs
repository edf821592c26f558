//! What a session in the process costs in memory: puts many, each like a login that Keycloak 26 answers, into the store and prints what
//! the process grew by. `session_memory [COUNT]`; 100,000 when nothing is said. Linux only (`/proc`).

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use doorward::{
    domain::{
        AdapterSessionId, Issuer, Lifetimes, NodeIncarnation, Principal, Random, SecretString, Session, Sid, Subject,
        SystemRandom, Timestamp, TokenSet, opaque_token,
    },
    session::{Config, CookieConfig, MemoryStore, RequestCookies, SameSite, SessionStore, SessionTable, TokenStore},
    status::Metrics,
};

const NOW: Timestamp = Timestamp::from_secs(1_763_786_012);
const ISSUER: &str = "https://login.acme-industries.eu/realms/production";
const PROFILE: &str = r#""email_verified":true,"name":"Henriette Zimmermann","groups":["/staff","/staff/logistics"],"preferred_username":"h.zimmermann","given_name":"Henriette","family_name":"Zimmermann","email":"h.zimmermann@acme-industries.eu""#;

fn main() -> Result<(), Box<dyn Error>> {
    let count = env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let lifetimes = Lifetimes { idle: Duration::from_secs(1800), max: Duration::from_secs(36_000) };
    let cookie = CookieConfig {
        name: "KEYCLOAK_ADAPTER_STATE".to_owned(),
        path: "/".to_owned(),
        secure: true,
        same_site: SameSite::Lax,
        keys: Vec::new(),
    };
    let config = Config { lifetimes, cookie, store: TokenStore::Session, capacity: count };
    let table = Arc::new(SessionTable::new(count, Arc::new(Metrics::new()?)));
    let store = MemoryStore::new(&config, table.clone(), "site", Arc::new(SystemRandom))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let before = resident()?;
    for _ in 0..count {
        drop(runtime.block_on(store.save(&login(), &RequestCookies::default(), NOW))?);
    }
    let each = (resident()? - before) / table.len();
    writeln!(io::stdout(), "{} sessions, {each} bytes each", table.len())?;
    Ok(())
}

/// `VmRSS`, in bytes.
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}

fn login() -> Session {
    let (sub, sid) = (uuid(), uuid());
    Session {
        adapter_session_id: AdapterSessionId::new(opaque_token(&SystemRandom)),
        issuer: Issuer::new(ISSUER),
        sid: Some(Sid::new(sid.clone())),
        principal: Principal {
            subject: Subject::new(sub.clone()),
            username: Some("h.zimmermann".to_owned()),
            email: Some("h.zimmermann@acme-industries.eu".to_owned()),
            groups: ["/staff", "/staff/logistics"].map(str::to_owned).to_vec(),
            roles: [
                "account:manage-account",
                "account:manage-account-links",
                "account:view-profile",
                "default-roles-production",
                "dispatcher",
                "offline_access",
                "uma_authorization",
            ]
            .map(str::to_owned)
            .to_vec(),
            claims: BTreeMap::from([("name".to_owned(), vec!["Henriette Zimmermann".to_owned()])]),
        },
        tokens: tokens(&sub, &sid),
        established_at: NOW,
        token_iat: NOW,
        renewed_at: NOW,
        proved_at: NOW,
        proved_by: NodeIncarnation::new(opaque_token(&SystemRandom)),
        opened_at: NOW,
        last_seen: NOW,
    }
}

/// Claims in Keycloak's order; random where they are random there.
fn tokens(sub: &str, sid: &str) -> TokenSet {
    let (kid, nonce, hash) = (uuid(), opaque_token(&SystemRandom), &opaque_token(&SystemRandom)[..22]);
    let access = format!(
        r#"{{"exp":1763786312,"iat":1763786012,"auth_time":1763786011,"jti":"onrtac:{}","iss":"{ISSUER}","aud":"account","sub":"{sub}","typ":"Bearer","azp":"warehouse","sid":"{sid}","acr":"1","allowed-origins":["https://warehouse.acme-industries.eu"],"realm_access":{{"roles":["default-roles-production","offline_access","dispatcher","uma_authorization"]}},"resource_access":{{"account":{{"roles":["manage-account","manage-account-links","view-profile"]}}}},"scope":"openid profile email",{PROFILE}}}"#,
        uuid()
    );
    let id = format!(
        r#"{{"exp":1763786312,"iat":1763786012,"auth_time":1763786011,"jti":"{}","iss":"{ISSUER}","aud":"warehouse","sub":"{sub}","typ":"ID","azp":"warehouse","nonce":"{nonce}","sid":"{sid}","at_hash":"{hash}","acr":"1",{PROFILE}}}"#,
        uuid()
    );
    let refresh = format!(
        r#"{{"exp":1763787812,"iat":1763786012,"jti":"{}","iss":"{ISSUER}","aud":"{ISSUER}","sub":"{sub}","typ":"Refresh","azp":"warehouse","sid":"{sid}","scope":"openid roles web-origins profile acr email basic"}}"#,
        uuid()
    );
    TokenSet {
        access: jwt("RS256", &kid, &access, 256),
        access_expires: Some(NOW.plus(Duration::from_secs(300))),
        refresh: Some(jwt("HS512", &kid, &refresh, 64)),
        id: jwt("RS256", &kid, &id, 256),
    }
}

fn jwt(algorithm: &str, kid: &str, payload: &str, signature_len: usize) -> SecretString {
    let header = format!(r#"{{"alg":"{algorithm}","typ" : "JWT","kid" : "{kid}"}}"#);
    let mut signature = vec![0; signature_len];
    SystemRandom.fill(&mut signature);
    let parts = [header.as_bytes(), payload.as_bytes(), &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    SecretString::new(parts.join("."))
}

fn uuid() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
