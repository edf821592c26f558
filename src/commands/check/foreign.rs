//! Files of other programs that people give to `check` when they come from there: what such a file is, and what to do with it.

use std::io::{self, Write};

/// What tells a file, by its whole text, and what to say of it.
type Foreign = (fn(&str) -> bool, &'static str);

/// The first that fits is told. Words that no file of another kind holds come first.
const FOREIGN: [Foreign; 10] = [
    (
        |text| is_xml(text) && text.contains("keycloak-saml"),
        "This is XML, of Keycloak's SAML adapter. Doorward speaks OpenID Connect: make an OpenID Connect client in the realm, and take its \
         adapter configuration (Clients, the client, Action, Download adapter config, Keycloak OIDC JSON).",
    ),
    (
        |text| is_xml(text) && text.contains("<web-app"),
        "This is XML, of an application (web.xml). Its `security-constraint` become `sidecar.rules`; the file for Doorward is the \
         `keycloak.json` beside it in WEB-INF, or what the console gives: Clients, the client, Action, Download adapter config.",
    ),
    (
        is_xml,
        "This is XML, not JSON. In a `secure-deployment` or `realm` of WildFly's subsystem the elements have the names of the JSON keys: \
         <auth-server-url>https://sso/</auth-server-url> becomes \"auth-server-url\": \"https://sso/\", and <credential name=\"secret\">…\
         </credential> becomes \"credentials\": { \"secret\": \"…\" }; `resource` and `realm` must be there. Or take the file from the \
         console: Clients, the client, Action, Download adapter config, Keycloak OIDC JSON.",
    ),
    (
        |text| text.contains("spring.security.oauth2") || text.contains("issuer-uri:"),
        "These are properties of Spring Security, not JSON. The provider's `issuer-uri` becomes \"provider-url\", the registration's \
         `client-id` becomes \"client-id\", its `client-secret` becomes \"credentials\": { \"secret\": \"…\" }, its `scope` \
         \"sidecar\": { \"provider\": { \"scopes\": […] } }.",
    ),
    (
        |text| has_line(text, "keycloak.") || has_line(text, "keycloak:"),
        "These are properties of Keycloak's Spring Boot adapter, not JSON. The names are the JSON keys: keycloak.auth-server-url=https://sso/ \
         becomes \"auth-server-url\": \"https://sso/\", keycloak.credentials.secret=… becomes \"credentials\": { \"secret\": \"…\" }, and \
         `keycloak.security-constraints` become `sidecar.rules`.",
    ),
    (
        |text| is_object(text) && text.contains("\"clientId\"") && text.contains("\"redirectUris\""),
        "This is a client as Keycloak's realm has it (an export), not the file of an adapter. Take that from the console: Clients, the \
         client, Action, Download adapter config, Keycloak OIDC JSON.",
    ),
    (
        |text| has_line(text, "discovery-url") || is_object(text) && text.contains("\"discovery-url\""),
        "This is a file of gogatekeeper (keycloak-gatekeeper, louketo-proxy): docs/migration/gogatekeeper.md tells what its keys become.",
    ),
    (
        |text| has_line(text, "OIDCClientID") || has_line(text, "OIDCProviderMetadataURL"),
        "This is a file of Apache with mod_auth_openidc: docs/migration/mod_auth_openidc.md tells what its directives become.",
    ),
    (
        |text| {
            has_line(text, "oidc_issuer_url") || has_line(text, "cookie_secret") || has_line(text, "upstreamConfig:")
        },
        "This is a file of oauth2-proxy: docs/migration/oauth2-proxy.md tells what its options become.",
    ),
    (
        |text| has_line(text, "realm:") || has_line(text, "sidecar:"),
        "This is YAML; the file must be JSON. The keys stay the same.",
    ),
];

/// Tells what the file is, if it is known.
pub(super) fn tell(out: &mut impl Write, text: &str) -> io::Result<()> {
    let known = FOREIGN.iter().find(|(is_it, _)| is_it(text));
    known.map_or(Ok(()), |(_, what)| writeln!(out, "{what}"))
}

fn is_xml(text: &str) -> bool {
    begins_with(text, '<')
}

fn is_object(text: &str) -> bool {
    begins_with(text, '{')
}

fn begins_with(text: &str, mark: char) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with(mark)
}

/// Whether a line begins with `start`, indented or not.
fn has_line(text: &str, start: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let mut out = Vec::new();
        tell(&mut out, text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_kind_of_file_is_known_by_its_own_words() {
        let rows = [
            ("\u{feff}<?xml version=\"1.0\"?>\n<keycloak-saml-adapter/>", "SAML"),
            ("<web-app><security-constraint/></web-app>", "web.xml"),
            ("<secure-deployment name=\"shop.war\"><realm>shop</realm></secure-deployment>", "`secure-deployment`"),
            ("spring.security.oauth2.client.registration.shop.client-id=shop", "Spring Security"),
            ("spring:\n  security:\n    issuer-uri: https://sso/", "Spring Security"),
            ("# of the shop\nkeycloak.realm=shop\n", "Spring Boot"),
            ("keycloak:\n  realm: shop\n", "Spring Boot"),
            ("{\"clientId\": \"shop\", \"redirectUris\": []}", "an export"),
            ("discovery-url: https://sso/realms/shop\n", "gogatekeeper"),
            ("{\"discovery-url\": \"https://sso/realms/shop\"}", "gogatekeeper"),
            ("<VirtualHost *:80>", "XML"),
            ("ServerName x\n  OIDCClientID shop\n", "mod_auth_openidc"),
            ("provider = \"oidc\"\noidc_issuer_url = \"https://sso\"\n", "oauth2-proxy"),
            ("realm: shop\n", "YAML"),
        ];
        for (text, words) in rows {
            assert!(told(text).contains(words), "{text}: {}", told(text));
        }
    }

    #[test]
    fn of_what_is_not_known_nothing_is_said() {
        for text in ["", "{}", "{\"realm\": \"shop\", ", "hello", "[1, 2]"] {
            assert_eq!(told(text), "", "{text}");
        }
    }
}
