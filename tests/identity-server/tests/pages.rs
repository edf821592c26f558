//! The server as a user's browser meets it: login page, single sign-on, form post, sign-out.

use std::net::SocketAddr;

use identity_server::{Application, Browser, Client, Endpoint, IdentityServer, Options, User, http};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct Story {
    server: IdentityServer,
    application: Application,
    browser: Browser,
}

impl Story {
    fn new() -> Self {
        let application = Application::start().unwrap();
        let at = application.upstream();
        let mut client = Client::confidential("app", "secret", &format!("{at}/callback"));
        client.post_logout_redirect_uris = vec![format!("{at}/bye")];
        client.backchannel_logout_uri = Some(format!("{at}/backchannel-logout"));
        let mut options = Options::new(client, User::named("demo")).realm("demo");
        options.auto_login = None;
        Self { server: IdentityServer::start(options).unwrap(), application, browser: Browser::new() }
    }

    fn sign_in_url(&self, more: &str) -> String {
        let (url, at) = (self.server.url(Endpoint::Authorization), self.application.upstream());
        format!(
            "{url}?client_id=app&response_type=code&scope=openid&state=a%20b&redirect_uri={at}/callback\
             &code_challenge={CHALLENGE}&code_challenge_method=S256{more}"
        )
    }

    fn sign_in(&mut self) {
        let page = self.browser.navigate(&self.sign_in_url("")).unwrap();
        let page = self.browser.log_in(&page, "demo", "demo").unwrap();
        assert_eq!(page.url.path(), "/callback");
    }
}

#[test]
fn a_user_signs_in_once_and_then_silently() {
    let mut story = Story::new();
    let page = story.browser.navigate(&story.sign_in_url("")).unwrap();
    let again = story.browser.log_in(&page, "demo", "wrong").unwrap();
    assert!(again.response.text().contains("Wrong user name or password."));
    let back = story.browser.log_in(&again, "demo", "demo").unwrap();
    assert_eq!(back.url.path(), "/callback");
    assert!(back.url.query().unwrap().contains("state=a+b"));
    let silent = story.browser.navigate(&story.sign_in_url("&prompt=none")).unwrap();
    assert_eq!(silent.url.path(), "/callback");
    assert_eq!(story.server.sessions().len(), 1);
    assert!(story.browser.jar().refused().is_empty());
}

#[test]
fn prompt_none_without_a_session_says_login_required_and_prompt_login_asks_again() {
    let mut story = Story::new();
    let page = story.browser.navigate(&story.sign_in_url("&prompt=none")).unwrap();
    assert!(page.url.query().unwrap().contains("error=login_required"));
    story.sign_in();
    let page = story.browser.navigate(&story.sign_in_url("&prompt=login")).unwrap();
    assert!(page.form().unwrap().field("username").is_some());
}

#[test]
fn a_form_post_page_carries_the_code_to_the_client() {
    let mut story = Story::new();
    story.sign_in();
    let page = story.browser.navigate(&story.sign_in_url("&response_mode=form_post")).unwrap();
    let form = page.form().unwrap();
    assert_eq!((form.field("state"), form.method.as_str()), (Some("a b"), "post"));
    story.browser.submit(&form).unwrap();
    let heard = story.application.last().unwrap();
    assert_eq!((heard.method.as_str(), heard.target.as_str()), ("POST", "/callback"));
    assert!(String::from_utf8(heard.body).unwrap().contains("state=a+b"));
}

#[test]
fn sign_out_asks_first_ends_the_session_and_returns_only_to_a_registered_place() {
    let mut story = Story::new();
    story.sign_in();
    let (url, at) = (story.server.url(Endpoint::EndSession), story.application.upstream());
    let refused = story.browser.navigate(&format!("{url}?client_id=app&post_logout_redirect_uri={at}/evil")).unwrap();
    assert_eq!(refused.response.status, 400);
    let ask = format!("{url}?client_id=app&state=x&post_logout_redirect_uri={at}/bye");
    let page = story.browser.navigate(&ask).unwrap();
    assert_eq!(story.server.sessions().len(), 1, "nothing may end by a link alone");
    let bye = story.browser.submit(&page.form().unwrap()).unwrap();
    assert_eq!(bye.url.as_str(), format!("{at}/bye?state=x"));
    assert!(story.server.sessions().is_empty() && story.browser.jar().cookies().is_empty());
}

#[test]
fn a_session_ended_on_the_sessions_page_is_told_to_the_client() {
    let mut story = Story::new();
    story.sign_in();
    // The back channel tells clients that were given tokens.
    let code = story.application.last().unwrap().target;
    let code = code.split("code=").nth(1).unwrap().split('&').next().unwrap();
    story.server.configure(|options| options.clients[0].authentication = identity_server::ClientAuthentication::None);
    let redirect_uri = format!("{}/callback", story.application.upstream());
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ];
    let request = http::Request::form("/realms/demo/protocol/openid-connect/token", &fields);
    assert_eq!(http::send(story.server.address(), &request).unwrap().status, 200);

    let before = story.application.heard().len();
    let page = story.browser.navigate(&story.server.url(Endpoint::Sessions)).unwrap();
    let page = story.browser.submit(&page.form().unwrap()).unwrap();
    assert!(page.response.text().contains("Nobody is signed in."));
    assert!(story.application.wait_for_requests(before + 1));
    let told = story.application.last().unwrap();
    assert_eq!(told.target, "/backchannel-logout");
    let token = String::from_utf8(told.body).unwrap();
    let claims = identity_server::claims(token.strip_prefix("logout_token=").unwrap());
    assert!(claims["sid"].is_string() && claims["events"].is_object());
}

#[test]
fn an_https_origin_can_be_served_by_a_plain_listener() {
    let application = Application::start().unwrap();
    let address: SocketAddr = application.address().unwrap();
    let mut browser = Browser::new();
    browser.serve_origin("https://app.example.com", address, &[("X-Forwarded-Proto", "https")]);
    let page = browser.navigate("https://app.example.com/x?y").unwrap();
    assert_eq!(page.response.json()["target"], "/x?y");
    let heard = application.last().unwrap();
    assert_eq!(heard.header("host"), Some("app.example.com"));
    assert_eq!((heard.header("x-forwarded-proto"), heard.header("sec-fetch-mode")), (Some("https"), Some("navigate")));
}
