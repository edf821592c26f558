//! What a refresh tells of the user: roles, groups, and from when on tokens count.

use doorward::domain::Clock as _;
use identity_server::{Endpoint, Fault, Patch, TokenFault, User};
use serde_json::json;

use super::{LIFE, STORES, get, pass, realm, refreshes, rotating, sign_ins, stale, status, told};
use crate::support::{Options, Scene};

/// A part of the site that needs a role.
fn with_orders(options: Options) -> Options {
    options.with(json!({ "sidecar": { "rules": [{ "path": "/orders/*", "access": "login", "roles": ["buyer"] }] } }))
}

fn change_alice(scene: &Scene, groups: &[&str], roles: &[&str]) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    scene.server.configure(|server| {
        server.users[0].groups = owned(groups);
        server.users[0].realm_roles = owned(roles);
    });
}

fn who_is_told(scene: &Scene) -> [Option<String>; 2] {
    ["x-forwarded-groups", "x-forwarded-roles"].map(|name| told(scene, name))
}

fn people(groups: &str, roles: &str) -> [Option<String>; 2] {
    [groups, roles].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
}

#[test]
fn roles_and_groups_follow_the_new_tokens() {
    for store in STORES {
        for options in [rotating(store), realm(store)] {
            let scene = with_orders(options).start();
            let mut browser = scene.signed_in();
            assert_eq!(get(&scene, &mut browser, "/orders/1").status, 200, "{store}");
            change_alice(&scene, &["/managers"], &["seller"]);
            assert_eq!(get(&scene, &mut browser, "/orders/1").status, 200, "tokens say what they said");
            pass(&scene, LIFE);
            assert_eq!(get(&scene, &mut browser, "/orders/1").status, 403, "{store}: a removed role still works");
            assert_eq!(status(&scene, &mut browser), 200, "{store}");
            assert_eq!(who_is_told(&scene), people("/managers", "seller"), "{store}");
            change_alice(&scene, &["/managers"], &["buyer", "seller"]);
            pass(&scene, LIFE);
            assert_eq!(get(&scene, &mut browser, "/orders/1").status, 200, "{store}: a new role does not work");
            assert_eq!((refreshes(&scene), sign_ins(&scene)), (2, 1), "{store}");
        }
    }
}

#[test]
fn a_user_who_has_lost_all_roles_and_groups_has_none() {
    for store in STORES {
        for options in [rotating(store), realm(store)] {
            let scene = with_orders(options).start();
            let mut browser = stale(&scene);
            change_alice(&scene, &[], &[]);
            assert_eq!(status(&scene, &mut browser), 200, "{store}");
            assert_eq!(who_is_told(&scene), people("", ""), "{store}");
            assert_eq!(get(&scene, &mut browser, "/orders/1").status, 403, "{store}");
        }
    }
}

/// A provider may leave out what is empty. When everything that spoke at the sign-in is heard, silence says "none".
#[test]
fn claims_that_no_source_has_any_more_are_gone() {
    for store in STORES {
        for options in [rotating(store), realm(store)] {
            let scene = with_orders(options).start();
            let mut browser = stale(&scene);
            let names = ["groups", "realm_access", "resource_access"];
            let tokens = || names.map(TokenFault::remove).to_vec();
            scene.server.next(Endpoint::Token, [Fault::IdToken(tokens()), Fault::AccessToken(tokens())]);
            scene.server.next(Endpoint::UserInfo, Fault::Json(names.map(Patch::remove).into()));
            assert_eq!(status(&scene, &mut browser), 200, "{store}");
            assert_eq!(who_is_told(&scene), people("", ""), "{store}");
            assert_eq!(get(&scene, &mut browser, "/orders/1").status, 403, "{store}");
        }
    }
}

/// The tokens are spent by then, so that they are kept; what `UserInfo` alone knows is as it was.
#[test]
fn a_user_info_endpoint_in_trouble_during_a_refresh_gives_nothing_and_takes_nothing() {
    let faults = [("503", Fault::status(503)), ("lost", Fault::LoseAnswer)];
    for store in STORES {
        for (case, fault) in faults.clone() {
            // Groups and roles are in `UserInfo` alone.
            let silent = ["groups", "realm_access", "resource_access"].map(TokenFault::remove);
            let scene = rotating(store).start();
            scene.server.always(Endpoint::Token, Fault::IdToken(silent.into()));
            let mut browser = stale(&scene);
            scene.server.next(Endpoint::UserInfo, fault);
            assert_eq!(status(&scene, &mut browser), 200, "{store}: {case}");
            assert_eq!(who_is_told(&scene), people("/staff", "buyer"), "{store}: {case}");
            assert_eq!((refreshes(&scene), sign_ins(&scene)), (1, 1), "{store}: {case}");
            change_alice(&scene, &["/managers"], &["seller"]);
            pass(&scene, LIFE);
            assert_eq!(status(&scene, &mut browser), 200, "{store}: {case}");
            assert_eq!(who_is_told(&scene), people("/managers", "seller"), "{store}: {case}");
        }
    }
}

/// An answer that says no, or cannot be believed, is not silence: what it was asked for is not known any more.
#[test]
fn a_user_info_endpoint_that_refuses_or_lies_lets_nothing_stand_that_it_alone_had_said() {
    let another = Fault::Json(vec![
        Patch::set("sub", "subject-of-mallory"),
        Patch::set("groups", json!(["/admins"])),
        Patch::set("realm_access", json!({ "roles": ["admin"] })),
    ]);
    let faults = [
        ("401", Fault::status(401)),
        ("403", Fault::status(403)),
        ("no JSON", Fault::text(200, "application/json", "<html>")),
        ("about another, who is more", another),
    ];
    for store in STORES {
        for (case, fault) in faults.clone() {
            let silent = ["groups", "realm_access", "resource_access"].map(TokenFault::remove);
            let scene = rotating(store).start();
            scene.server.always(Endpoint::Token, Fault::IdToken(silent.into()));
            let mut browser = stale(&scene);
            scene.server.next(Endpoint::UserInfo, fault);
            assert_eq!(status(&scene, &mut browser), 200, "{store}: {case}");
            assert_eq!(
                (told(&scene, "x-forwarded-groups"), told(&scene, "x-forwarded-roles")),
                (None, None),
                "{store}: {case}"
            );
        }
    }
}

/// Keycloak's access token is where its roles are: one that names none says that there are none, whatever UserInfo does.
#[test]
fn an_access_token_without_roles_takes_them_while_user_info_is_away() {
    for store in STORES {
        let scene = with_orders(realm(store)).start();
        let mut browser = stale(&scene);
        let bare = ["realm_access", "resource_access"].map(TokenFault::remove);
        scene.server.always(Endpoint::Token, Fault::AccessToken(bare.into()));
        scene.server.always(Endpoint::UserInfo, Fault::status(503));
        assert_eq!(get(&scene, &mut browser, "/orders").status, 403, "{store}");
    }
}

#[test]
fn a_role_that_the_new_tokens_take_away_is_gone_also_without_user_info() {
    for store in STORES {
        let scene = with_orders(rotating(store)).start();
        let mut browser = stale(&scene);
        change_alice(&scene, &["/staff"], &["seller"]);
        scene.server.next(Endpoint::UserInfo, Fault::status(503));
        assert_eq!(get(&scene, &mut browser, "/orders/1").status, 403, "{store}");
    }
}

/// Keycloak puts the greatest of realm, client *and user* there, so that it may cut that user's tokens alone.
#[test]
fn not_before_of_a_refresh_cuts_the_older_sessions_of_its_subject_and_nobody_elses() {
    for store in STORES {
        let scene = realm(store).start();
        let mut older = scene.signed_in();
        scene.server.configure(|server| {
            server.users.push(User::named("carol"));
            server.auto_login = Some("carol".to_owned());
        });
        let mut carol = scene.signed_in();
        scene.server.configure(|server| {
            server.auto_login = Some("alice".to_owned());
            server.access_lifetime = 100;
        });
        pass(&scene, 10);
        let cut = scene.clock.now().as_secs();
        let mut newer = scene.signed_in();
        pass(&scene, 100);
        for browser in [&mut older, &mut carol] {
            assert_eq!(status(&scene, browser), 200, "{store}: its token lives");
        }
        scene.server.next(Endpoint::Token, Fault::set("not-before-policy", cut));
        assert_eq!((status(&scene, &mut newer), refreshes(&scene)), (200, 1), "{store}");
        assert_eq!((status(&scene, &mut older), status(&scene, &mut carol)), (401, 200), "{store}");
        assert_eq!((status(&scene, &mut newer), refreshes(&scene)), (200, 1), "{store}");
    }
}
