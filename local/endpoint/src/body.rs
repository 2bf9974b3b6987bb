//! The bodies of requests: how slowly they may come, and how much of those
//! whose signature could not be checked yet is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use crate::connection::{Limits, State};

/// Bytes of an unverified body that are read without a share of the budget.
pub const FREE_BODY: usize = 64 * 1024;
/// How long an unverified body may take to arrive as a whole.
const WHOLE: Duration = Duration::from_secs(60);
/// Bytes of the budget are counted in these.
const UNIT: usize = 1024;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than the endpoint takes.
    #[error("the body is too large")]
    TooLarge,
    /// It came too slowly.
    #[error("the body came too slowly")]
    TooSlow,
    /// Others' bodies use up the memory for bodies that are not verified yet.
    #[error("too many bodies that are not verified yet are being read")]
    Busy,
    /// The connection broke, or the body is not valid HTTP.
    #[error("the body could not be read")]
    Broken(#[source] hyper::Error),
}

/// The body of a request. Reading it fails with [`BodyError::TooSlow`] when its
/// client keeps us waiting; time that the handler takes does not count.
#[derive(Debug)]
pub struct RequestBody {
    inner: Incoming,
    state: Arc<State>,
    limits: Arc<Limits>,
    received: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, state: Arc<State>, limits: Arc<Limits>) -> Self {
        state.set_unread_body(!inner.is_end_stream());
        Self { inner, state, limits, received: 0, waited: Duration::ZERO, waiting: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some((since, _)) = this.waiting.take() {
                    this.waited += since.elapsed();
                }
                match &frame {
                    Some(Ok(frame)) => {
                        this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                        if this.inner.is_end_stream() {
                            this.state.set_unread_body(false);
                        }
                    }
                    Some(Err(_)) => {}
                    None => this.state.set_unread_body(false),
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)))
            }
            Poll::Pending => {
                let allowed = this.limits.body
                    + Duration::from_secs(this.received / this.limits.bytes_per_second.max(1));
                let left = allowed.saturating_sub(this.waited);
                let (_, sleep) =
                    this.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
                match sleep.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::TooSlow))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn too_large(body: &RequestBody, max: usize) -> bool {
    body.size_hint().lower() > max as u64
}

/// Appends to `bytes` until there are more than `until`, or the body ends:
/// whether it ended.
async fn append(body: &mut RequestBody, bytes: &mut BytesMut, until: usize) -> Result<bool, BodyError> {
    while bytes.len() <= until {
        let Some(frame) = body.frame().await else { return Ok(true) };
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(false)
}

/// Reads a body whose sender is known, of at most `max` bytes.
///
/// # Errors
/// When it is larger, comes too slowly or breaks off.
pub async fn read(mut body: RequestBody, max: usize) -> Result<Bytes, BodyError> {
    if too_large(&body, max) {
        return Err(BodyError::TooLarge);
    }
    let mut bytes = BytesMut::new();
    if !append(&mut body, &mut bytes, max).await? || bytes.len() > max {
        return Err(BodyError::TooLarge);
    }
    Ok(bytes.freeze())
}

/// The memory for bodies whose signature can be checked only when they have
/// been read: one for all ports of a process. The first [`FREE_BODY`] bytes of
/// a body are read in any case.
#[derive(Debug, Clone)]
pub struct Unverified {
    budget: Arc<Semaphore>,
    wait: Duration,
}

/// A body that was read, and its share of the budget.
#[derive(Debug)]
pub struct Held {
    /// The body.
    pub bytes: Bytes,
    /// To be kept as long as the body is.
    pub share: Share,
}

/// A share of the budget, until it is dropped.
#[derive(Debug)]
pub struct Share(#[expect(dead_code, reason = "it counts until it is dropped")] Option<OwnedSemaphorePermit>);

impl Default for Unverified {
    /// 32 MiB.
    fn default() -> Self {
        Self::new(32 * 1024 * 1024, Limits::default().body)
    }
}

impl Unverified {
    /// A budget of so many bytes; a body waits for its share as long as `wait`.
    pub fn new(bytes: usize, wait: Duration) -> Self {
        Self { budget: Arc::new(Semaphore::new(bytes.div_ceil(UNIT))), wait }
    }

    /// Reads a body of at most `max` bytes.
    ///
    /// # Errors
    /// When it is larger, comes too slowly, breaks off, or finds no room.
    pub async fn read(&self, mut body: RequestBody, max: usize) -> Result<Held, BodyError> {
        if too_large(&body, max) {
            return Err(BodyError::TooLarge);
        }
        let mut bytes = BytesMut::new();
        let all = async {
            if append(&mut body, &mut bytes, FREE_BODY.min(max)).await? {
                return Ok(None);
            }
            // The whole of it at once: two bodies with a half each would wait
            // for each other.
            let most = body
                .size_hint()
                .upper()
                .map_or(max, |left| usize::try_from(left).unwrap_or(max).saturating_add(bytes.len()));
            let units = u32::try_from(most.min(max).div_ceil(UNIT)).unwrap_or(u32::MAX);
            let share = Arc::clone(&self.budget).acquire_many_owned(units);
            let Ok(Ok(share)) = tokio::time::timeout(self.wait, share).await else {
                return Err(BodyError::Busy);
            };
            if append(&mut body, &mut bytes, max).await? { Ok(Some(share)) } else { Err(BodyError::TooLarge) }
        };
        let share = tokio::time::timeout(WHOLE, all).await.map_err(|_| BodyError::TooSlow)??;
        if bytes.len() > max {
            return Err(BodyError::TooLarge);
        }
        Ok(Held { bytes: bytes.freeze(), share: Share(share) })
    }
}
