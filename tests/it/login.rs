//! Beginning a sign-in.

use crate::support::Scene;

#[test]
fn a_user_signs_in_and_reaches_the_page() {
    let scene = Scene::start();
    let mut browser = scene.browser();
    let page = scene.sign_in(&mut browser);
    assert_eq!((page.response.status, page.url.as_str()), (200, "http://app.test/private"));
}
