//! The known name that a mistyped one probably means.

/// The name among `known` that is nearest to `name`, unless none is near. Case, and `_` for `-`, count as nothing.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = plain(name);
    let near = known.into_iter().map(|candidate| (distance(&name, &plain(candidate)), candidate));
    let (distance, candidate) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + candidate.len() / 4).then_some(candidate)
}

/// `authServerUrl` and `AUTH_SERVER_URL` read as `authserverurl`.
fn plain(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_'));
    letters.flat_map(char::to_lowercase).take(64).collect()
}

/// Levenshtein's distance.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in to.iter().enumerate() {
            let above = row[column + 1];
            let replaced = diagonal + usize::from(from != to);
            row[column + 1] = replaced.min(above + 1).min(row[column] + 1);
            diagonal = above;
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_the_nearest_known_one() {
        let known = ["auth-server-url", "realm", "resource", "response-mode"];
        assert_eq!(nearest("authServerUrl", known), Some("auth-server-url"));
        assert_eq!(nearest("relam", known), Some("realm"));
        assert_eq!(nearest("resorce", known), Some("resource"));
        assert_eq!(nearest("something-else", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
