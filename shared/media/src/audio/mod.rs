//! Sound: one reader a container.

pub(crate) mod apetag;
mod flac;
mod header;
pub(crate) mod id3;
pub(crate) mod mpeg;
mod ogg;
mod plain;
mod raw;
pub(crate) mod riff;
mod sound;
pub(crate) mod tags;
pub(crate) mod vorbis;

pub(crate) use plain::dts_frame;
pub(crate) use raw::{ac3_frame, latm_config};

use crate::codec;
use crate::ctx::Ctx;
use crate::detect::Family;
use crate::metadata::{AudioStream, Image};
use crate::source::{Parse, Stop};

/// Reads a sound file of a known family.
pub(crate) fn read(ctx: &mut Ctx<'_>, family: Family) -> Parse {
    match family {
        Family::Mp3 => sound::mp3(ctx),
        Family::Ape => sound::other(ctx, ("ape", "Monkey's Audio"), "ape", header::ape),
        Family::WavPack => sound::other(ctx, ("wv", "WavPack"), "wavpack", header::wavpack),
        Family::Musepack if ctx.kind.format == "mpc8" => {
            sound::other(ctx, ("mpc8", "Musepack SV8"), "musepack8", header::musepack8)
        }
        Family::Musepack => sound::other(ctx, ("mpc", "Musepack"), "musepack7", header::musepack7),
        Family::Flac => flac::read(ctx),
        Family::Ogg => ogg::read(ctx),
        Family::Wav => riff::wav(ctx),
        Family::Aiff => riff::aiff(ctx),
        Family::Aac => raw::adts(ctx),
        Family::Loas => raw::loas(ctx),
        Family::Ac3 => raw::ac3(ctx),
        Family::Amr => raw::amr(ctx),
        Family::Caf => riff::caf(ctx),
        Family::Au => plain::au(ctx),
        Family::Tta => plain::tta(ctx),
        Family::Dsf => plain::dsf(ctx),
        Family::Dff => plain::dff(ctx),
        Family::Wave64 => plain::w64(ctx),
        Family::Dts => plain::dts(ctx),
        Family::Tracker => plain::tracker(ctx),
        _ => Err(Stop::Unsupported("this sound format is not read")),
    }
}

/// Fills the record of a file that is one sound stream.
fn single(ctx: &mut Ctx<'_>, format: (&str, &str), mut stream: AudioStream, seconds: f64) {
    let duration = codec::seconds(seconds);
    stream.index = Some(0);
    stream.duration = duration;
    ctx.meta.format_name = Some(format.0.to_owned());
    ctx.meta.format_long_name = Some(format.1.to_owned());
    ctx.meta.duration = duration;
    ctx.meta.bitrate = duration.and_then(|d| codec::bitrate(ctx.src.size(), d));
    stream.bitrate = stream.bitrate.or(ctx.meta.bitrate);
    ctx.meta.stream_count = Some(1);
    ctx.meta.audio_streams = vec![stream];
}

/// Dimensions of a cover picture from its head.
pub(crate) fn cover(head: &[u8]) -> Option<Image> {
    let found = std::panic::catch_unwind(|| imagesize::blob_size(head)).ok()?.ok()?;
    Some(Image {
        image_width: u32::try_from(found.width).ok(),
        image_height: u32::try_from(found.height).ok(),
        exif: None,
    })
}
