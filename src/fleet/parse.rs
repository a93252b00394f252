//! From the text of a target to its parts, by recursive descent; the grammar stands at the head of `target`.

use super::{GroupName, InvalidTarget, target::Choice, word::Word};
use crate::wire::{Condition, InvalidQuery};

/// Nobody nests deeper by hand, and every level costs stack.
const DEEPEST: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Open,
    Close,
    Semicolon,
    And,
    Or,
    Not,
    Word(&'a str),
}

struct Parser<'a> {
    /// Each with the number of its first character, counted from 1.
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
    end: usize,
    depth: usize,
}

/// Reads a whole target.
pub(super) fn parse(text: &str) -> Result<Vec<Choice>, InvalidTarget> {
    let mut parser = Parser { tokens: tokens(text), next: 0, end: text.chars().count() + 1, depth: 0 };
    let parts = parser.parts()?;
    if parser.peek().is_some() {
        return Err(parser.wrong("nothing is to be closed here"));
    }
    if parts.is_empty() { Err(InvalidTarget::Empty) } else { Ok(parts) }
}

fn tokens(text: &str) -> Vec<(usize, Token<'_>)> {
    let mut tokens = Vec::new();
    let mut begun: Option<(usize, usize)> = None;
    let word = |at: usize, word| {
        let is = |keyword: &str| str::eq_ignore_ascii_case(word, keyword);
        let token = match word {
            _ if is("and") => Token::And,
            _ if is("or") => Token::Or,
            _ if is("not") => Token::Not,
            _ => Token::Word(word),
        };
        (at, token)
    };
    for (number, (index, c)) in text.char_indices().enumerate() {
        let alone = match c {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            ';' => Some(Token::Semicolon),
            _ => None,
        };
        if alone.is_none() && !c.is_whitespace() {
            begun.get_or_insert((number + 1, index));
            continue;
        }
        if let Some((at, start)) = begun.take() {
            tokens.push(word(at, &text[start..index]));
        }
        tokens.extend(alone.map(|token| (number + 1, token)));
    }
    if let Some((at, start)) = begun {
        tokens.push(word(at, &text[start..]));
    }
    tokens
}

impl<'a> Parser<'a> {
    /// Parts, empty ones left out, up to a `)` or the end.
    fn parts(&mut self) -> Result<Vec<Choice>, InvalidTarget> {
        let mut parts = Vec::new();
        loop {
            while self.take(Token::Semicolon) {}
            if matches!(self.peek(), None | Some(Token::Close)) {
                return Ok(parts);
            }
            parts.push(self.operands(Token::Or)?);
            if !matches!(self.peek(), None | Some(Token::Close | Token::Semicolon)) {
                return Err(self.wrong("`;`, `or` or `and` is missing before this"));
            }
        }
    }

    /// Operands of `or`, each of them operands of `and`.
    fn operands(&mut self, by: Token<'a>) -> Result<Choice, InvalidTarget> {
        let operand = |parser: &mut Self| if by == Token::Or { parser.operands(Token::And) } else { parser.one() };
        let first = operand(self)?;
        let mut all = vec![first];
        while self.take(by) {
            all.push(operand(self)?);
        }
        Ok(match (all.len(), by) {
            (1, _) => all.remove(0),
            (_, Token::Or) => Choice::Any(all),
            _ => Choice::All(all),
        })
    }

    fn one(&mut self) -> Result<Choice, InvalidTarget> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("it is nested too deep"));
        }
        let choice = if self.take(Token::Not) {
            Choice::Not(Box::new(self.one()?))
        } else if self.take(Token::Open) {
            let mut parts = self.parts()?;
            if parts.is_empty() || self.peek().is_none() {
                return Err(self.wrong(if parts.is_empty() { MISSING } else { "a `)` is missing" }));
            }
            self.next += 1;
            if parts.len() == 1 { parts.remove(0) } else { Choice::Any(parts) }
        } else if let Some(Token::Word(word)) = self.peek() {
            let choice = choice(word)?;
            self.next += 1;
            choice
        } else {
            return Err(self.wrong(MISSING));
        };
        self.depth -= 1;
        Ok(choice)
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }

    fn take(&mut self, token: Token<'a>) -> bool {
        let there = self.peek() == Some(token);
        self.next += usize::from(there);
        there
    }

    /// The next token, or the end, is wrong.
    fn wrong(&self, why: &'static str) -> InvalidTarget {
        let at = self.tokens.get(self.next).map_or(self.end, |(at, _)| *at);
        let found = match self.peek() {
            None => String::new(),
            Some(Token::Open) => "(".into(),
            Some(Token::Close) => ")".into(),
            Some(Token::Semicolon) => ";".into(),
            Some(Token::And) => "and".into(),
            Some(Token::Or) => "or".into(),
            Some(Token::Not) => "not".into(),
            Some(Token::Word(word)) => shown(word),
        };
        InvalidTarget::Form { at, found, why }
    }
}

const MISSING: &str = "a host name, a glob or a group is missing before this";

fn choice(text: &str) -> Result<Choice, InvalidTarget> {
    let refuse = |why: String| InvalidTarget::Word { word: shown(text), why };
    if Condition::is_meant(text) {
        return text.parse().map(Choice::Fact).map_err(|error: InvalidQuery| refuse(error.to_string()));
    }
    let Some(group) = text.strip_prefix('@') else { return Word::parse(text).map(Choice::Word).map_err(refuse) };
    let (name, word) = match group.split_once(':') {
        Some((name, word)) => (name, Some(word)),
        None => (group, None),
    };
    let name: GroupName = name.parse().map_err(|_| refuse(GroupName::RULE.into()))?;
    let word =
        word.map(|word| if word.is_empty() { Err("there is nothing behind `:`".into()) } else { Word::parse(word) });
    Ok(Choice::Group(name, word.transpose().map_err(refuse)?))
}

fn shown(text: &str) -> String {
    let cut = if text.chars().nth(80).is_some() { "…" } else { "" };
    text.chars().take(80).flat_map(char::escape_debug).chain(cut.chars()).collect()
}
