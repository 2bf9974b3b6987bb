//! Films of equal frames or with a short header: IVF, raw DV.

use crate::bytes::{le16, le32, le64};
use crate::codec;
use crate::ctx::Ctx;
use crate::metadata::{AudioStream, VideoStream};
use crate::source::Parse;

/// Fills the record of a file with one video stream.
fn single(ctx: &mut Ctx<'_>, format: (&str, &str), stream: VideoStream, seconds: f64) {
    ctx.meta.format_name = Some(format.0.into());
    ctx.meta.format_long_name = Some(format.1.into());
    ctx.meta.duration = codec::seconds(seconds);
    ctx.meta.bitrate = codec::bitrate(ctx.src.size(), seconds);
    (ctx.meta.video_width, ctx.meta.video_height) = (stream.width, stream.height);
    let aspect = stream.width.zip(stream.height);
    let display_aspect_ratio = aspect.and_then(|(w, h)| codec::display_aspect(w, h, (1, 1)));
    let duration = ctx.meta.duration;
    ctx.meta.video_streams = vec![VideoStream { index: Some(0), duration, display_aspect_ratio, ..stream }];
    ctx.meta.stream_count = Some(1);
}

/// IVF: what encoders of VP8, VP9 and AV1 write for tests.
pub(crate) fn ivf(ctx: &mut Ctx<'_>) -> Parse {
    let b = ctx.src.get(0, 32)?;
    let mut v = VideoStream::of(match b.get(8..12) {
        Some(b"VP80") => "vp8",
        Some(b"VP90") => "vp9",
        Some(b"AV01") => "av1",
        Some(b"H264") => "h264",
        _ => "",
    });
    v.codec_name = v.codec_name.filter(|n| !n.is_empty());
    let side = |at| le16(b, at).map(u32::from).filter(|n| *n > 0);
    (v.width, v.height) = (side(12), side(14));
    let (scale, tick) = (u64::from(le32(b, 16).unwrap_or(0)), u64::from(le32(b, 20).unwrap_or(0)));
    v.frame_rate = codec::fraction(scale, tick);
    v.average_frame_rate.clone_from(&v.frame_rate);
    v.time_base = codec::fraction(tick, scale);
    v.pixel_format = Some("yuv420p".into());
    // Some count frames here, some ticks; frames are one tick apart as a rule.
    let frames = le64(b, 24).unwrap_or(0) & 0xffff_ffff;
    let seconds = if scale > 0 { frames as f64 * tick as f64 / scale as f64 } else { 0.0 };
    single(ctx, ("ivf", "On2 IVF"), v, seconds);
    Ok(())
}

/// DV: frames of one length, which the system decides.
pub(crate) fn dv(ctx: &mut Ctx<'_>) -> Parse {
    let b = ctx.src.upto(0, 480)?;
    let fifty = b.get(3).is_some_and(|f| f & 0x80 != 0);
    let mut v = VideoStream::of("dvvideo");
    let (height, rate, frame) =
        if fifty { (576, (25, 1), 144_000.0) } else { (480, (30_000, 1001), 120_000.0) };
    (v.width, v.height) = (Some(720), Some(height));
    v.frame_rate = codec::fraction(rate.0, rate.1);
    v.average_frame_rate.clone_from(&v.frame_rate);
    v.pixel_format = Some(if fifty { "yuv420p" } else { "yuv411p" }.into());
    let seconds = ctx.src.size() as f64 / frame * rate.1 as f64 / rate.0 as f64;
    single(ctx, ("dv", "DV (Digital Video)"), v, seconds);
    // Sound is interleaved in every frame: two channels as a rule.
    let sound = AudioStream { index: Some(1), ..AudioStream::of("pcm_s16le") };
    ctx.meta.audio_streams = vec![sound];
    ctx.meta.stream_count = Some(2);
    Ok(())
}
