//! What is said to a provider, heard by a small one on a loopback port: proofs, revocation, the names of sessions, and keys that are read
//! again for what it pushes.

use std::{collections::BTreeMap, sync::Arc};

use identity_server::{Client, Endpoint, Fault, IdentityServer, OldKeys, Options, User};
use serde_json::{Value, json};
use url::Url;

use super::{test_keys::config, *};
use crate::domain::{
    AdapterSessionId, Clock, ManualClock, NodeHost, NodeIncarnation, Principal, Session, Sid, Subject, SystemRandom,
    Timestamp, TokenSet,
};

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);
const HOUR: Duration = Duration::from_secs(3600);

struct Scene {
    server: IdentityServer,
    provider: Provider,
    clock: Arc<ManualClock>,
}

impl Scene {
    fn realm() -> Self {
        Self::start(Some("one"))
    }

    fn plain() -> Self {
        Self::start(None)
    }

    fn start(realm: Option<&str>) -> Self {
        let mut options = Options::new(Client::confidential("app", "client-secret", ""), User::named("alice"));
        options.realm = realm.map(str::to_owned);
        let server = IdentityServer::start(options.now(|| NOW.as_secs())).unwrap();
        let provider = match realm {
            Some(realm) => {
                ProviderId::Keycloak { auth_server_url: Url::parse(&server.origin()).unwrap(), realm: realm.to_owned() }
            }
            None => ProviderId::Plain { issuer: Issuer::new(server.issuer()) },
        };
        let secret = ClientAuth::SecretBasic(SecretString::new("client-secret"));
        let clock = Arc::new(ManualClock::at(NOW));
        let mut config = config(provider, &[Algorithm::Rs256], &secret);
        config.jwks_cooldown = HOUR;
        config.jwks_ttl = 24 * HOUR;
        let provider = Provider::build(config, clock.clone(), Arc::new(SystemRandom)).unwrap();
        Self { server, provider, clock }
    }

    /// What UserInfo's answer proves of "alice".
    async fn prove(&self, answer: Fault) -> Result<Proof, ProofError> {
        self.server.next(Endpoint::UserInfo, answer);
        self.provider.prove(&SecretString::new("access"), &Subject::new("alice")).await
    }

    fn form(&self, endpoint: Endpoint) -> BTreeMap<String, String> {
        self.server.received(endpoint).pop().unwrap().form.into_iter().collect()
    }
}

fn said(claims: &Value) -> Fault {
    Fault::text(200, "application/json", &claims.to_string())
}

fn field<'f>(form: &'f BTreeMap<String, String>, name: &str) -> Option<&'f str> {
    form.get(name).map(String::as_str)
}

fn session() -> Session {
    Session {
        adapter_session_id: AdapterSessionId::new("a1"),
        issuer: Issuer::new("https://idp.example"),
        sid: Some(Sid::new("s1")),
        principal: Principal {
            subject: Subject::new("alice"),
            username: None,
            email: None,
            groups: Vec::new(),
            roles: Vec::new(),
            claims: BTreeMap::new(),
        },
        tokens: TokenSet {
            access: SecretString::new("access"),
            access_expires: None,
            refresh: Some(SecretString::new("refresh")),
            id: SecretString::new("id"),
        },
        established_at: NOW,
        token_iat: NOW,
        renewed_at: NOW,
        proved_at: NOW,
        proved_by: NodeIncarnation::new("node"),
        opened_at: NOW,
        last_seen: NOW,
    }
}

#[tokio::test]
async fn userinfo_proves_that_a_session_lives_from_when_it_was_asked() {
    let scene = Scene::realm();
    assert_eq!(scene.prove(said(&json!({"sub": "alice"}))).await, Ok(Proof { asked_at: NOW }));
    let asked = scene.server.received(Endpoint::UserInfo).pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.header("authorization")), ("GET", Some("Bearer access")));
}

#[tokio::test]
async fn a_refusal_an_outage_and_another_user_are_told_apart() {
    let scene = Scene::realm();
    for status in [400, 401, 403, 404] {
        assert_eq!(scene.prove(Fault::status(status)).await, Err(ProofError::Refused), "{status}");
    }
    for claims in [json!({"sub": "bob"}), json!({}), json!({"sub": null}), json!({"sub": ["alice"]})] {
        assert_eq!(scene.prove(said(&claims)).await, Err(ProofError::OtherSubject), "{claims}");
    }
    for status in [204, 302, 408, 429, 500, 502, 503] {
        assert_eq!(scene.prove(Fault::status(status)).await.unwrap_err().kind(), "unavailable", "{status}");
    }
    for fault in [Fault::DropConnection, Fault::text(200, "text/html", "<p>down</p>"), said(&json!([]))] {
        assert_eq!(scene.prove(fault).await.unwrap_err().kind(), "unavailable");
    }
    let forged = Fault::text(200, "application/jwt", "e30.e30.e30");
    assert_eq!(scene.prove(forged).await.unwrap_err().kind(), "unavailable");
}

#[tokio::test]
async fn nothing_is_proved_where_there_is_no_userinfo_or_nobody_at_all() {
    let mut scene = Scene::realm();
    scene.server.next(Endpoint::Discovery, Fault::remove("userinfo_endpoint"));
    assert_eq!(scene.prove(Fault::status(401)).await, Err(ProofError::Nowhere));
    let mut gone = Scene::realm();
    gone.server.stop();
    let outcome = gone.provider.prove(&SecretString::new("access"), &Subject::new("alice")).await;
    assert_eq!(outcome.unwrap_err().kind(), "unavailable");
    scene.server.stop();
}

#[tokio::test]
async fn a_realm_learns_state_and_host_with_code_and_refresh_and_others_learn_neither() {
    for (scene, expected) in [(Scene::realm(), Some(("a1", "node-a"))), (Scene::plain(), None)] {
        let (id, host) = (AdapterSessionId::new("a1"), NodeHost::new("node-a"));
        let client_session = Some(ClientSession { state: &id, host: &host });
        let redirect_uri = Url::parse("https://app.example/callback").unwrap();
        let (code, pkce) = (SecretString::new("code"), SecretString::new("p".repeat(43)));
        let redemption =
            Redemption { code: &code, redirect_uri: &redirect_uri, nonce: "n", pkce: &pkce, client_session };
        assert_eq!(scene.provider.redeem(&redemption).await.unwrap_err().kind(), "refused");
        let exchange = scene.form(Endpoint::Token);
        let session = session();
        let refresh = SecretString::new("refresh");
        let refreshed = scene.provider.refresh(&session, &refresh, &[], client_session).await;
        assert_eq!(refreshed.unwrap_err().kind(), "ended");
        let refresh = scene.form(Endpoint::Token);
        for (form, grant) in [(exchange, "authorization_code"), (refresh, "refresh_token")] {
            assert_eq!(field(&form, "grant_type"), Some(grant));
            assert_eq!(field(&form, "client_session_state").zip(field(&form, "client_session_host")), expected);
        }
    }
}

#[tokio::test]
async fn a_refresh_token_is_revoked_or_its_session_ended_at_an_old_realm() {
    let scene = Scene::realm();
    let token = SecretString::new("refresh");
    assert!(scene.provider.revoke(&token).await.is_ok());
    let form = scene.form(Endpoint::Revocation);
    assert_eq!((field(&form, "token"), field(&form, "token_type_hint")), (Some("refresh"), Some("refresh_token")));
    let old = Scene::realm();
    old.server.always(Endpoint::Discovery, Fault::remove("revocation_endpoint"));
    old.server.next(Endpoint::EndSession, Fault::status(204));
    assert!(old.provider.revoke(&token).await.is_ok());
    let asked = old.server.received(Endpoint::EndSession).pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.field("refresh_token")), ("POST", Some("refresh")));
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    for status in [200, 400, 401, 503] {
        old.server.next(Endpoint::EndSession, Fault::status(status));
        assert!(old.provider.revoke(&token).await.is_err(), "{status}");
    }
    let plain = Scene::plain();
    plain.server.always(Endpoint::Discovery, Fault::remove("revocation_endpoint"));
    assert!(matches!(plain.provider.revoke(&token).await, Err(RevokeError::Nowhere)));
    assert_eq!(plain.server.calls(Endpoint::EndSession), 0);
}

fn action(scene: &Scene) -> String {
    let expiration = scene.clock.now().as_secs() + 30;
    let claims = json!({"id": "x", "expiration": expiration, "resource": "app", "action": "LOGOUT"});
    scene.server.sign("JWT", claims, &[])
}

#[tokio::test]
async fn a_push_by_a_new_key_reads_the_keys_once_per_cooldown() {
    let scene = Scene::realm();
    let hear = async || scene.provider.admin_action(&action(&scene), AdminWord::Logout).await.map(Verified::into_inner);
    assert!(hear().await.is_ok());
    for (expected, calls) in [(true, 2), (false, 2)] {
        scene.server.rotate_keys(OldKeys::Forget).unwrap();
        assert_eq!((hear().await.is_ok(), scene.server.calls(Endpoint::Jwks)), (expected, calls));
    }
    scene.clock.advance(HOUR);
    assert!(hear().await.is_ok());
    assert_eq!(scene.server.calls(Endpoint::Jwks), 3);
}

#[tokio::test]
async fn a_reload_of_the_keys_waits_for_no_cooldown() {
    let scene = Scene::realm();
    scene.provider.reload_keys().await.unwrap();
    assert_eq!(scene.server.calls(Endpoint::Jwks), 0);
    scene.provider.discover().await.unwrap();
    for calls in 2..5 {
        scene.server.rotate_keys(OldKeys::Forget).unwrap();
        scene.provider.reload_keys().await.unwrap();
        assert_eq!(scene.server.calls(Endpoint::Jwks), calls);
        assert!(scene.provider.admin_action(&action(&scene), AdminWord::Logout).await.is_ok());
    }
    assert_eq!(scene.server.calls(Endpoint::Jwks), 4);
}

#[tokio::test]
async fn the_issuer_is_known_after_discovery() {
    let scene = Scene::realm();
    assert_eq!((scene.provider.issuer(), scene.provider.is_keycloak()), (None, true));
    scene.provider.discover().await.unwrap();
    assert_eq!(scene.provider.issuer(), Some(Issuer::new(scene.server.issuer())));
    assert!(!Scene::plain().provider.is_keycloak());
}

fn administrator() -> AdminCredentials {
    AdminCredentials { realm: "master".to_owned(), user: "root".to_owned(), password: SecretString::new("root's") }
}

#[tokio::test]
async fn an_administrator_reads_what_the_realm_knows_of_the_client() {
    let scene = Scene::realm();
    let answers = [
        json!({"access_token": "admin"}),
        json!([{
            "id": "c1", "clientId": "app", "frontchannelLogout": true, "adminUrl": "http://a/", "rootUrl": "",
            "redirectUris": ["/*"], "registeredNodes": {"node-a": 1}, "nodeReRegistrationTimeout": -1,
            "attributes": {"access.token.lifespan": "-1", "post.logout.redirect.uris": "https://a/*##+", "other": null},
        }]),
        json!({"realm": "one", "accessTokenLifespan": 300}),
        json!({"failedRequests": ["http://a"]}),
    ];
    for answer in &answers {
        scene.server.next(Endpoint::Unknown, said(answer));
    }
    let admin = scene.provider.keycloak_admin(&administrator()).await.unwrap();
    let facts = admin.client_facts().await.unwrap();
    let expected = ClientFacts {
        id: "c1".to_owned(),
        frontchannel_logout: true,
        admin_url: Some("http://a/".to_owned()),
        redirect_uris: vec!["/*".to_owned()],
        post_logout_redirect_uris: vec!["https://a/*".to_owned(), "+".to_owned()],
        registered_nodes: vec!["node-a".to_owned()],
        access_token_lifespan: Some(Duration::from_secs(300)),
        ..ClientFacts::default()
    };
    assert_eq!(facts, expected);
    assert_eq!(admin.test_nodes(&facts).await.unwrap().failed_requests, ["http://a"]);
    let asked = scene.server.received(Endpoint::Unknown);
    let paths: Vec<_> = asked.iter().map(|received| received.path.as_str()).collect();
    let (clients, realm) = ("/admin/realms/one/clients", "/admin/realms/one");
    let test = "/admin/realms/one/clients/c1/test-nodes-available";
    assert_eq!(paths, ["/realms/master/protocol/openid-connect/token", clients, realm, test]);
    assert_eq!((asked[0].field("client_id"), asked[0].field("password")), (Some("admin-cli"), Some("root's")));
    assert_eq!((asked[1].field("clientId"), asked[1].header("authorization")), (Some("app"), Some("Bearer admin")));
}

#[tokio::test]
async fn what_an_administrator_may_not_see_is_told_apart() {
    let scene = Scene::realm();
    scene.server.next(Endpoint::Unknown, Fault::status(401));
    let refused = scene.provider.keycloak_admin(&administrator()).await;
    assert!(matches!(refused, Err(KeycloakAdminError::SignIn(http::StatusCode::UNAUTHORIZED))));
    scene.server.next(Endpoint::Unknown, said(&json!({"access_token": "admin"})));
    let admin = scene.provider.keycloak_admin(&administrator()).await.unwrap();
    scene.server.next(Endpoint::Unknown, said(&json!([])));
    assert!(matches!(admin.client_facts().await, Err(KeycloakAdminError::NoClient)));
    scene.server.next(Endpoint::Unknown, Fault::status(403));
    assert!(matches!(admin.client_facts().await, Err(KeycloakAdminError::Status(http::StatusCode::FORBIDDEN))));
    scene.server.next(Endpoint::Unknown, Fault::text(200, "text/html", "<p>"));
    assert!(matches!(admin.client_facts().await, Err(KeycloakAdminError::Malformed)));
    let plain = Scene::plain().provider.keycloak_admin(&administrator()).await.map(|_| ());
    assert!(matches!(plain, Err(KeycloakAdminError::NotKeycloak)));
}
