//! Whom the settings let in.

use super::report::{Finding, Name, Report};
use crate::{config::Config, server::Origins};

/// Bytes of a frame around its text.
const FRAME_BYTES: usize = 256;

pub fn examine(config: &Config, report: &mut Report) {
    let address = config.listen.ip();
    let is_public = !address.is_loopback();
    if is_public && config.allow_anonymous {
        report.find(Finding::new(
            Name::AnonymousPublic,
            format!("anyone who reaches {address} may speak under any name"),
            "say whose tokens count (docs/identity.md) and leave out `allow-anonymous`",
        ));
    }
    if is_public && config.origins == Origins::Any {
        report.find(Finding::new(
            Name::AnyOrigin,
            "pages of any origin may use this edge in their visitors' browsers",
            "list the origins of your pages by `origin` in the place of `allow-any-origin`",
        ));
    }
    let limits = &config.limits;
    // A quotation mark or a line break takes two bytes in JSON.
    if 2 * limits.text_bytes + FRAME_BYTES > limits.frame_bytes {
        report.find(Finding::new(
            Name::LimitsFrame,
            format!(
                "a text of {} bytes may not fit into a frame of {}: many letters take two bytes in JSON",
                limits.text_bytes, limits.frame_bytes
            ),
            "let `limit-frame-bytes` be four times `limit-text-bytes`",
        ));
    }
}
