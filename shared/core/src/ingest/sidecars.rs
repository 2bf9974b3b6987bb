//! Sidecars of objects: XMP packets and Google Takeout's JSON, where the template has
//! the operator `ReadSidecars`. Which names belong together, `mediadex_media::sidecar`
//! decides.
//!
//! A sidecar is an object with a row of its own. Reading it changes the rows of its main
//! objects, and so the order matters: a hint that finds a sidecar new, changed or gone
//! first has its main objects read again, and only then writes the sidecar's row. A
//! worker that dies in between leaves the difference, which the next hint finds.
//!
//! The row of a main object remembers the sidecars that it was made with. So a scan sees
//! those that changed, came or went, even where their events were lost.

use std::collections::BTreeMap;
use std::ops::Bound;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::types::EncodingType;
use futures::future::BoxFuture;
use mediadex_media::Record;
use mediadex_media::sidecar::{self, Kind, MAX_BYTES, Sidecar, Window};

use super::hint::{Hint, Outcome};
use super::object::{body, get, listed, status_of};
use super::reconcile::{Target, reconcile_all};
use super::split::listed_key;
use crate::context::Context;
use crate::error::Error;
use crate::ledger::{Change, Row, Source, Status};
use crate::model::{ObjectUri, template_of};
use crate::simulation::{Safeguard, is_off};

/// Keys in a page of a folder's listing, and pages read of it.
const PAGE: i32 = 100;
const MAX_PAGES: usize = 20;
/// Sidecars that a row remembers.
const MAX_SEEN: usize = 32;

/// Names of sidecars with their ETags, in the order of the names. The ETag is empty where
/// the sidecar could not be read: the next scan tries again.
pub(super) type Seen = Vec<(String, String)>;

/// Objects next to another one, by name, with what a listing says of them.
pub(super) type Beside = Vec<(String, Source)>;

/// That the sidecars of an object may be others than those its row was made with.
#[derive(Debug, Clone, Default)]
pub struct OfSidecar {
    /// The sidecar, and its ETag or that it is gone. A row that was made with it so needs
    /// no reading.
    told: Option<(String, Option<String>)>,
    /// An event has told of it: the row is written even where it is right, so that a
    /// worker that saw the sidecar as it was in between meets a conflict.
    write: bool,
    /// A file that is not indexed is not to be indexed for this.
    only_known: bool,
}

/// Folder, with its slash, and name.
fn split(key: &str) -> (&str, &str) {
    key.split_at(key.rfind('/').map_or(0, |slash| slash + 1))
}

fn name_of(uri: &ObjectUri) -> &str {
    split(&uri.key).1
}

/// Whether an object is a sidecar by its name, for a dataset that reads them.
pub(super) fn is_sidecar(target: &Target, uri: &ObjectUri) -> bool {
    reads(target) && sidecar::is_sidecar(name_of(uri))
}

fn reads(target: &Target) -> bool {
    target.template.sidecars && target.template.features.reads_object()
}

/// Why a folder could not be listed.
enum Unlisted {
    /// Refused, and it will be again.
    Denied,
    Failed(Error),
}

/// The part of a folder's names that a window shows.
async fn list(ctx: &Context, uri: &ObjectUri, window: &Window) -> Result<Beside, Unlisted> {
    let folder = split(&uri.key).0;
    let mut found = Vec::new();
    let mut token = None;
    for _ in 0..MAX_PAGES {
        ctx.usage.s3_list();
        let reply = ctx
            .s3()
            .list_objects_v2()
            .bucket(&uri.bucket)
            .prefix(format!("{folder}{}", window.prefix))
            .delimiter("/")
            .encoding_type(EncodingType::Url)
            .max_keys(PAGE)
            .set_continuation_token(token)
            .send()
            .await;
        let reply = reply.map_err(|error| match status_of(&error) {
            Some(403) => Unlisted::Denied,
            _ => Unlisted::Failed(Error::unavailable(DisplayErrorContext(&error).to_string())),
        })?;
        for object in reply.contents() {
            let key = object.key().map(listed_key).unwrap_or_default();
            let name = key.strip_prefix(folder).unwrap_or_default();
            if window.is_past(name) {
                return Ok(found);
            }
            found.push((name.to_owned(), listed(object)));
        }
        token = reply.next_continuation_token;
        if token.is_none() {
            return Ok(found);
        }
    }
    tracing::warn!(%uri, "too many objects have names that begin like this one's: the first ones are looked at");
    Ok(found)
}

fn seen_of(beside: &Beside) -> Seen {
    let mut seen: Seen = beside.iter().map(|(name, source)| (name.clone(), source.etag.clone())).collect();
    seen.sort_unstable();
    seen.truncate(MAX_SEEN);
    seen
}

/// The sidecars of an object, as far as they are known.
pub(super) struct Look {
    beside: Option<Result<Beside, String>>,
    /// They are not those that the row was made with.
    pub(super) is_other: bool,
}

/// Asks for the sidecars of an object: storage, unless a page of a scan shows them. Where
/// the dataset reads none, storage is not asked.
pub(super) async fn look(
    ctx: &Context,
    target: &Target,
    hint: &Hint,
    row: Option<&Row>,
) -> Result<Look, Error> {
    let live = row.filter(|row| row.status == Status::Live);
    let name = name_of(&hint.uri);
    if !reads(target) || sidecar::is_sidecar(name) {
        let is_other = live.is_some_and(|row| !row.sidecars.is_empty());
        return Ok(Look { beside: None, is_other });
    }
    let beside = match (&hint.beside, row) {
        // A worker that changes a sidecar after the page was read meets this row, or makes it.
        (Some(beside), None) => Ok(beside.clone()),
        _ => match list(ctx, &hint.uri, &sidecar::sidecars_of(name)).await {
            Ok(found) => {
                let own = found.into_iter().filter(|(other, _)| sidecar::belongs(other, name).is_some());
                Ok(own.collect())
            }
            Err(Unlisted::Failed(error)) if hint.attempt + 1 < ctx.config.max_attempts => return Err(error),
            Err(Unlisted::Failed(_)) => Err("its folder could not be listed".to_owned()),
            Err(Unlisted::Denied) => Err("listing its folder is denied".to_owned()),
        },
    };
    let seen = beside.as_ref().ok().map(seen_of);
    let is_other = live.is_some_and(|row| seen.as_ref() != Some(&row.sidecars));
    Ok(Look { beside: Some(beside), is_other })
}

/// Reads the sidecars of an object into its record; gives what the row is to remember,
/// or an error that is worth another try.
pub(super) async fn read(
    ctx: &Context,
    target: &Target,
    hint: &Hint,
    look: Look,
    size: i64,
    record: &mut Record,
) -> Result<Seen, Error> {
    let name = name_of(&hint.uri);
    let mut beside = match look.beside {
        None => return Ok(Seen::new()),
        Some(beside) => beside,
    };
    let mut sidecars = Vec::new();
    let mut seen = Seen::new();
    // A sidecar that changes after it was listed is listed again.
    for round in (0..4).rev() {
        let found = match &beside {
            Ok(found) => found,
            Err(why) => {
                sidecars.push(Sidecar { name: "sidecars".into(), content: Err(why.clone()), is_cut: false });
                seen = vec![(String::new(), String::new())];
                break;
            }
        };
        seen = seen_of(found);
        if let Some(all) = read_all(ctx, hint, found, round == 0).await? {
            sidecars = all;
            break;
        }
        let again = Hint { attempt: hint.attempt, ..Hint::new(hint.uri.clone()) };
        let fresh = self::look(ctx, target, &again, None).await?;
        beside = fresh.beside.unwrap_or_else(|| Ok(Vec::new()));
    }
    for sidecar in sidecars.iter().filter(|sidecar| sidecar.content.is_err()) {
        if let Some((_, etag)) = seen.iter_mut().find(|(name, _)| *name == sidecar.name) {
            etag.clear();
        }
    }
    if sidecars.is_empty() {
        return Ok(seen);
    }
    let (name, size) = (name.to_owned(), u64::try_from(size).unwrap_or(0));
    let (features, limits) = (target.template.features, ctx.config.extraction.clone());
    let mut reading = record.clone();
    // Parsing blocks the thread it runs on.
    let read = tokio::task::spawn_blocking(move || {
        reading.add_sidecars((&name, size), &sidecars, features, &limits);
        reading
    });
    *record = read.await.map_err(Error::internal)?;
    Ok(seen)
}

/// Reads the sidecars of an object into its record, without an index.
///
/// # Errors
/// When this machine has no memory or threads for it.
pub async fn read_sidecars(
    ctx: &Context,
    uri: &ObjectUri,
    size: i64,
    record: &mut Record,
) -> Result<(), Error> {
    let template =
        template_of("+ReadSidecars").ok_or_else(|| Error::internal("there is no such operator"))?;
    let target = Target {
        project: String::new(),
        dataset: String::new(),
        dataset_id: String::new(),
        partitions: 1,
        shards: 1,
        template,
    };
    // What cannot be read now is said, and not tried again.
    let hint = Hint { attempt: ctx.config.max_attempts, ..Hint::new(uri.clone()) };
    let look = look(ctx, &target, &hint, None).await?;
    read(ctx, &target, &hint, look, size, record).await.map(drop)
}

/// The contents of sidecars; `None` where one of them changed since it was listed, unless
/// this is the last round.
async fn read_all(
    ctx: &Context,
    hint: &Hint,
    beside: &[(String, Source)],
    is_last: bool,
) -> Result<Option<Vec<Sidecar>>, Error> {
    let main = name_of(&hint.uri);
    let mut all = Vec::new();
    for name in sidecar::of_object(main, beside.iter().map(|(name, _)| name.as_str())) {
        let Some((_, source)) = beside.iter().find(|(other, _)| other == name) else { continue };
        let size = u64::try_from(source.size).unwrap_or(0);
        let is_cut = size > MAX_BYTES;
        // Half of a JSON says nothing, and of an empty object there is no range.
        let is_json = sidecar::belongs(name, main).is_some_and(|bond| bond.kind == Kind::Takeout);
        let content = if size == 0 || (is_cut && is_json) {
            Ok(Vec::new())
        } else {
            let uri = ObjectUri::new(&*hint.uri.bucket, format!("{}{name}", split(&hint.uri.key).0));
            let etag = Some(source.etag.as_str()).filter(|etag| !etag.is_empty());
            match get(ctx, &uri, Some(0..size.min(MAX_BYTES)), etag).await {
                Ok(output) => Ok(body(output).await?),
                Err(error) => {
                    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
                    match (code.unwrap_or_default(), status_of(&error)) {
                        ("InvalidObjectState", _) => Err("it is archived".to_owned()),
                        (_, Some(403)) => Err("access to it is denied".to_owned()),
                        ("NoSuchKey", _) | (_, Some(412 | 416)) if !is_last => return Ok(None),
                        ("NoSuchKey", _) | (_, Some(412 | 416)) => {
                            Err("it kept changing while it was read".to_owned())
                        }
                        _ if hint.attempt + 1 < ctx.config.max_attempts => {
                            let text = DisplayErrorContext(&error);
                            return Err(Error::unavailable(format!("{uri}: {text}")));
                        }
                        _ => Err("object storage did not give it".to_owned()),
                    }
                }
            }
        };
        all.push(Sidecar { name: name.to_owned(), content, is_cut });
    }
    Ok(Some(all))
}

/// Whether a hint of a sidecar needs nothing of this row; says whether it is to be
/// written all the same.
pub(super) fn is_known(of: &OfSidecar, row: Option<&Row>) -> Option<bool> {
    let live = row.filter(|row| row.status == Status::Live);
    if live.is_none() && of.only_known {
        return Some(false);
    }
    let (name, etag) = of.told.as_ref()?;
    let live = live.filter(|row| row.failed_attempts.is_none())?;
    let known = live.sidecars.iter().find(|(other, _)| other == name).map(|(_, etag)| etag);
    (known == etag.as_ref()).then_some(of.write)
}

/// The same after the sidecars were looked at.
pub(super) fn is_right(hint: &Hint, look: &Look, row: Option<&Row>) -> Option<bool> {
    let of = hint.sidecar.as_ref().filter(|_| !look.is_other)?;
    row.filter(|row| row.status == Status::Live && row.failed_attempts.is_none()).map(|_| of.write)
}

/// Has the main objects of a sidecar read again, before the change of its own row is
/// written. Gives the outcome where that must wait.
pub(super) fn mains_first<'a>(
    ctx: &'a Context,
    target: &'a Target,
    hint: &'a Hint,
    change: &'a Change,
) -> BoxFuture<'a, Option<Outcome>> {
    Box::pin(async move {
        let is_same = |old: &Row| {
            old.status == change.new.status
                && old.source.as_ref().zip(change.new.source.as_ref()).is_some_and(|(a, b)| a.same_version(b))
        };
        if hint.mains_are_done
            || !is_sidecar(target, &hint.uri)
            || (hint.attributes && change.old.as_ref().is_some_and(is_same))
        {
            return None;
        }
        let told = match (&change.new.source, change.new.status) {
            (Some(source), Status::Live) if change.new.failed_attempts.is_none() => {
                Some(Some(source.etag.clone()))
            }
            (_, Status::Live) => None,
            _ => Some(None),
        };
        let hints = match mains(ctx, hint, told).await {
            Ok(hints) => hints,
            Err(error) => return Some(Outcome::Failed(error)),
        };
        let outcomes = if hints.is_empty() { Vec::new() } else { reconcile_all(ctx, target, hints).await };
        outcomes.into_iter().find(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::DatasetGone))
    })
}

/// Hints for the main objects of a sidecar that is told of.
pub(super) async fn mains(
    ctx: &Context,
    hint: &Hint,
    told: Option<Option<String>>,
) -> Result<Vec<Hint>, Error> {
    let name = name_of(&hint.uri);
    let Some(window) = sidecar::mains_of(name).filter(|_| !is_off(Safeguard::SidecarMains)) else {
        return Ok(Vec::new());
    };
    let found = match &hint.beside {
        Some(beside) => beside.clone(),
        None => match list(ctx, &hint.uri, &window).await {
            Ok(found) => found,
            Err(Unlisted::Failed(error)) => return Err(error),
            // The rows of its main objects say so themselves.
            Err(Unlisted::Denied) => Vec::new(),
        },
    };
    let folder = split(&hint.uri.key).0;
    let of_sidecar = OfSidecar {
        told: told.map(|etag| (name.to_owned(), etag)),
        write: hint.seq.is_some(),
        only_known: hint.manual.is_some(),
    };
    let mains = found.into_iter().filter(|(main, _)| sidecar::belongs(name, main).is_some());
    let hints = mains.map(|(main, _)| Hint {
        sidecar: Some(of_sidecar.clone()),
        is_guess: true,
        attempt: hint.attempt,
        ..Hint::new(ObjectUri::new(&*hint.uri.bucket, format!("{folder}{main}")))
    });
    Ok(hints.collect())
}

/// The objects of a scan's page, where the dataset reads sidecars.
pub(super) struct OnPage<'a> {
    objects: BTreeMap<&'a str, &'a Source>,
    after: &'a str,
    upto: Option<&'a str>,
    prefix: &'a str,
}

impl<'a> OnPage<'a> {
    /// A page that has all keys with a prefix after one key, up to another.
    pub(super) fn new(
        target: &Target,
        objects: impl Iterator<Item = (&'a String, &'a Source)>,
        (after, upto): (&'a str, Option<&'a str>),
        prefix: &'a str,
    ) -> Option<Self> {
        let objects = || objects.map(|(key, source)| (key.as_str(), source)).collect();
        reads(target).then(|| Self { objects: objects(), after, upto, prefix })
    }

    /// The sidecars of an object, or the main objects of a sidecar; `None` where some of
    /// them may be on another page.
    pub(super) fn beside(&self, key: &str) -> Option<Beside> {
        let (folder, name) = split(key);
        let mains = sidecar::mains_of(name);
        let is_main = mains.is_none();
        let window = mains.unwrap_or_else(|| sidecar::sidecars_of(name));
        let low = format!("{folder}{}", window.prefix);
        let high = match &window.until {
            Some(until) => format!("{folder}{until}"),
            None => format!("{low}\u{10FFFF}"),
        };
        let is_whole = low.as_str() > self.after
            && low.starts_with(self.prefix)
            && self.upto.is_none_or(|upto| high.as_str() <= upto);
        let belong = |other: &str| {
            if is_main { sidecar::belongs(other, name) } else { sidecar::belongs(name, other) }.is_some()
        };
        is_whole.then(|| {
            let bounds = (Bound::Included(low.as_str()), Bound::Excluded(high.as_str()));
            let range = self.objects.range::<str, _>(bounds);
            let named = range.filter_map(|(key, source)| Some((key.strip_prefix(folder)?, *source)));
            named
                .filter(|(other, _)| belong(other))
                .map(|(other, source)| (other.to_owned(), source.clone()))
                .collect()
        })
    }
}

/// The hint that an unchanged object of a scan's page needs, if its sidecars are not those
/// that its row was made with, or if the page does not show them all.
pub(super) fn hint_of_difference(page: Option<&OnPage<'_>>, row: &Row, uri: &ObjectUri) -> Option<Hint> {
    if row.status != Status::Live || is_off(Safeguard::SidecarMemory) {
        return None;
    }
    let is_other = match page {
        None => !row.sidecars.is_empty(),
        Some(_) if sidecar::is_sidecar(name_of(uri)) => !row.sidecars.is_empty(),
        Some(page) => page.beside(&uri.key).is_none_or(|beside| seen_of(&beside) != row.sidecars),
    };
    is_other.then(|| Hint { sidecar: Some(OfSidecar::default()), ..Hint::new(uri.clone()) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::template_of;
    use proptest::prelude::*;

    /// Names as exports have them, and as nobody has them.
    fn names() -> impl Strategy<Value = String> {
        let stem = prop_oneof![
            "[a-c.() -]{1,4}",
            "[ab]{40,52}",
            "(文|a){13,50}",
            "[ab.]{38,50}",
            Just("IMG_1".to_owned()),
        ];
        let edited = prop_oneof![Just(""), Just("-edited"), Just("-編集済み")];
        let counter = prop_oneof![Just(""), Just("(1)"), Just("(12)")];
        (stem, edited, counter, prop_oneof![Just(""), Just(".jpg"), Just(".CR2"), Just(".s")])
            .prop_map(|(stem, edited, counter, extension)| format!("{stem}{edited}{counter}{extension}"))
    }

    /// The names that a sidecar of an object may have, and some that it may not.
    fn sidecars() -> impl Strategy<Value = (String, String)> {
        let supplement = (0..=22usize).prop_map(|length| ".supplemental-metadata"[..length].to_owned());
        let counter = prop_oneof![Just(""), Just("(1)"), Just("(12)")];
        (names(), supplement, counter, 0..6u8, 40..50usize).prop_map(
            |(main, supplement, counter, how, length)| {
                let plain = main.replace("(1)", "").replace("(12)", "").replace("-edited", "");
                let cut = |text: &str, length| text.chars().take(length).collect::<String>();
                let sidecar = match how {
                    0 => format!("{main}.xmp"),
                    1 => format!("{}.XMP", main.rsplit_once('.').map_or(main.as_str(), |(stem, _)| stem)),
                    2 => format!("{main}{supplement}.json"),
                    3 => format!("{plain}{supplement}{counter}.json"),
                    4 => format!("{}{counter}.json", cut(&format!("{plain}{supplement}"), 46)),
                    _ => format!("{}{counter}.json", cut(&plain, length)),
                };
                (main, sidecar)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// What is listed for an object has all its sidecars, and what is listed for a
        /// sidecar all its objects.
        #[test]
        fn both_directions_find_the_same((main, sidecar) in sidecars(), other in names()) {
            for (main, sidecar) in [(&main, &sidecar), (&other, &sidecar), (&sidecar, &main)] {
                if sidecar::belongs(sidecar, main).is_some() {
                    prop_assert!(sidecar::sidecars_of(main).contains(sidecar), "{} of {}", sidecar, main);
                    let window = sidecar::mains_of(sidecar);
                    prop_assert!(window.is_some_and(|window| window.contains(main)), "{} of {}", sidecar, main);
                    prop_assert!(!sidecar::is_sidecar(main), "{} of {}", sidecar, main);
                }
            }
        }

        /// A page says of its neighbours what the whole listing says, or nothing.
        #[test]
        fn a_page_says_what_the_listing_says(
            pairs in proptest::collection::vec(sidecars(), 1..6),
            cuts in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let source = |key: &str| Source { etag: key.into(), ..Source::default() };
            let keys = pairs.iter().flat_map(|(main, sidecar)| [format!("f/{main}"), format!("f/{sidecar}")]);
            let all: BTreeMap<String, Source> = keys.map(|key| (key.clone(), source(&key))).collect();
            let target = Target {
                project: String::new(),
                dataset: String::new(),
                dataset_id: String::new(),
                partitions: 1,
                shards: 1,
                template: template_of("+ReadSidecars").unwrap(),
            };
            let whole = OnPage::new(&target, all.iter(), ("", None), "").unwrap();
            let sorted: Vec<&String> = all.keys().collect();
            let (one, two) = (*cuts.0.get(&sorted), *cuts.1.get(&sorted));
            let (after, upto) = (one.min(two), one.max(two));
            let page: BTreeMap<&String, &Source> =
                all.iter().filter(|(key, _)| *key > after && *key <= upto).collect();
            let part = OnPage::new(&target, page.into_iter(), (after, Some(upto)), "f/").unwrap();
            for key in all.keys() {
                let near = whole.beside(key).unwrap();
                for other in all.keys().filter_map(|other| other.strip_prefix("f/")) {
                    let name = key.strip_prefix("f/").unwrap();
                    let belong = sidecar::belongs(other, name).or(sidecar::belongs(name, other)).is_some();
                    prop_assert_eq!(near.iter().any(|(found, _)| found == other), belong, "{} {}", name, other);
                }
                if let Some(beside) = part.beside(key) {
                    prop_assert_eq!(&beside, &near, "{}", key);
                }
            }
        }
    }
}
