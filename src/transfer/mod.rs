//! Bytes between overlord and minion: in pieces, resumed after a cut, named by their digest.
//!
//! Calls are XML-RPC, in which bytes would travel as base64 and be held in memory whole. What is large goes
//! beside them, over the same listener, with the same certificates:
//!
//! ```text
//! HEAD /blobs/sha256:HEX                                        what is here of it?
//!   func-total: SIZE                                            (optional: is there room for so much?)
//!   200 whole │ 206 a part, `func-offset: N` │ 404 nothing
//! PUT  /blobs/sha256:HEX                                        from the offset on
//!   Content-Range: bytes FIRST-LAST/SIZE                        (`bytes */0` for nothing at all)
//!   201 whole and right │ 200 whole already │ 202 a part, `func-offset: N`
//!   409 begin at `func-offset: N` │ 422 the digest is another, all of it is gone
//!   413 more than one caller may have here │ 507 no room │ 503 as many transfers as can be, `Retry-After`
//! GET  /blobs/sha256:HEX, /blobs/offer:HEX                      what `getfile.offer` has offered to this caller
//!   Range: bytes=FIRST-
//!   206 with Content-Range │ 404 not offered (any more) │ 416 beyond the end
//!   of an offer, behind the body: `func-digest: blake3:HEX`, of all the bytes from 0 on; missing if the file has changed
//! ```
//!
//! Who says `func-digest: trailing` with the call `getfile.offer` gets an offer by number, and need not wait until the file
//! is digested: that is done while the bytes go out. Others get the digest at once.
//!
//! What gets smaller is compressed: an answer to `HEAD`, and a `GET`, say `func-coding: lz4` when their sender takes that; a
//! `PUT`, and an answer to `GET`, when their body is an LZ4 frame. Ranges, sizes and digests are those of the file all the
//! same, and no more comes out of a body than its range says.
//!
//! `POST` on these paths is XML-RPC, as on every path. Answers to the others are plain text for people;
//! the status and the headers say everything. A client that only makes calls stages pieces with
//! `transfer.put(digest, size, offset, bytes)`, by the same rules and more slowly.
//!
//! What arrives is staged in a folder of the minion's, under its digest and its caller: one caller neither
//! sees nor disturbs what another sends. A part is what was written before the cut; the digest is verified
//! over the whole, and only then does it count. Whatever becomes of it (a module, a file) is a call, and
//! that call is what is authorised; staging by itself costs the minion a bounded amount of disk, for a
//! bounded time.

mod appender;
mod coding;
mod digest;
mod disk;
mod file_body;
mod known;
mod name;
mod offers;
mod range;
mod staging;
mod upload;
mod writing;

pub use coding::{CODING, Coding, UnknownCoding};
pub use digest::{Hasher, InvalidSum, Sum, digest_of};
pub use file_body::FileBody;
pub use known::{Known, TrailingDigest, version_of};
pub use name::{InvalidName, Name};
pub use offers::Offers;
pub use range::{ContentRange, InvalidRange, from_range, range_from};
pub use staging::{Begun, Blob, Bounds, Refused, Staged, Staging, Taken};
pub use upload::Upload;
pub use writing::{Writing, Written};

/// How much of what comes is read at once. More would not stay in the processor's caches on its way through threads.
pub const READ: usize = 128 << 10;

/// Where blobs are found, before their names.
pub const PATH: &str = "/blobs/";

/// How much of a blob is here already.
pub const OFFSET: &str = "func-offset";

/// How large a blob is that is about to be sent.
pub const TOTAL: &str = "func-total";
