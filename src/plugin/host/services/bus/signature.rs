//! Types of D-Bus, as they are written in signatures.

/// Types within types are followed no deeper.
pub(super) const DEEPEST: u32 = 16;

/// How long the first complete type of a signature is.
pub(super) fn complete(signature: &[u8], depth: u32) -> Option<usize> {
    if depth > DEEPEST {
        return None;
    }
    match *signature.first()? {
        b'a' => Some(1 + complete(&signature[1..], depth + 1)?),
        open @ (b'(' | b'{') => {
            let close = if open == b'(' { b')' } else { b'}' };
            let mut at = 1;
            while *signature.get(at)? != close {
                at += complete(&signature[at..], depth + 1)?;
            }
            Some(at + 1)
        }
        b'y' | b'b' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b's' | b'o' | b'g' | b'v' | b'h' => Some(1),
        _ => None,
    }
}

/// At a multiple of how many bytes a value of a type begins.
pub(super) fn alignment(ty: u8) -> usize {
    match ty {
        b'n' | b'q' => 2,
        b'b' | b'i' | b'u' | b's' | b'o' | b'a' | b'h' => 4,
        b'x' | b't' | b'd' | b'(' | b'{' => 8,
        _ => 1,
    }
}
