//! Stage 1: which rule? By the decoded path and the method; the first rule that matches decides, and where none does a
//! login is needed.

use super::{Access, PathPattern, Rule};
use crate::{respond::Refusal, target::Target};

/// The rules of a site.
#[derive(Clone, Debug)]
pub struct Rules(Vec<Rule>);

/// What the rule for one request demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// What must have been shown.
    pub access: Access,
    /// Roles that are all needed.
    pub roles: &'a [String],
    /// Groups of which one is needed; empty: none is.
    pub groups: &'a [String],
}

/// Methods that are registered (IANA HTTP Method Registry) and may pass. Compared byte for byte: `get` is another method.
const KNOWN_METHODS: [&str; 37] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PROPFIND",
    "PROPPATCH",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "MKREDIRECTREF",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

impl Rules {
    /// Takes checked rules in their order. Their paths are compared decoded, as those of requests are.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into_iter().map(|rule| Rule { path: rule.path.decoded(), ..rule }).collect())
    }

    /// The route of `target` for `method`.
    ///
    /// # Errors
    /// When the method may never pass, or the path has readings on which the rules disagree.
    pub fn find(&self, target: &Target, method: &str) -> Result<Route<'_>, Refusal> {
        let method = known_method(method)?;
        self.agreed(target, method).ok_or_else(|| {
            Refusal::BadRequest("Path parameters (;) may not change which rule holds for a path.".into())
        })
    }

    /// The one rule for every reading of the path; `None` when they differ.
    fn agreed(&self, target: &Target, method: &str) -> Option<Route<'_>> {
        let mut routes = target.readings().map(|path| self.first(&path, method));
        let route = routes.next()?;
        routes.all(|other| other == route).then_some(route)
    }

    fn first(&self, path: &str, method: &str) -> Route<'_> {
        let rule = self.0.iter().find(|rule| rule.path.matches(path) && rule.admits(method));
        rule.map_or(Route { access: Access::Login, roles: &[], groups: &[] }, |rule| Route {
            access: rule.access,
            roles: &rule.roles,
            groups: &rule.groups,
        })
    }
}

impl Rule {
    fn admits(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|m| m == method)
    }
}

impl PathPattern {
    /// The same pattern without percent-encoding. What is no canonical path stays as it is, and so matches nothing.
    fn decoded(self) -> Self {
        let decode = |path: String| Target::parse(&path).map_or(path, |target| target.decoded_path().to_owned());
        match self {
            Self::Below(base) => Self::Below(decode(base)),
            Self::Exact(path) => Self::Exact(decode(path)),
        }
    }

    /// Whether a decoded path is meant.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Below(base) => path.strip_prefix(base.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/')),
            Self::Exact(exact) => path == exact,
        }
    }
}

fn known_method(method: &str) -> Result<&str, Refusal> {
    match method {
        "CONNECT" | "TRACE" => Err(Refusal::MethodNotAllowed("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")),
        method if KNOWN_METHODS.contains(&method) => Ok(method),
        _ => Err(Refusal::NotImplemented),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: PathPattern, access: Access) -> Rule {
        Rule { path, methods: Vec::new(), access, roles: Vec::new(), groups: Vec::new() }
    }

    fn access(rules: &Rules, path: &str, method: &str) -> Option<Access> {
        rules.agreed(&Target::parse(path).unwrap(), method).map(|route| route.access)
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_none_means_login() {
        let below = |path: &str| PathPattern::Below(path.to_owned());
        let rules = Rules::new(vec![
            rule(PathPattern::Exact("/a/secret".into()), Access::Login),
            Rule { methods: vec!["GET".into()], ..rule(below("/a"), Access::Public) },
        ]);
        assert_eq!(access(&rules, "/a", "GET"), Some(Access::Public));
        assert_eq!(access(&rules, "/a/b?x=/status", "GET"), Some(Access::Public));
        assert_eq!(access(&rules, "/a/b", "POST"), Some(Access::Login));
        assert_eq!(access(&rules, "/a/secret", "GET"), Some(Access::Login));
        assert_eq!(access(&rules, "/%61/s%65cret", "GET"), Some(Access::Login));
        assert_eq!(access(&rules, "/ab", "GET"), Some(Access::Login));
        assert_eq!(access(&rules, "/A", "GET"), Some(Access::Login));
        assert_eq!(access(&Rules::new(vec![rule(below(""), Access::Public)]), "/x/y", "GET"), Some(Access::Public));
    }

    #[test]
    fn path_parameters_may_not_slip_past_a_rule() {
        let rules = Rules::new(vec![
            rule(PathPattern::Below("/admin".into()), Access::Login),
            rule(PathPattern::Below(String::new()), Access::Public),
        ]);
        assert_eq!(access(&rules, "/admin;x/users", "GET"), None);
        assert_eq!(access(&rules, "/page;jsessionid=1", "GET"), Some(Access::Public));
        assert_eq!(access(&rules, "/admin/x;y", "GET"), Some(Access::Login));
    }

    #[test]
    fn unknown_methods_are_denied_in_every_case() {
        for method in ["get", "GeT", "FOO", "CONNECT", "TRACE"] {
            assert!(known_method(method).is_err(), "{method}");
        }
        assert!(known_method("PROPFIND").is_ok());
    }
}
