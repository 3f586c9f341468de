//! The paths (`a::b::c`) in Rust source, with `use` trees written out. Comments and literals are no source.

/// Every path of at least one `::`, or named by a whole `use`, in the order of the text.
pub fn paths(source: &str) -> Vec<String> {
    let tokens = tokens(&blank_literals(source));
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let in_use = at > 0 && tokens[at - 1] == "use";
        let begins = is_name(&tokens[at]) && tokens[at] != "use";
        let goes_on = tokens.get(at + 1).is_some_and(|next| next == "::");
        at = match begins && (goes_on || in_use) {
            true => path(&tokens, at, "", &mut found),
            false => at + 1,
        };
    }
    found
}

/// Reads one path, or one branch of a `use` tree, that begins at `at`; gives where it ends.
fn path(tokens: &[String], mut at: usize, prefix: &str, found: &mut Vec<String>) -> usize {
    let mut path = prefix.to_owned();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "::" => path.push_str("::"),
            "{" if path.ends_with("::") => return group(tokens, at + 1, &path, found),
            name if is_name(name) && (path.is_empty() || path.ends_with("::")) => {
                path.push_str(name);
            }
            _ => break,
        }
        at += 1;
    }
    found.push(path.trim_end_matches("::").to_owned());
    at
}

/// Reads the branches after a `{`; gives where the `}` ends.
fn group(tokens: &[String], mut at: usize, prefix: &str, found: &mut Vec<String>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "}" => return at + 1,
            // `a as b`: the new name is no path.
            "as" => at += 2,
            name if is_name(name) => at = path(tokens, at, prefix, found),
            _ => at += 1,
        }
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            _ if rest.starts_with("::") => 2,
            c if is_part(c) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The source with comments and literals replaced by blanks.
fn blank_literals(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = literal_len(rest, out.chars().last());
        if skipped > 0 {
            out.push(' ');
            rest = &rest[skipped..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The length of the comment or literal that `text` begins with; 0 for none. `before` is the character in front of it.
fn literal_len(text: &str, before: Option<char>) -> usize {
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        block_comment_len(text)
    } else if text.starts_with('"') {
        quoted_len(text)
    } else if text.starts_with('\'') {
        char_len(text)
    } else if !in_name {
        raw_len(text)
    } else {
        0
    }
}

fn block_comment_len(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

fn quoted_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// `'x'` and `'\n'` are characters; `'a` is a lifetime.
fn char_len(text: &str) -> usize {
    let inner: Vec<_> = text.char_indices().skip(1).take(12).collect();
    match inner[..] {
        [(_, '\\'), _, ..] => {
            let end = inner.iter().skip(2).find(|(_, c)| *c == '\'');
            end.map_or(0, |(at, _)| at + 1)
        }
        [_, (at, '\''), ..] => at + 1,
        _ => 0,
    }
}

/// `r"..."`, `r#"..."#`, `br"..."`: no escapes inside.
fn raw_len(text: &str) -> usize {
    let bytes = usize::from(text.starts_with('b'));
    let Some(rest) = text[bytes..].strip_prefix('r') else {
        return 0;
    };
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if !rest[hashes..].starts_with('"') {
        return 0;
    }
    let begin = bytes + 1 + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = text[begin..].find(&end).map(|at| at + end.len());
    length.map_or(text.len(), |length| begin + length)
}

#[test]
fn use_trees_are_written_out() {
    let source = "use crate::{a, b::{self, c as d, e::*}, f};\npub use g::h;\nuse tokio;";
    assert_eq!(
        paths(source),
        ["crate::a", "crate::b::self", "crate::b::c", "crate::b::e", "crate::f", "g::h", "tokio"]
    );
}

#[test]
fn paths_in_code_are_found() {
    let source = "fn f<'a>(x: &'a a::B<c::D>) { let y = Instant::now(); e::<f::G>(y); h!{ i::j } }";
    assert_eq!(paths(source), ["a::B", "c::D", "Instant::now", "e", "f::G", "i::j"]);
}

#[test]
fn comments_and_literals_are_no_source() {
    let source = r##"
        /// x::a
        /* x::b /* x::c */ x::d */
        const A: &str = "x::e \" x::f";
        const B: &str = r#"x::g " x::h"#;
        const C: char = '"'; const D: char = '\''; const E: &str = y::z;
        const F: &[u8] = br"x::i\"; let l: &'static str = y::w;
    "##;
    assert_eq!(paths(source), ["y::z", "y::w"]);
}
