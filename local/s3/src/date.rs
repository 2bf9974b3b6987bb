//! The time of a request. A client may sign `Date` instead of `x-amz-date`; s3s
//! knows only the second.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::dto::{Timestamp, TimestampFormat};

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// Adds the header `x-amz-date` where a request with a signature in its headers
/// has `Date` alone. The signature covers the time that was added, because it is a
/// part of the text that is signed.
///
/// # Errors
/// What the client is told, where there is no time.
pub(crate) fn supply(headers: &mut HeaderMap) -> Result<(), &'static str> {
    if !headers.contains_key(header::AUTHORIZATION) || headers.contains_key(AMZ_DATE) {
        return Ok(());
    }
    let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let value = date.and_then(amz_date).and_then(|text| HeaderValue::try_from(text).ok());
    let value = value.ok_or("AWS authentication requires a valid Date or x-amz-date header")?;
    headers.insert(AMZ_DATE, value);
    Ok(())
}

/// A time as in `x-amz-date`, from the form of HTTP, that of mails, which boto3
/// sends, or already in its own.
fn amz_date(date: &str) -> Option<String> {
    let date = date.trim();
    let is_basic = date.len() == 16 && date.ends_with('Z') && !date.contains(' ');
    if is_basic {
        return Some(date.to_owned());
    }
    let without_zone = ["GMT", "-0000", "+0000"].iter().find_map(|zone| date.strip_suffix(zone))?;
    let date = &format!("{without_zone}GMT");
    let stamp = Timestamp::parse(TimestampFormat::HttpDate, date).ok()?;
    let mut text = Vec::new();
    stamp.format(TimestampFormat::DateTime, &mut text).ok()?;
    let text = String::from_utf8(text).ok()?.replace(['-', ':'], "");
    // Without the fraction.
    Some(format!("{}Z", text.get(..15)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_stands_for_the_missing_header() {
        let amz = "20260101T000000Z";
        for (given, want) in [
            (&[("date", "Tue, 07 Jul 2026 01:02:03 GMT")][..], Ok(Some("20260707T010203Z"))),
            (&[("date", "20260707T010203Z")], Ok(Some("20260707T010203Z"))),
            (&[("date", "Tue, 07 Jul 2026 01:02:03 GMT"), ("x-amz-date", amz)], Ok(Some(amz))),
            (&[("date", "Tue, 07 Jul 2026 01:02:03 -0000")], Ok(Some("20260707T010203Z"))),
            (&[("date", "Tue, 07 Jul 2026 01:02:03 +0200")], Err(())),
            (&[("date", "yesterday")], Err(())),
            (&[("date", "")], Err(())),
            (&[], Err(())),
        ] {
            for has_signature in [true, false] {
                let mut headers: HeaderMap = given
                    .iter()
                    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                    .collect();
                if has_signature {
                    headers.insert(header::AUTHORIZATION, HeaderValue::from_static("x"));
                }
                let before = headers.get(AMZ_DATE).cloned();
                let got = supply(&mut headers).map_err(drop);
                let got = got.map(|()| headers.get(AMZ_DATE).and_then(|value| value.to_str().ok()));
                match has_signature {
                    true => assert_eq!(got, want, "{given:?}"),
                    // Of a presigned URL or a form, which have their own.
                    false => assert_eq!(headers.get(AMZ_DATE), before.as_ref(), "{given:?}"),
                }
            }
        }
    }
}
