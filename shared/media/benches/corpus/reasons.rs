//! Why a field differs from the truth and is left so: by file and field.

/// The reason, where one is known.
pub(crate) fn of(path: &str, field: &str) -> Option<&'static str> {
    REASONS.iter().find(|(file, of, _)| *of == field && path.ends_with(file)).map(|(_, _, reason)| *reason)
}

/// End of the path, field, reason.
const REASONS: &[(&str, &str, &str)] = &[
    (
        "dolbyVision-hdr.MOV",
        "date",
        "ours is when the recording began, by Apple's key; exiftool's is the header's, of a copy",
    ),
    ("monkeysaudio.ape", "artist", "several values: all are kept, joined by ';'; ffprobe shows the first"),
    ("apev2-no-header.sv7.mpc", "bit rate", "ffprobe counts the last frame as a whole one"),
    ("apev2.sv7.mpc", "bit rate", "ffprobe counts the last frame as a whole one"),
    ("amr/sample_wb.amr", "duration", "ffprobe guesses from the mean bit rate; ours counts the frames"),
    ("amr/sample_wb.amr", "bit rate", "follows from the duration"),
    (
        "mp3/bear-vbr-no-seek-table.mp3",
        "duration",
        "no frame count in the file: ffprobe guesses from the first frame; ours counts all 117",
    ),
    ("mp3/bear-vbr-no-seek-table.mp3", "bit rate", "follows from the duration"),
    ("aac/somesound.aac", "duration", "ffprobe guesses from the first frames; 705 frames are 15.04 s"),
    ("flv/sample.flv", "frame rate", "ffprobe's 1000 is the clock's rate, not the film's"),
    (
        "sample_with_htc_rotation_track_name.mkv",
        "frame rate",
        "ffprobe's 1000 is the clock's rate, not the film's",
    ),
    (
        "sample_with_null_terminated_srt.mkv",
        "frame rate",
        "ffprobe's 1000 is the clock's rate, not the film's",
    ),
    (
        "sample_with_null_terminated_ssa_subtitles.mkv",
        "frame rate",
        "ffprobe's 1000 is the clock's rate, not the film's",
    ),
    ("sample_with_ssa_subtitles.mkv", "frame rate", "ffprobe's 1000 is the clock's rate, not the film's"),
    (
        "mp4/sample_ac4.mp4",
        "media type",
        "sound alone in a film's container, whose codec ffprobe does not know",
    ),
    ("ts/sample_ac3.ts", "bit rate", "follows from the duration, which lacks the last packet's frames"),
    ("ts/sample_scte35.ts", "duration", "ffprobe counts from the splice information, 0.7 s before the sound"),
    ("issue_499.opus", "bit rate", "pre-skip is not played and not counted (RFC 7845); ffprobe counts it"),
    (
        "issue_499_vinyl_track_number.opus",
        "bit rate",
        "pre-skip is not played and not counted (RFC 7845); ffprobe counts it",
    ),
    ("testOPUS.opus", "bit rate", "pre-skip is not played and not counted (RFC 7845); ffprobe counts it"),
    ("sfx-opus.ogg", "bit rate", "pre-skip is not played and not counted (RFC 7845); ffprobe counts it"),
    ("minimal/full_test.aac", "artist", "tags at odds on purpose: ffprobe prefers ID3v1, ours ID3v2"),
    (
        "minimal/full_test.aac",
        "bit rate",
        "ffprobe guesses from the first frames; 68 frames are 1.451 s, ours 1.459",
    ),
    (
        "minimal/full_test.ape",
        "artist",
        "tags at odds on purpose: ours is the APE tag, which ffprobe misses before an ID3v1",
    ),
    (
        "minimal/full_test.wv",
        "artist",
        "tags at odds on purpose: ours is the APE tag, which ffprobe misses before an ID3v1",
    ),
    (
        "minimal/mpc_sv7.mpc",
        "artist",
        "tags at odds on purpose: ours is the APE tag, which ffprobe misses before an ID3v1",
    ),
    ("zero/zero.wav", "bit rate", "the data chunk is empty; ffprobe takes what follows for sound"),
    (
        "corrupt/no-ftyp.avif",
        "media type",
        "damaged on purpose: without its first box nothing names the format",
    ),
    (
        "asf/CWE-835.wma",
        "media type",
        "damaged on purpose: no stream can be read, and the container is one for films too",
    ),
    ("wav/odd-list-type.wav", "bit rate", "a file of a few samples: ffprobe rounds the duration"),
    (
        "pillow/Tests/images/bmp/q/pal8os2v2-16.bmp",
        "height",
        "exiftool reads the short OS/2 header wrong: the picture has 64 rows",
    ),
    ("zero_height.j2k", "height", "damaged on purpose: the picture's rows are 0; exiftool gives the grid's"),
    (
        "testWPSAttachment.xls",
        "pages",
        "pages of a workbook are its sheets here; exiftool gives a number left by the writer",
    ),
    (
        "testWMV.wmv",
        "frame rate",
        "ffprobe measures 5 from the frames, the header states 10; ours gives neither",
    ),
    (
        "2x2-green.ogv",
        "duration",
        "ffprobe refuses the video header and guesses; ours is the sound's last position",
    ),
];
