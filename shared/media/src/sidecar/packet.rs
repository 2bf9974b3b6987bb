//! XMP sidecars: what editors and catalogues write down of a picture or film that they
//! leave untouched.

use super::Problems;
use crate::extra::Extra;
use crate::extraction::ProblemKind;
use crate::image::xmp::{self, Packet};
use crate::image::{best_date, lat_long_text};
use crate::metadata::Metadata;
use crate::text;
use crate::time::{Stamp, format_offset};

/// Reads a sidecar over what is known. What it says of the content (who, what, when,
/// where, how good) replaces what the file says; what only the camera knows is added.
pub(super) fn read(
    m: &mut Metadata,
    problems: &mut Problems,
    (name, content, is_cut): (&str, &[u8], bool),
    (max_text, size): (usize, u64),
) {
    let packet = xmp::parse(content);
    if is_cut || packet.limited {
        problems.add(ProblemKind::Limit, name, "it is longer than what is read of a sidecar");
    } else if !packet.found {
        problems.add(ProblemKind::Malformed, name, "it has no XMP packet");
    } else if packet.cut {
        problems.add(ProblemKind::Malformed, name, "the packet ends before its properties do");
    }
    write(packet, m, max_text, size);
}

fn write(packet: Packet, m: &mut Metadata, max_text: usize, size: u64) {
    let put = |slot: &mut Option<String>, value: Option<String>| {
        if let Some(value) = value.and_then(|value| text::clean(&value, max_text)) {
            *slot = Some(value);
        }
    };
    put(&mut m.title, packet.title);
    put(&mut m.description, packet.description);
    put(&mut m.copyright, packet.copyright);
    if m.language.is_none() {
        put(&mut m.language, packet.language);
    }
    replace(&mut m.authors, packet.creators);
    let mut seen = std::collections::BTreeSet::new();
    let keywords = packet.keywords.into_iter().filter(|keyword| seen.insert(keyword.clone()));
    replace(&mut m.keywords, keywords.collect());
    let mut dates = packet.created;
    dates.sort_by_key(|(rank, _)| *rank);
    let dates: Vec<Stamp> = dates.into_iter().map(|(_, stamp)| stamp).collect();
    if let Some(date) = best_date(&dates) {
        put_date(m, date);
    }
    let place = packet.lat_long.and_then(|(lat, long)| lat_long_text(lat, long));
    m.lat_long = place.or(m.lat_long.take());
    let sides = m.image_width.zip(m.image_height);
    let mut told = Extra::default();
    packet.more.write(&mut told, None, sides, m.orientation.unwrap_or(1), size);
    put_extra(&mut m.extra, told);
}

fn replace<T>(list: &mut Vec<T>, told: Vec<T>) {
    if !told.is_empty() {
        *list = told;
    }
}

/// A date that shows the time of the file's own says nothing new, unless it names the
/// zone: the file's own may have more digits.
fn put_date(m: &mut Metadata, date: &Stamp) {
    let own = m.produce_time.as_deref().and_then(Stamp::parse);
    let is_same = own.is_some_and(|own| own.wall_seconds() == date.wall_seconds());
    if is_same && (date.offset.is_none() || m.timezone.is_some()) {
        return;
    }
    m.produce_time = Some(date.rfc3339());
    m.timezone = date.offset.map(format_offset);
    m.timezone_source = None;
}

fn put_extra(x: &mut Extra, told: Extra) {
    fn put<T>(slot: &mut Option<T>, value: Option<T>) {
        if value.is_some() {
            *slot = value;
        }
    }
    put(&mut x.rating, told.rating);
    put(&mut x.color_label, told.color_label);
    put(&mut x.headline, told.headline);
    put(&mut x.city, told.city);
    put(&mut x.credit, told.credit);
    replace(&mut x.persons, told.persons);
    replace(&mut x.figures, told.figures);
    replace(&mut x.hierarchical_keywords, told.hierarchical_keywords);
    Extra::fill(&mut x.lens_make, told.lens_make);
    Extra::fill(&mut x.lens_model, told.lens_model);
    Extra::fill(&mut x.focal_length, told.focal_length);
    Extra::fill(&mut x.focal_length_in35mm, told.focal_length_in35mm);
    Extra::fill(&mut x.exposure_time, told.exposure_time);
    Extra::fill(&mut x.f_number, told.f_number);
    Extra::fill(&mut x.iso, told.iso);
}
