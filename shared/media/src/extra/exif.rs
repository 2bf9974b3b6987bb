//! Numbers out of EXIF's texts: exposure, lens, rating.

use crate::extra::Extra;
use crate::metadata::ExifMap;

/// A number as EXIF has it: plain or a fraction, the first of several.
pub(crate) fn number(text: &str) -> Option<f64> {
    let first = text.split_whitespace().next()?;
    let value = match first.split_once('/') {
        Some((above, below)) => above.parse::<f64>().ok()? / below.parse::<f64>().ok()?,
        None => first.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

/// Nine digits behind the point, or three, are more than any camera measures.
pub(crate) fn rounded(value: f64) -> f64 {
    let digits = if value.abs() >= 1.0 { 1e3 } else { 1e9 };
    (value * digits).round() / digits
}

fn positive(text: Option<&String>) -> Option<f64> {
    text.and_then(|t| number(t)).filter(|v| *v > 0.0 && *v < 1e6).map(rounded)
}

/// Fills what is still unknown.
pub(crate) fn fill(extra: &mut Extra, exif: &ExifMap) {
    let tag = |name: &str| exif.get(name);
    let whole = |name: &str| positive(tag(name)).filter(|v| *v >= 1.0).map(|v| v.round() as u32);
    extra.exposure_time = extra.exposure_time.or_else(|| positive(tag("ExposureTime")));
    extra.f_number = extra.f_number.or_else(|| positive(tag("FNumber")));
    // 65535 says that the number is too large for the tag, and stands in another one.
    let iso = whole("ISOSpeedRatings").or_else(|| whole("PhotographicSensitivity"));
    let iso = match iso {
        Some(65_535) | None => {
            let other = ["RecommendedExposureIndex", "ISOSpeed", "StandardOutputSensitivity"];
            other.iter().find_map(|name| whole(name)).or(iso)
        }
        known => known,
    };
    extra.iso = extra.iso.or(iso);
    extra.focal_length = extra.focal_length.or_else(|| positive(tag("FocalLength")));
    extra.focal_length_in35mm = extra.focal_length_in35mm.or_else(|| whole("FocalLengthIn35mmFilm"));
    let named = |name: &str| tag(name).filter(|t| t.chars().any(char::is_alphanumeric)).cloned();
    Extra::fill(&mut extra.lens_make, named("LensMake"));
    Extra::fill(&mut extra.lens_model, named("LensModel"));
    let stars = tag("Rating").and_then(|t| number(t)).filter(|v| (0.0..=5.0).contains(v));
    let percent = || tag("RatingPercent").and_then(|t| number(t)).and_then(percent);
    extra.rating = extra.rating.or(stars.map(|v| v.round() as i32)).or_else(percent);
}

/// Windows writes stars as 1, 25, 50, 75 and 99 in a hundred.
pub(crate) fn percent(value: f64) -> Option<i32> {
    match value {
        0.0 => Some(0),
        v if v > 0.0 && v <= 100.0 => Some(((v / 25.0).round() as i32 + 1).min(5)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_numbers() {
        let exif: ExifMap = [
            ("ExposureTime", "1/250"),
            ("FNumber", "28/10"),
            ("ISOSpeedRatings", "65535"),
            ("RecommendedExposureIndex", "102400"),
            ("FocalLength", "4250/1000"),
            ("FocalLengthIn35mmFilm", "26"),
            ("LensModel", "50mm"),
            ("LensMake", "----"),
            ("RatingPercent", "75"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let mut x = Extra::default();
        fill(&mut x, &exif);
        let numbers = (x.exposure_time, x.f_number, x.iso, x.focal_length, x.focal_length_in35mm);
        assert_eq!(numbers, (Some(0.004), Some(2.8), Some(102_400), Some(4.25), Some(26)));
        assert_eq!((x.lens_model.as_deref(), x.lens_make, x.rating), (Some("50mm"), None, Some(4)));
    }

    #[test]
    fn damaged_numbers_are_none() {
        let table = [
            ("0/0", None),
            ("", None),
            ("x", None),
            ("1/0", None),
            ("-5/2", Some(-2.5)),
            ("8 16", Some(8.0)),
        ];
        for (text, want) in table {
            assert_eq!(number(text), want, "{text}");
        }
        let table =
            [(0.0, Some(0)), (1.0, Some(1)), (25.0, Some(2)), (99.0, Some(5)), (101.0, None), (-1.0, None)];
        for (value, want) in table {
            assert_eq!(percent(value), want);
        }
        let exif: ExifMap =
            [("ExposureTime", "0/1"), ("Rating", "9")].map(|(k, v)| (k.into(), v.into())).into();
        let mut x = Extra::default();
        fill(&mut x, &exif);
        assert_eq!(x, Extra::default());
    }
}
