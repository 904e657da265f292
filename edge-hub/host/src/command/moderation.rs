//! `clustertalk moderation`: what waits for moderators, and what they do about it.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use clustertalk_core::{ids::RoomName, log::Reference};
use humantime::format_duration;
use hyper::Method;
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::{
    edge_client::EdgeClient,
    output::{BAD, DIM, NAME, json as line_of, moment, plain, print, print_json},
};
use crate::config::{Change, Moderation, Page, Report, Resolve, Sentence, Unban};

/// Who moderates if nobody says so.
const MODERATOR: &str = "cli";

pub async fn run(moderation: Moderation) -> Result<()> {
    match moderation {
        Moderation::Report(sent) => report(&sent).await,
        Moderation::Queue(page) => queue(&page).await,
        Moderation::Log(page) => log(&page).await,
        Moderation::Dismiss(resolve) => dismiss(&resolve).await,
        Moderation::Delete(change) => store(&change, "delete").await,
        Moderation::Restore(change) => store(&change, "restore").await,
        Moderation::Mute(sentence) => sentenced(&sentence, "mutes").await,
        Moderation::Ban(sentence) => sentenced(&sentence, "bans").await,
        Moderation::Unban(unban) => unbanned(&unban).await,
    }
}

/// Reads a page of a list of the room.
async fn page(page: &Page, list: &str) -> Result<Value> {
    let client = EdgeClient::new(&page.edge)?;
    let limit = page.limit.to_string();
    let mut parameters = vec![("limit", limit.as_str())];
    parameters.extend(page.after.as_deref().map(|after| ("after", after)));
    let path = format!("rooms/{}/moderation/{list}", page.room);
    client.get(&client.path(&path, &parameters)).await
}

async fn queue(asked: &Page) -> Result<()> {
    let answer = page(asked, "queue").await?;
    let waiting = list(&answer["queue"]);
    let mut out = anstream::stdout().lock();
    for waiting in &waiting {
        if asked.json {
            writeln!(out, "{}", line_of(waiting))?;
            continue;
        }
        let message = &waiting["message"];
        let place = place(&message["position"]);
        let name = text(&message["user"]["id"]);
        let shown = match waiting["edit"]["text"].as_str() {
            Some(edited) => plain(edited),
            None => text(&message["text"]),
        };
        writeln!(out, "{place}  {NAME}{name}{NAME:#}: {shown}")?;
        for record in list(&waiting["records"]) {
            writeln!(out, "    {}", told(&record))?;
        }
    }
    if waiting.is_empty() && !asked.json {
        writeln!(out, "nothing waits in #{}", asked.room)?;
    }
    out.flush()?;
    hint(asked, "queue", &answer);
    Ok(())
}

async fn log(asked: &Page) -> Result<()> {
    let answer = page(asked, "log").await?;
    let mut out = anstream::stdout().lock();
    for entry in list(&answer["entries"]) {
        match asked.json {
            true => writeln!(out, "{}", line_of(&entry))?,
            false => {
                let seq = entry["seq"].as_u64().unwrap_or_default();
                writeln!(out, "{DIM}{seq:>6}{DIM:#}  {}", told(&entry))?;
            }
        }
    }
    out.flush()?;
    hint(asked, "log", &answer);
    Ok(())
}

/// Tells a person how to go on.
fn hint(asked: &Page, list: &str, answer: &Value) {
    if let Some(next) = answer["next"].as_str()
        && std::io::stderr().is_terminal()
        && !asked.json
    {
        let (room, next) = (&asked.room, plain(next));
        eprintln!("-- there is more: clustertalk moderation {list} {room} --after {next}");
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    plain(value.as_str().unwrap_or_default())
}

fn place(position: &Value) -> String {
    format!("{}-{}", position["seq"], text(&position["tag"]))
}

/// An entry of the log as a line.
fn told(entry: &Value) -> String {
    let at = moment(entry["at"].as_u64().unwrap_or_default());
    let body = &entry["body"];
    let by = text(&body["by"]);
    let about = match entry["target"]["position"].is_object() {
        true => format!(" {}", place(&entry["target"]["position"])),
        false => String::new(),
    };
    let said = match entry["kind"].as_str() {
        Some("decision") => {
            let (action, label) = (text(&body["action"]), text(&body["label"]));
            let (user, of) = (text(&body["user"]), text(&body["of"]));
            let scores: Vec<String> = list(&body["scores"])
                .iter()
                .map(|score| format!("{} {}", text(&score["label"]), score["value"]))
                .collect();
            let why = [
                Some(scores.join(", ")),
                body["rule"]
                    .as_str()
                    .map(|rule| format!("rule {}", plain(rule))),
            ];
            let why: Vec<String> = why
                .into_iter()
                .flatten()
                .filter(|why| !why.is_empty())
                .collect();
            let why = match why.is_empty() {
                true => String::new(),
                false => format!(" {DIM}({}){DIM:#}", why.join("; ")),
            };
            format!("{BAD}{action}{BAD:#} {label}: {of} of {NAME}{user}{NAME:#}{about}{why}")
        }
        Some("report") => {
            let note = match body["note"].as_str() {
                Some(note) => format!(": {}", plain(note)),
                None => String::new(),
            };
            let reason = text(&body["reason"]);
            format!("{NAME}{by}{NAME:#} reports{about} as {reason}{note}")
        }
        Some("resolution") => {
            let span = body["for_ms"].as_u64().map(Duration::from_millis);
            let span = span.map_or_else(String::new, |span| {
                format!(" for {}", format_duration(span))
            });
            let whom = match body["user"].as_str() {
                Some(user) => format!(" {}", plain(user)),
                None => about,
            };
            format!("{NAME}{by}{NAME:#}: {}{whom}{span}", text(&body["action"]))
        }
        _ => "erased".to_owned(),
    };
    format!("{DIM}{at}{DIM:#}  {said}")
}

/// Who moderates, and what a request says beside it.
fn body(edge: &crate::config::Edge, fields: Value) -> String {
    let mut body = Map::new();
    let user = edge.user.as_deref().unwrap_or(MODERATOR);
    body.insert("user".to_owned(), user.into());
    if let Value::Object(fields) = fields {
        body.extend(fields);
    }
    Value::Object(body).to_string()
}

async fn report(sent: &Report) -> Result<()> {
    let Report {
        resolve,
        reason,
        note,
    } = sent;
    let fields = json!({ "target": resolve.target, "reason": reason, "note": note });
    settle(resolve, "reports", fields, "reported").await
}

async fn dismiss(resolve: &Resolve) -> Result<()> {
    let fields = json!({ "target": resolve.target });
    settle(resolve, "moderation/dismiss", fields, "dismissed").await
}

/// Asks for what is answered by `done`.
async fn settle(resolve: &Resolve, path: &str, fields: Value, what: &str) -> Result<()> {
    let client = EdgeClient::new(&resolve.edge)?;
    let path = format!("/api/v1/rooms/{}/{path}", resolve.room);
    let body = body(&resolve.edge, fields);
    let done = client.ask(Method::POST, &path, body).await?;
    match resolve.json {
        true => print_json(&done),
        false => print(&format!("#{}: {what}\n", resolve.room)),
    }
}

/// Stores a change to a message.
async fn store(change: &Change, kind: &str) -> Result<()> {
    let Change { resolve, id } = change;
    let made_up = || format!("cli-{:016x}", fastrand::u64(..));
    let id = id.clone().unwrap_or_else(made_up);
    let target: &Reference = &resolve.target;
    let client = EdgeClient::new(&resolve.edge)?;
    let path = format!("/api/v1/rooms/{}/messages", resolve.room);
    let fields = json!({ "type": kind, "id": id, "target": target });
    let ack = client
        .ask(Method::POST, &path, body(&resolve.edge, fields))
        .await?;
    match resolve.json {
        true => print_json(&ack),
        false => print(&format!(
            "#{}: {kind} stored at {}\n",
            resolve.room,
            place(&ack["position"])
        )),
    }
}

/// Where a user is in one of the room's lists, for whom the moderator asks.
fn entry(client: &EdgeClient<'_>, room: &RoomName, list: &str, user: &str) -> String {
    // No character of a user's id needs an escape but these.
    let user = user.replace('|', "%7C").replace('@', "%40");
    client.path(&format!("rooms/{room}/{list}/{user}"), &[])
}

async fn sentenced(sentence: &Sentence, list: &str) -> Result<()> {
    let client = EdgeClient::new(&sentence.edge)?;
    let path = entry(&client, &sentence.room, list, sentence.whom.as_str());
    let span = sentence.span.map(|span| span.as_millis());
    let span = span.and_then(|span| u64::try_from(span).ok());
    let body = body(&sentence.edge, json!({ "for_ms": span }));
    let done = client.ask(Method::PUT, &path, body).await?;
    let what = match list {
        "bans" => "banned",
        _ => "muted",
    };
    match sentence.json {
        true => print_json(&done),
        false => print(&format!(
            "#{}: {} is {what}\n",
            sentence.room, sentence.whom
        )),
    }
}

async fn unbanned(unban: &Unban) -> Result<()> {
    let client = EdgeClient::new(&unban.edge)?;
    let path = entry(&client, &unban.room, "bans", unban.whom.as_str());
    let body = body(&unban.edge, json!({}));
    let done = client.ask(Method::DELETE, &path, body).await?;
    match unban.json {
        true => print_json(&done),
        false => print(&format!(
            "#{}: {} is neither banned nor muted\n",
            unban.room, unban.whom
        )),
    }
}
