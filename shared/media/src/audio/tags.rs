//! What the tags of sound files say, gathered before it goes into the record.

use crate::ctx::Ctx;
use crate::extra::music::Music;
use crate::extraction::ProblemKind;
use crate::metadata::Image;
use crate::text;

/// A field that several tags have, under names of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Title,
    Artist,
    Album,
    AlbumArtist,
    Composer,
    Performer,
    Language,
    Copyright,
    Comment,
}

/// Most values of a field.
const MAX_VALUES: usize = 16;
/// Most covers.
const MAX_COVERS: usize = 8;

/// The texts of one tag.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    values: std::collections::BTreeMap<Field, Vec<String>>,
    pub(crate) covers: Vec<Image>,
    /// Extensions.
    pub(crate) more: Music,
    /// Fields of which there are more values than are kept.
    long: std::collections::BTreeSet<Field>,
    many_covers: bool,
}

impl Texts {
    /// Adds one value of a field.
    pub(crate) fn add(&mut self, field: Field, value: &str) {
        let values = self.values.entry(field).or_default();
        if values.iter().any(|v| v == value) {
            return;
        }
        if values.len() < MAX_VALUES {
            values.push(value.to_owned());
        } else {
            self.long.insert(field);
        }
    }

    /// Adds a cover; one that cannot be read still counts.
    pub(crate) fn add_cover(&mut self, cover: impl FnOnce() -> Option<Image>) {
        if self.covers.len() < MAX_COVERS {
            self.covers.push(cover().unwrap_or_default());
        } else {
            self.many_covers = true;
        }
    }

    pub(crate) fn has(&self, field: Field) -> bool {
        self.values.contains_key(&field)
    }

    /// Adds values that NULs part.
    pub(crate) fn add_all(&mut self, field: Field, values: &str) {
        for value in values.split('\0').filter(|v| !v.trim().is_empty()) {
            self.add(field, value);
        }
    }

    /// Writes what the record does not have yet: of several tags the first that has a
    /// field wins.
    pub(crate) fn write(self, ctx: &mut Ctx<'_>) {
        let max = ctx.limits.max_text;
        self.more.write(ctx);
        for field in &self.long {
            let why = format!("the first {MAX_VALUES} values are kept");
            ctx.problem(ProblemKind::Limit, &format!("{field:?}"), why);
        }
        if self.many_covers {
            note_covers(ctx);
        }
        for (field, values) in self.values {
            let values: Vec<String> = values.iter().filter_map(|v| text::clean(v, max)).collect();
            let Some(first) = values.first().cloned() else { continue };
            let joined = text::clean(&values.join(";"), max);
            let m = &mut ctx.meta;
            let (slot, value) = match field {
                Field::Title => (&mut m.title, Some(first)),
                Field::Artist => {
                    if m.artist.is_none() && m.authors.is_empty() && values.len() > 1 {
                        m.authors = values;
                    }
                    (&mut m.artist, joined)
                }
                Field::Album => (&mut m.album, joined),
                Field::AlbumArtist => (&mut m.album_artist, joined),
                Field::Composer => (&mut m.composer, joined),
                Field::Performer => (&mut m.performer, joined),
                Field::Language => (&mut m.language, Some(first)),
                Field::Copyright => (&mut m.copyright, Some(first)),
                Field::Comment => (&mut m.description, Some(first)),
            };
            if slot.is_none() {
                *slot = value;
            }
        }
        if ctx.meta.audio_covers.is_empty() {
            ctx.meta.audio_covers = self.covers;
        }
    }
}

fn note_covers(ctx: &mut Ctx<'_>) {
    ctx.problem(ProblemKind::Limit, "AudioCovers", format!("the first {MAX_COVERS} are kept"));
}

/// Adds a cover to the record; one that cannot be read still counts.
pub(crate) fn add_cover(ctx: &mut Ctx<'_>, cover: Option<Image>) {
    if ctx.meta.audio_covers.len() < MAX_COVERS {
        ctx.meta.audio_covers.push(cover.unwrap_or_default());
    } else {
        note_covers(ctx);
    }
}

/// Says that a tag was longer than what is read of one.
pub(crate) fn long(ctx: &mut Ctx<'_>, what: &str) {
    ctx.problem(ProblemKind::Limit, what, "longer than what is read of a tag");
}
