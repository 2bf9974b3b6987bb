//! Film containers.

mod asf;
mod avi;
mod elementary;
mod flv;
mod mkv;
mod mkv_track;
mod mp4;
mod mp4_chapters;
mod mp4_entry;
mod mp4_tags;
mod mp4_track;
mod plain;
mod ps;
mod real;
mod ts;

pub(crate) use mp4_entry::ac3_channels;

use crate::ctx::Ctx;
use crate::detect::Family;
use crate::extraction::ProblemKind;
use crate::source::{Parse, Stop};

/// Reads a container of a known family.
pub(crate) fn read(ctx: &mut Ctx<'_>, family: Family) -> Parse {
    match family {
        Family::Mp4 => mp4::read(ctx),
        Family::Matroska => mkv::read(ctx),
        Family::Avi => avi::read(ctx),
        Family::Flv => flv::read(ctx),
        Family::Asf => asf::read(ctx),
        Family::Real => real::read(ctx),
        Family::MpegTs => ts::read(ctx),
        Family::MpegPs => ps::read(ctx),
        Family::BareVideo => ps::bare(ctx),
        Family::Ivf => plain::ivf(ctx),
        Family::Dv => plain::dv(ctx),
        _ => Err(Stop::Unsupported("this container is not read")),
    }
}

/// Says that a film has more streams than are kept of one.
fn note_streams(ctx: &mut Ctx<'_>, kept: usize) {
    ctx.problem(ProblemKind::Limit, "streams", format!("the first {kept} are kept"));
}
