//! Strict, bounded XML: what stands between the network and the grammar of XML-RPC.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

/// The largest document that is read: 64 MiB. Whoever owns a connection sets a lower bound there.
pub const MAX_BYTES: usize = 64 << 20;

/// How deep values may be nested. Three XML elements a level stay well under the 128 at which other
/// readers of XML-RPC give up.
pub const MAX_DEPTH: usize = 32;

/// How many values a document may hold, so that small text cannot become a large tree.
pub const MAX_VALUES: usize = 1 << 20;

/// Why a document was refused. It names places, never what stands there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Larger than [`MAX_BYTES`].
    #[error("the document is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge,
    /// Not UTF-8 text.
    #[error("the document is not UTF-8 (byte {at})")]
    NotUtf8 {
        /// The first byte that does not fit.
        at: usize,
    },
    /// An encoding other than UTF-8 is declared.
    #[error("the document declares an encoding other than UTF-8")]
    Encoding,
    /// A character that XML 1.0 does not have.
    #[error("a control character that XML does not allow (byte {at}); send such bytes as base64")]
    Character {
        /// Where.
        at: usize,
    },
    /// Not well-formed: tags that do not match, a document cut short, no XML at all.
    #[error("not well-formed XML (byte {at})")]
    Malformed {
        /// Where it was noticed.
        at: usize,
    },
    /// A document type, a processing instruction, or an entity beyond XML's five.
    #[error("document types, entities and processing instructions are refused (byte {at})")]
    Declaration {
        /// Where.
        at: usize,
    },
    /// Well-formed, but not XML-RPC.
    #[error("not XML-RPC: {wanted} was expected (byte {at})")]
    Unexpected {
        /// What XML-RPC has in this place.
        wanted: &'static str,
        /// Where.
        at: usize,
    },
    /// A text that its type does not allow, or that is out of range.
    #[error("not a valid {kind} (byte {at})")]
    Scalar {
        /// The type.
        kind: &'static str,
        /// Where its text ends.
        at: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("values are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_VALUES`].
    #[error("the document holds more than {MAX_VALUES} values")]
    TooMany,
    /// A key that the struct has already.
    #[error("a struct holds the same key twice (byte {at})")]
    DuplicateKey {
        /// Where.
        at: usize,
    },
}

/// A part of the document, with comments and the XML declaration gone and references resolved.
pub(super) enum Token<'a> {
    /// The start of an element, by name.
    Open(&'a str),
    /// The end of the element that is open.
    Close,
    /// Text; an element's text may come in several pieces.
    Text(std::borrow::Cow<'a, str>),
    /// The end of the document.
    End,
}

/// Reads tokens out of a document that has been checked for size, encoding and characters.
pub(super) struct Scanner<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    begun: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(body: &'a [u8]) -> Result<Self, ParseError> {
        if body.len() > MAX_BYTES {
            return Err(ParseError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|error| ParseError::NotUtf8 { at: error.valid_up_to() })?;
        if let Some((at, _)) = text.char_indices().find(|(_, c)| !is_xml_character(*c)) {
            return Err(ParseError::Character { at });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.enable_all_checks(true);
        config.expand_empty_elements = true;
        Ok(Self { text, reader, begun: false })
    }

    /// Where the next token begins.
    pub(super) fn at(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, ParseError> {
        loop {
            let start = self.at();
            let malformed = ParseError::Malformed { at: start };
            let first = !std::mem::replace(&mut self.begun, true);
            return match self.reader.read_event().map_err(|_| malformed.clone())? {
                Event::Start(tag) | Event::Empty(tag) => Ok(Token::Open(self.name(&tag, start)?)),
                Event::End(_) => Ok(Token::Close),
                Event::Text(text) => Ok(Token::Text(text.xml10_content())),
                Event::CData(text) => Ok(Token::Text(text.xml10_content())),
                Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(|_| malformed.clone())? {
                    Some(c) if is_xml_character(c) => Ok(Token::Text(c.to_string().into())),
                    Some(_) => Err(ParseError::Character { at: start }),
                    None => match quick_xml::escape::resolve_predefined_entity(&reference) {
                        Some(text) => Ok(Token::Text(text.into())),
                        None => Err(ParseError::Declaration { at: start }),
                    },
                },
                Event::Decl(declaration) if first => {
                    declaration.version().map_err(|_| malformed.clone())?;
                    match declaration.encoding() {
                        Some(Err(_)) => return Err(malformed),
                        Some(Ok(name)) if !is_utf8(&name) => return Err(ParseError::Encoding),
                        _ => continue,
                    }
                }
                Event::Comment(_) => continue,
                Event::Decl(_) => Err(malformed),
                Event::DocType(_) | Event::PI(_) => Err(ParseError::Declaration { at: start }),
                Event::Eof => Ok(Token::End),
            };
        }
    }

    /// The name of a tag, cut out of the document so that it outlives the event. Attributes have no
    /// meaning in XML-RPC; only name space declarations, which some clients send, are let through.
    fn name(&self, tag: &BytesStart<'_>, start: usize) -> Result<&'a str, ParseError> {
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| ParseError::Malformed { at: start })?;
            let key = attribute.key.as_ref();
            if key != "xmlns" && !key.starts_with("xmlns:") {
                return Err(ParseError::Unexpected { wanted: "a tag without attributes", at: start });
            }
        }
        let from = start + 1;
        self.text.get(from..from + tag.name().as_ref().len()).ok_or(ParseError::Malformed { at: start })
    }
}

/// XML 1.0, production 2.
pub(super) fn is_xml_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_utf8(encoding: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}
