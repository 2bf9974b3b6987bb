//! Where text goes: bounded in length, with the time and the memory that are left.

use std::time::Instant;

use crate::{Error, Limits};

/// Why a reader ended before the document did.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The text has the length that it may have.
    Full,
    /// Time or memory was used up; the text says which.
    Limit(&'static str),
    /// The document cannot be read.
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

pub(crate) type Read<T = ()> = Result<T, Stop>;

/// Bytes that may be unpacked of one document, in multiples of what may be held at once.
const UNPACKED: u64 = 4;
/// Notes that are kept: a document with a thousand broken parts says it often enough.
const MAX_NOTES: usize = 16;
/// Steps between two looks at the clock.
const STEPS: u32 = 256;

/// The text that was read so far.
pub(crate) struct Out {
    text: String,
    max: usize,
    deadline: Option<Instant>,
    steps: u32,
    memory: u64,
    unpacked: u64,
    notes: Vec<String>,
    /// Something was left out because a limit was met.
    cut: bool,
    /// A blank that is written only if a word follows.
    blank: bool,
}

impl Out {
    pub(crate) fn new(limits: &Limits) -> Self {
        Out {
            text: String::new(),
            max: limits.text,
            deadline: limits.deadline,
            steps: 0,
            memory: limits.memory,
            unpacked: limits.memory.saturating_mul(UNPACKED),
            notes: Vec::new(),
            cut: false,
            blank: false,
        }
    }

    /// Called in loops: ends the reading when the time is up.
    pub(crate) fn tick(&mut self) -> Read {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.is_multiple_of(STEPS) { self.check_time() } else { Ok(()) }
    }

    /// Looks at the clock at once, before something that takes long.
    pub(crate) fn check_time(&self) -> Read {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Stop::Limit("the time was up")),
            _ => Ok(()),
        }
    }

    /// Most bytes that one part may unpack to: what may be held at once, and what is left for
    /// the whole document.
    pub(crate) fn room(&self) -> u64 {
        self.memory.min(self.unpacked)
    }

    /// Bytes that may be held at once.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Counts what was unpacked.
    pub(crate) fn unpacked(&mut self, bytes: usize) -> Read {
        self.check_time()?;
        self.unpacked = self.unpacked.saturating_sub(bytes as u64);
        if self.unpacked == 0 {
            return Err(Stop::Limit("the document unpacks to more than is read of one"));
        }
        Ok(())
    }

    /// Bytes that the text may still grow by.
    pub(crate) fn left(&self) -> usize {
        self.max.saturating_sub(self.text.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.trim_ascii().is_empty()
    }

    /// Says what was not read.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Says what was left out because of a limit.
    pub(crate) fn cut(&mut self, text: impl Into<String>) {
        self.cut = true;
        self.note(text);
    }

    /// One character as it stands. Control characters are dropped, and marks that only say
    /// where a line may be broken.
    pub(crate) fn char(&mut self, c: char) -> Read {
        if (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{ad}' | '\u{feff}') {
            return Ok(());
        }
        self.flush_blank()?;
        self.put(c)
    }

    fn put(&mut self, c: char) -> Read {
        if self.text.len() + c.len_utf8() > self.max {
            return Err(Stop::Full);
        }
        self.text.push(c);
        Ok(())
    }

    fn flush_blank(&mut self) -> Read {
        if std::mem::take(&mut self.blank) && !self.text.ends_with([' ', '\n', '\t']) && !self.text.is_empty()
        {
            self.put(' ')?;
        }
        Ok(())
    }

    /// Text as it stands, with lines that end in CR or CRLF ending in LF.
    pub(crate) fn verbatim(&mut self, text: &str) -> Read {
        self.tick()?;
        let mut before = ' ';
        for c in text.chars() {
            match c {
                '\n' if before == '\r' => {}
                '\r' => self.char('\n')?,
                _ => self.char(c)?,
            }
            before = c;
        }
        Ok(())
    }

    /// Text in which any run of blanks and line ends is one blank.
    pub(crate) fn flowing(&mut self, text: &str) -> Read {
        self.tick()?;
        for c in text.chars() {
            if matches!(c, ' ' | '\n' | '\r' | '\t' | '\u{c}') { self.blank = true } else { self.char(c)? }
        }
        Ok(())
    }

    /// A blank, if a word stands before and one follows.
    pub(crate) fn blank(&mut self) {
        self.blank = true;
    }

    /// Ends the line, if anything stands in it.
    pub(crate) fn line(&mut self) -> Read {
        self.blank = false;
        let len = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(len);
        if self.text.is_empty() || self.text.ends_with('\n') { Ok(()) } else { self.put('\n') }
    }

    /// Ends the line even where nothing stands in it; no more than one empty line in a row.
    pub(crate) fn line_break(&mut self) -> Read {
        self.blank = false;
        if self.text.is_empty() || self.text.ends_with("\n\n") { Ok(()) } else { self.put('\n') }
    }

    /// Ends a paragraph: an empty line stands behind it.
    pub(crate) fn paragraph(&mut self) -> Read {
        self.line()?;
        self.line_break()
    }

    /// Ends the cell of a table.
    pub(crate) fn cell(&mut self) -> Read {
        self.blank = false;
        if self.text.is_empty() || self.text.ends_with('\n') {
            return Ok(());
        }
        self.put('\t')
    }

    /// The text, whether it was cut, and the notes.
    pub(crate) fn finish(mut self) -> (String, bool, Vec<String>) {
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        let start = self.text.len() - self.text.trim_start_matches(['\n', ' ', '\t']).len();
        self.text.drain(..start);
        (self.text, self.cut, self.notes)
    }
}
