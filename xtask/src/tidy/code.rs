//! A Rust file with its comments and the contents of its literals blanked out, so that a word found is code.
//!
//! Not a lexer: it knows just enough of comments, strings, raw strings and characters to skip them.

/// The text with every comment and every literal's content replaced by spaces; lines stay where they are.
pub(super) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped_len(rest, code.chars().next_back());
        let (taken, remaining) = rest.split_at(if skipped == 0 { first.len_utf8() } else { skipped });
        if skipped == 0 {
            code.push_str(taken);
        } else {
            code.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = remaining;
    }
    code
}

/// How many bytes at the start of `rest` are a comment or a literal; 0 for code. `before` is the character before.
fn skipped_len(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_len(rest);
    }
    if rest.starts_with('"') {
        return quoted_len(rest, '"');
    }
    if rest.starts_with('r')
        && !before.is_some_and(|c| c.is_alphanumeric() && c != 'b' && c != 'c' || c == '_')
    {
        return raw_string_len(rest);
    }
    if rest.starts_with('\'') {
        return character_len(rest);
    }
    0
}

fn block_comment_len(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let step = if tail.starts_with("/*") {
            depth += 1;
            2
        } else if tail.starts_with("*/") {
            depth -= 1;
            2
        } else {
            tail.chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn raw_string_len(rest: &str) -> usize {
    let after = rest.strip_prefix('r').unwrap_or(rest);
    let opened = after.trim_start_matches('#');
    let hashes = after.len() - opened.len();
    let Some(content) = opened.strip_prefix('"') else { return 0 };
    let end = format!("\"{}", "#".repeat(hashes));
    content.find(&end).map_or(rest.len(), |at| rest.len() - content.len() + at + end.len())
}

/// `'x'` and `'\n'` are characters, `'x` is a lifetime.
fn character_len(rest: &str) -> usize {
    let mut inside = rest.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_len(rest, '\''),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "a /* b /* c */\n d */ e // f\n\"g \\\" h\" i";
        let code = code_only(text);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "e", "i"]);
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn raw_strings_end_where_their_hashes_say() {
        assert_eq!(
            code_only(r###"r#"a "quoted" b"# c br"d" e"###).split_whitespace().collect::<Vec<_>>(),
            ["c", "b", "e"]
        );
        assert_eq!(
            code_only("for_r\"x\" r#type").split_whitespace().collect::<Vec<_>>(),
            ["for_r", "r#type"]
        );
    }

    #[test]
    fn a_quote_as_a_character_opens_no_string() {
        assert_eq!(
            code_only("'\"' a '\\'' b &'static c").split_whitespace().collect::<Vec<_>>(),
            ["a", "b", "&'static", "c"]
        );
    }
}
