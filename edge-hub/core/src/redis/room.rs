//! A room itself: what is set of it, who has a role in it, who is kept out.

use super::{Call, Keyspace, ROOM, ReplyError, Value, flag, term};
use crate::auth::Role;
use crate::ids::{Pair, RoomName, UserId};
use crate::limits::{ROOM_BANS, ROOM_ROLES};
use crate::store::{
    Listed, Managed, RoomAction, RoomList, RoomPatch, RoomRole, RoomSettings, RoomView,
};
use crate::time::{Timestamp, millis};
use std::time::Duration;

/// Does something with a room for `by`, whose role by his token is `role`; `record` is what the moderation
/// log gets of it.
pub fn manage(
    keyspace: &Keyspace,
    room: &RoomName,
    by: &UserId,
    role: Role,
    action: &RoomAction,
    record: Option<&str>,
) -> Call {
    let (operation, user, value) = match action {
        RoomAction::Look => ("look", None, String::new()),
        RoomAction::Create(_) => ("create", None, String::new()),
        RoomAction::Configure(_) => ("configure", None, String::new()),
        RoomAction::Direct(pair) => ("direct", Some(pair.other(by)), pair.to_string()),
        RoomAction::Grant { user, role } => ("grant", Some(user), role.as_str().to_owned()),
        RoomAction::Revoke { user } => ("revoke", Some(user), String::new()),
        RoomAction::Kick { user } => ("kick", Some(user), String::new()),
        RoomAction::Mute { user, span } => ("mute", Some(user), span_of(*span)),
        RoomAction::Ban { user, span } => ("ban", Some(user), span_of(*span)),
        RoomAction::Unban { user } => ("unban", Some(user), String::new()),
        RoomAction::Delete => ("delete", None, String::new()),
    };
    let user = user.map(UserId::to_string).unwrap_or_default();
    let mut more = vec![record.unwrap_or_default().to_owned()];
    if let RoomAction::Create(patch) | RoomAction::Configure(patch) = action {
        more.extend(fields(patch));
    }
    call(keyspace, room, by, role, operation, user, value, more)
}

/// Reads a page of one of a room's lists for `by`: at most `limit` users after `after`, the `next` of
/// the page before.
pub fn list(
    keyspace: &Keyspace,
    room: &RoomName,
    by: &UserId,
    role: Role,
    list: RoomList,
    after: Option<&str>,
    limit: usize,
) -> Call {
    let name = match list {
        RoomList::Granted => "granted",
        RoomList::Bans => "ban",
        RoomList::Mutes => "mute",
    };
    let after = after.unwrap_or_default().to_owned();
    let limit = vec![String::new(), limit.to_string()];
    call(
        keyspace,
        room,
        by,
        role,
        "list",
        after,
        name.to_owned(),
        limit,
    )
}

#[expect(clippy::too_many_arguments, reason = "they are the script's")]
fn call(
    keyspace: &Keyspace,
    room: &RoomName,
    by: &UserId,
    role: Role,
    operation: &str,
    user: String,
    value: String,
    more: Vec<String>,
) -> Call {
    let key = |what: &str| keyspace.room(room, what);
    let mut arguments = vec![
        operation.to_owned(),
        by.to_string(),
        role.as_str().to_owned(),
        flag(room.is_private()),
        room.to_string(),
        key(""),
        keyspace.channel(room),
        keyspace.publish.to_owned(),
        keyspace.notices(),
        user,
        value,
        ROOM_ROLES.to_string(),
        ROOM_BANS.to_string(),
    ];
    arguments.extend(keyspace.webhooks_of(room));
    arguments.extend(more);
    let keys = [
        "room",
        "granted",
        "ban",
        "mute",
        "log",
        "edges",
        "seen",
        "webhooks",
        "moderation",
    ]
    .map(key);
    Call::new(&ROOM, keys.into(), arguments)
}

/// The answer to [`list`]. Who is listed by hand under no name of ours is passed over.
pub fn listed(reply: &[Value]) -> Result<Listed, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("room");
    let (kind, next, rows) = match reply {
        [code, rest @ ..] if code.text() == Some("banned") => {
            return Ok(Listed::Banned(term(rest.first())));
        }
        [code, ..] if code.text() == Some("forbidden") => return Ok(Listed::Forbidden),
        [kind, next, rows @ ..] => (kind.text(), next.text().ok_or(SHAPE)?, rows),
        _ => return Err(SHAPE),
    };
    let next = Some(next.to_owned()).filter(|next| !next.is_empty());
    let rows = rows.chunks_exact(2).filter_map(|row| {
        let user = UserId::parse(row[0].text()?).ok()?;
        Some((user, &row[1]))
    });
    match kind {
        Some("granted") => {
            let role = |role: &Value| RoomRole::parse(role.text()?);
            let rows = rows.map(|(user, value)| (user, role(value).unwrap_or(RoomRole::Member)));
            Ok(Listed::Granted(rows.collect(), next))
        }
        Some("kept") => {
            let rows = rows.map(|(user, until)| (user, term(Some(until))));
            Ok(Listed::Kept(rows.collect(), next))
        }
        _ => Err(SHAPE),
    }
}

fn span_of(span: Option<Duration>) -> String {
    span.map_or_else(String::new, |span| millis(span).to_string())
}

/// What is to be set, as the script takes it.
fn fields(patch: &RoomPatch) -> Vec<String> {
    let yes = |is_set: bool| {
        if is_set {
            "1".to_owned()
        } else {
            String::new()
        }
    };
    let number = |number: u64| match number {
        0 => String::new(),
        number => number.to_string(),
    };
    let span = |span: Duration| number(millis(span));
    [
        ("topic", patch.topic.clone()),
        ("read_only", patch.read_only.map(yes)),
        ("archived", patch.archived.map(yes)),
        ("slow_mode_ms", patch.slow_mode.map(span)),
        ("log_entries", patch.log_entries.map(number)),
        ("log_age_ms", patch.log_age.map(span)),
    ]
    .into_iter()
    .filter_map(|(field, value)| Some([field.to_owned(), value?]))
    .flatten()
    .collect()
}

pub fn managed(reply: &[Value]) -> Result<Managed, ReplyError> {
    let [code, rest @ ..] = reply else {
        return Err(ReplyError::Shape("room"));
    };
    Ok(match code.text() {
        Some("ok") => Managed::Done(Box::new(view(rest))),
        Some("deleted") => Managed::Deleted {
            listed: rest
                .iter()
                .filter_map(|user| UserId::parse(user.text()?).ok())
                .collect(),
        },
        Some("forbidden") => Managed::Forbidden,
        Some("banned") => Managed::Banned(term(rest.first())),
        Some("exists") => Managed::Exists,
        Some("full") => Managed::Full,
        Some("unpublishable") => Managed::Unpublishable,
        _ => return Err(ReplyError::Shape("room")),
    })
}

/// The role of a user, until when he is muted, and what is set, as scripts answer it. What somebody
/// wrote there by hand and nobody can read counts as not set.
pub(super) fn view(reply: &[Value]) -> RoomView {
    let text = |index: usize| reply.get(index).and_then(Value::text).unwrap_or_default();
    let role = Some(text(0)).filter(|role| !role.is_empty());
    let muted = Some(text(1)).filter(|until| !until.is_empty());
    RoomView {
        settings: settings(reply.get(2..).unwrap_or_default()),
        role: role.map(|role| RoomRole::parse(role).unwrap_or(RoomRole::Member)),
        muted: muted.map(|_| term(reply.get(1))),
    }
}

/// What is set of a room, as its hash has it.
pub(super) fn settings(reply: &[Value]) -> RoomSettings {
    let mut settings = RoomSettings::default();
    for pair in reply.chunks_exact(2) {
        let (Some(field), Some(text)) = (pair[0].text(), pair[1].text()) else {
            continue;
        };
        let number = || pair[1].number();
        let span = || number().map(Duration::from_millis);
        match field {
            "topic" => settings.topic = Some(text.to_owned()),
            "read_only" => settings.read_only = true,
            "archived" => settings.archived = true,
            "slow_mode_ms" => settings.slow_mode = span(),
            "log_entries" => settings.log_entries = number(),
            "log_age_ms" => settings.log_age = span(),
            "created_by" => settings.created_by = UserId::parse(text).ok(),
            "created_at" => settings.created_at = number().map(Timestamp::from_millis),
            "direct" => settings.direct = Pair::parse(text),
            _ => {}
        }
    }
    settings
}
