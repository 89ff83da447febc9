//! The counterpart of `deflate.rs` without the feature: no offer is accepted, so none of these values ever exists.

use super::request::Request;
use crate::error::ProtocolError;

pub(super) const IS_BUILT: bool = false;
pub(crate) const INFLATER: usize = 0;
pub(crate) const DEFLATER: usize = 0;
pub(crate) const SMALL: usize = 1;
pub(crate) const SMALL_IN_CONTEXT: usize = 1;

/// A type without values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Never {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    never: Never,
    pub(crate) server_no_context_takeover: bool,
}

impl Agreement {
    pub(crate) fn negotiate(_: &Request, Compression::Off: Compression) -> Option<Agreement> {
        None
    }

    pub(crate) fn without_context(self) -> Agreement {
        self
    }

    pub(crate) fn window_bits(self) -> u8 {
        match self.never {}
    }

    pub(crate) fn memory(self) -> usize {
        match self.never {}
    }
}

impl std::fmt::Display for Agreement {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.never {}
    }
}

#[derive(Debug)]
pub(crate) struct Deflater(Never);

impl Deflater {
    pub(crate) fn new(agreement: Agreement) -> Deflater {
        match agreement.never {}
    }

    pub(crate) fn reset(&mut self) {}

    pub(crate) fn compress_if_shorter(&mut self, _: &[u8], _: &mut Vec<u8>) -> bool {
        match self.0 {}
    }

    pub(crate) fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) {}
}

#[derive(Debug)]
pub(crate) struct Zlib(Never);

#[derive(Debug)]
pub(super) struct Incoming {
    never: Never,
    pub(super) spare: Option<Zlib>,
}

impl Incoming {
    pub(super) fn new(agreement: Agreement) -> Incoming {
        match agreement.never {}
    }

    pub(super) fn begin(&mut self) -> Inflater {
        match self.never {}
    }

    pub(super) fn end(&mut self, _: Inflater, _: &[u8]) {}
}

#[derive(Debug)]
pub(super) struct Inflater(Never);

impl Inflater {
    pub(super) fn alone() -> Option<Inflater> {
        None
    }

    pub(super) fn inflate(&mut self, _: &[u8], _: &mut [u8], _: usize) -> Result<(usize, usize), ProtocolError> {
        match self.0 {}
    }

    pub(super) fn finish(&mut self, _: &mut [u8], _: usize) -> Result<(usize, bool), ProtocolError> {
        match self.0 {}
    }
}
