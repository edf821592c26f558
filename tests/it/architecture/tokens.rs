//! Rust text as the few kinds of token that the tables ask about. Comments, texts and lifetimes are passed over.

/// A token. Characters that mean nothing here are tokens all the same, so that neighbours stay neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, a keyword or a number.
    Word(String),
    /// `::`
    Separator,
    /// Any other character that stands for itself.
    Sign(char),
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        if let Self::Word(word) = self { Some(word) } else { None }
    }

    pub(super) fn is(&self, text: &str) -> bool {
        match self {
            Self::Word(word) => word == text,
            Self::Separator => text == "::",
            Self::Sign(sign) => text.strip_prefix(*sign) == Some(""),
        }
    }
}

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, len) = next(rest, first);
        tokens.extend(token);
        rest = &rest[len..];
    }
    tokens
}

fn next(rest: &str, first: char) -> (Option<Token>, usize) {
    if first.is_whitespace() {
        return (None, first.len_utf8());
    }
    if let Some(len) = passed_over(rest) {
        return (None, len);
    }
    if rest.starts_with("::") {
        return (Some(Token::Separator), 2);
    }
    let len = word_len(rest);
    if len > 0 {
        (Some(Token::Word(rest[..len].to_owned())), len)
    } else {
        (Some(Token::Sign(first)), first.len_utf8())
    }
}

/// The length of the comment, text, character or lifetime that `rest` begins with.
fn passed_over(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    let body = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let prefix = rest.len() - body.len();
    if let Some(raw) = body.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inner = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(prefix + 2 + hashes + inner.find(&end).map_or(inner.len(), |at| at + end.len()));
    }
    match body.strip_prefix(['"', '\'']) {
        Some(inner) if body.starts_with('"') => Some(prefix + 1 + quoted_len(inner, '"')),
        Some(inner) if is_character(inner) => Some(prefix + 1 + quoted_len(inner, '\'')),
        Some(inner) if prefix == 0 => Some(1 + word_len(inner)),
        _ => None,
    }
}

/// `'a'` and `'\n'`, but not `'a`.
fn is_character(inner: &str) -> bool {
    let mut characters = inner.chars();
    characters.next() == Some('\\') || characters.next() == Some('\'')
}

fn quoted_len(inner: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in inner.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    inner.len()
}

fn word_len(rest: &str) -> usize {
    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
}

#[test]
fn comments_and_texts_hold_no_tokens() {
    let text = r##"a::b // c::d
        /* e */ "f::\"g" r#"h"i"# b"j" 'k' '\'' 'l: m r n"##;
    let words: Vec<String> = tokens(text).iter().filter_map(|t| t.word().map(str::to_owned)).collect();
    assert_eq!(words, ["a", "b", "m", "r", "n"]);
}
