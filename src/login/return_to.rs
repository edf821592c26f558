//! A redirect target that cannot leave this site. There is no other type from which a redirect after sign-in is made.

use std::fmt;

use crate::{caller::Origin, target::Target};

/// A path of this site, with its query: always begins with one `/` that no second slash or backslash follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

/// Longest target that is kept over a sign-in, in bytes: it lives in a cookie. A longer one becomes `/`.
const MAX_LEN: usize = 1500;

impl ReturnTo {
    /// The site's front page.
    #[must_use]
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// Where a request was going.
    #[must_use]
    pub fn to(target: &Target) -> Self {
        let text = target.to_string();
        if text.len() > MAX_LEN { Self::home() } else { Self(text) }
    }

    /// What somebody else asked for: a path, or a URL of exactly our origin. Anything with another reading leads home, and so
    /// does a path below `own_prefix`, where it could start or end a sign-in.
    #[must_use]
    pub fn parse(text: &str, origin: &Origin, own_prefix: &str) -> Self {
        let path = text.strip_prefix(&origin.to_string()).unwrap_or(text);
        let Ok(target) = Target::parse(path) else { return Self::home() };
        let own = target.readings().any(|reading| is_below(&reading, own_prefix));
        if own { Self::home() } else { Self::to(&target) }
    }

    /// Where a kept form is taken up again, under `own_prefix`. Nobody else can ask for it: [`ReturnTo::parse`] knows no path of ours.
    #[must_use]
    pub(super) fn resume(own_prefix: &str, id: &str) -> Self {
        Self(format!("{own_prefix}/resume?form={id}"))
    }

    /// Whether a kept form is taken up again there.
    pub(super) fn is_resume(&self, own_prefix: &str) -> bool {
        let below = self.0.strip_prefix(own_prefix);
        below.is_some_and(|rest| rest.starts_with("/resume?"))
    }

    /// The target for a `Location` header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn parse(text: &str) -> String {
        let origin = Origin::of(&Url::parse("https://app.example.com").unwrap());
        ReturnTo::parse(text, &origin, "/oauth2").to_string()
    }

    #[test]
    fn paths_of_this_site_are_kept() {
        for text in ["/", "/a/b?c=d&e=//f", "/a?next=https://other/", "/a?{id_token}", "/a%20b", "/oauth2x"] {
            assert_eq!(parse(text), text);
        }
        assert_eq!(parse("https://app.example.com/a?b"), "/a?b");
    }

    #[test]
    fn whatever_could_lead_elsewhere_leads_home() {
        for text in include_str!("off_site.txt").lines().filter(|line| !line.is_empty()) {
            assert_eq!(parse(text), "/", "{text}");
        }
        for text in
            ["/\t/evil.com", "/\n/evil.com", "/a\r\nSet-Cookie: x=y", "/\0", "", " /a", "/oauth2/sign_out", "/oauth2"]
        {
            assert_eq!(parse(text), "/", "{text:?}");
        }
        assert_eq!(parse(&format!("/{}", "a".repeat(MAX_LEN))), "/");
    }

    proptest! {
        #[test]
        fn a_browser_stays_on_this_site(text in "[/\\\\.a-z:@%0-9?#; \t]{0,24}") {
            let base = Url::parse("https://app.example.com/oauth2/callback").unwrap();
            let landed = base.join(&parse(&text)).unwrap();
            prop_assert_eq!(landed.origin(), base.origin());
        }
    }
}
