//! The time, and waiting for it. A Worker's clock stands still between two answers of the outside.

use clustertalk_core::time::Timestamp;
use futures_util::future::{Either, select};
use std::{pin::pin, time::Duration};
use worker::{Date, Delay};

pub fn now() -> Timestamp {
    Timestamp::from_millis(Date::now().as_millis())
}

pub async fn sleep(span: Duration) {
    if !span.is_zero() {
        Delay::from(span).await;
    }
}

/// The future's value, or `None` if it takes longer.
pub async fn timeout<T>(span: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(Delay::from(span))).await {
        Either::Left((value, _)) => Some(value),
        Either::Right(_) => None,
    }
}

/// A part between 0 and 1 that differs from object to object.
pub fn jitter() -> f64 {
    worker::js_sys::Math::random()
}
