//! Tokens and servers' keys.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, refused, same},
    context::Context,
    reader::{entries, ids},
    socket::Socket,
    token::{Issuer, encode, now_seconds},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(token_says_who_speaks, "Frames of the client", "With a token `user` is ignored", Tokens),
    case!(name_is_shown, "Identity", "the name that others see, else the `sub`", Tokens),
    case!(odd_sub_is_hashed, "Identity", "becomes `sha256:` and the base64url of its SHA-256", Tokens),
    case!(forged_tokens_are_refused, "Identity", "It is verified before anything else, with the one algorithm that is configured for its issuer", Tokens),
    case!(tokens_of_another_form_are_refused, "Identity", "A token is a JSON Web Token with a signature: three parts of base64url without padding, at most 8 KiB, objects in which no name stands twice.", Tokens),
    case!(tokens_for_others_are_refused, "Identity", "the audience configured for it, or a list that has it", Tokens),
    case!(tokens_of_another_time_are_refused, "Identity", "in the future, with 30 s for clocks that differ", Tokens),
    case!(refused_tokens_are_401_over_http, "HTTP", "401 `unauthorized` and `token_expired`", Tokens),
    case!(nothing_goes_without_a_token, "Identity", "Everywhere else a token says who speaks.", Tokens),
    case!(bad_token_is_never_anonymous, "Identity", "a client that brings one which does not count is never taken for one that brings none", Names),
    case!(rooms_of_a_token_are_all_there_are, "Identity", "opens these and no other", Tokens),
    case!(reading_is_not_writing, "Identity", "tells reading from writing, and who may write may read", Tokens),
    case!(connection_ends_with_its_token, "Identity", "Then the connection gets the error `token_expired` and is closed with 4005: connect again with a new token.", Tokens),
    case!(token_can_be_renewed, "Identity", "To go on without a gap send it in `token` before that time.", Tokens),
    case!(renewal_is_for_the_same_user, "Identity", "It has to be of the same user and issuer; one that does not count leaves the connection as it was.", Tokens),
    case!(renewal_that_opens_less_leaves_rooms, "Frames of the client", "`renewed`; `left` for each room that it does not open", Tokens),
    case!(events_end_with_the_token, "HTTP", "A stream of events ends when the token expires", Tokens),
    case!(moderator_by_token_acts_everywhere, "Rooms", "a `moderator` is one in every room that he may enter", Tokens),
    case!(moderator_ends_connections, "Frames of the client", "without `room` it ends his connections, which only moderators by their token may", Tokens),
    case!(chosen_name_moderates_nothing, "Rooms", "A chosen name is nothing by itself.", Names),
    case!(server_speaks_for_others, "HTTP", "which reads and publishes for others: `user` in the body, or as a parameter of the query, then names who speaks", ServerKey),
    case!(unknown_key_is_refused, "Error codes", "a valid token is needed; the message says what is wrong with this one"),
];

fn issuer(c: &Context) -> Result<&Issuer> {
    c.target.issuer.as_ref().context("a secret was given")
}

/// Connects with a token and nothing else.
async fn knock(c: &Context, token: &str) -> Result<Socket> {
    let mut socket = c.open("knocker").await?;
    socket
        .send(json!({ "type": "hello", "user": c.id("ada"), "token": token, "rooms": [] }))
        .await?;
    Ok(socket)
}

/// That a token lets nobody in.
async fn turned_away(c: &Context, what: &str, token: &str) -> Outcome {
    turned_away_with(c, what, token, "unauthorized", 4002).await
}

async fn turned_away_with(
    c: &Context,
    what: &str,
    token: &str,
    error: &str,
    close: u16,
) -> Outcome {
    let turned = async {
        let mut socket = knock(c, token).await?;
        let answer = socket
            .find("an answer to hello", |frame| {
                frame["type"] == "error" || frame["type"] == "welcome"
            })
            .await?;
        refused(&answer, error)?;
        socket.closed_with(close).await
    };
    turned.await.with_context(|| format!("a token with {what}"))
}

async fn token_says_who_speaks(c: Context) -> Outcome {
    let token = issuer(&c)?.token(&c.id("ada"), &json!({}))?;
    let mut socket = c.open("ada").await?;
    socket
        .send(json!({ "type": "hello", "user": c.id("mallory"), "token": token, "rooms": [] }))
        .await?;
    let welcome = socket.take("welcome").await?;
    same("the user", &welcome["user"]["id"], c.id("ada"))?;
    ensure!(welcome["expires_at"].is_u64(), "no `expires_at`: {welcome}");
    same("the role of a member", &welcome["role"], Value::Null)?;
    for role in [json!("moderator"), json!(["x", "admin"])] {
        let user = c.user_with("ada", &json!({ "role": role }))?;
        let (_, welcome) = c.hello(&user, json!([])).await?;
        let expected = role.as_str().unwrap_or("admin");
        same("the role", &welcome["role"], expected)?;
    }
    Ok(())
}

async fn name_is_shown(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user_with("ada", &json!({ "name": "Ada Lovelace" }))?;
    let mut socket = c.join(&ada, &room).await?;
    socket.store(&room, "m1", "hello").await?;
    let user = socket.take("message").await?["user"].clone();
    same(
        "the user",
        &user,
        json!({ "id": ada.id, "name": "Ada Lovelace" }),
    )
}

async fn odd_sub_is_hashed(c: Context) -> Outcome {
    use sha2::{Digest as _, Sha256};
    let odd = format!("Ada Lovelace <{}@example.org>", c.id("ada"));
    for sub in [odd, format!("sha256:{}", c.id("x"))] {
        let token = issuer(&c)?.token(&sub, &json!({}))?;
        let mut socket = knock(&c, &token).await?;
        let welcome = socket.take("welcome").await?;
        let expected = format!("sha256:{}", encode(Sha256::digest(sub.as_bytes())));
        same("the id", &welcome["user"]["id"], expected)?;
    }
    Ok(())
}

async fn forged_tokens_are_refused(c: Context) -> Outcome {
    let issuer = issuer(&c)?;
    let ada = c.id("ada");
    let claims = issuer.claims(&ada, &json!({ "role": "admin" }))?;
    let good = issuer.token(&ada, &json!({}))?;
    let (signed, _) = good.rsplit_once('.').context("a token")?;
    let other = Issuer {
        secret: "another secret of enough bytes for HS256".into(),
        ..issuer.clone()
    };
    let header = |alg: &str| json!({ "alg": alg, "typ": "JWT" });
    let none = |alg: &str| {
        let (header, claims) = (header(alg).to_string(), claims.to_string());
        format!("{}.{}.", encode(header), encode(claims))
    };
    let (_, signature) = good.rsplit_once('.').context("a token")?;
    let with_more = format!(
        "{}.{}.{signature}",
        encode(header("HS256").to_string()),
        encode(claims.to_string())
    );
    let forged = [
        ("`alg` none", none("none")),
        ("`alg` None", none("None")),
        ("no signature", format!("{signed}.")),
        ("another secret", other.token(&ada, &json!({}))?),
        ("the signature of another", with_more),
        ("`alg` HS512", issuer.sign(&header("HS512"), &claims)?),
        ("`alg` RS256", issuer.sign(&header("RS256"), &claims)?),
        (
            "a key of its own",
            other.sign(
                &json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": encode(&other.secret) } }),
                &claims,
            )?,
        ),
        (
            "`crit`",
            issuer.sign(&json!({ "alg": "HS256", "crit": ["exp"] }), &claims)?,
        ),
        (
            "another `typ`",
            issuer.sign(&json!({ "alg": "HS256", "typ": "dpop+jwt" }), &claims)?,
        ),
    ];
    for (what, token) in &forged {
        turned_away(&c, what, token).await?;
    }
    // And one that is as it should be.
    knock(&c, &good).await?.take("welcome").await?;
    Ok(())
}

async fn tokens_of_another_form_are_refused(c: Context) -> Outcome {
    let issuer = issuer(&c)?;
    let ada = c.id("ada");
    let good = issuer.token(&ada, &json!({}))?;
    let claims = issuer.claims(&ada, &json!({}))?.to_string();
    let twice = claims.replacen('{', "{\"sub\":\"root\",", 1);
    let header = r#"{"alg":"HS256"}"#;
    let large = issuer.token(&ada, &json!({ "x": "x".repeat(8 << 10) }))?;
    let odd = [
        (
            "two parts",
            good.rsplit_once('.')
                .map_or("", |(signed, _)| signed)
                .to_owned(),
        ),
        ("four parts", format!("{good}.x")),
        ("padding", format!("{good}=")),
        ("nothing", String::new()),
        ("a name twice", issuer.sign_text(header, &twice)?),
        ("claims that are a list", issuer.sign_text(header, "[]")?),
        ("more than 8 KiB", large),
    ];
    for (what, token) in &odd {
        turned_away(&c, what, token).await?;
    }
    Ok(())
}

async fn tokens_for_others_are_refused(c: Context) -> Outcome {
    let issuer = issuer(&c)?;
    let ada = c.id("ada");
    let others = [
        ("another `aud`", json!({ "aud": "billing" })),
        (
            "a list without the `aud`",
            json!({ "aud": ["billing", "shop"] }),
        ),
        ("no `aud`", json!({ "aud": null })),
        ("another `iss`", json!({ "iss": "https://evil.example" })),
        ("no `iss`", json!({ "iss": null })),
        ("no `sub`", json!({ "sub": null })),
    ];
    for (what, claims) in &others {
        turned_away(&c, what, &issuer.token(&ada, claims)?).await?;
    }
    let listed = json!({ "aud": ["billing", issuer.audience] });
    let token = issuer.token(&ada, &listed)?;
    knock(&c, &token).await?.take("welcome").await?;
    Ok(())
}

async fn tokens_of_another_time_are_refused(c: Context) -> Outcome {
    let issuer = issuer(&c)?;
    let ada = c.id("ada");
    let now = now_seconds()?;
    let expired = issuer.token(&ada, &json!({ "exp": now - 60 }))?;
    turned_away_with(&c, "a past `exp`", &expired, "token_expired", 4005).await?;
    turned_away(
        &c,
        "no `exp`",
        &issuer.token(&ada, &json!({ "exp": null }))?,
    )
    .await?;
    let early = issuer.token(&ada, &json!({ "nbf": now + 120 }))?;
    turned_away(&c, "an `nbf` to come", &early).await?;
    // Within the 30 s.
    for claims in [json!({ "exp": now - 10 }), json!({ "nbf": now + 10 })] {
        let token = issuer.token(&ada, &claims)?;
        knock(&c, &token).await?.take("welcome").await?;
    }
    Ok(())
}

async fn refused_tokens_are_401_over_http(c: Context) -> Outcome {
    let issuer = issuer(&c)?;
    let ada = c.id("ada");
    let past = json!({ "exp": now_seconds()? - 60 });
    let expired = issuer.token(&ada, &past)?;
    let foreign = issuer.token(&ada, &json!({ "aud": "billing" }))?;
    let headers = [
        (format!("Bearer {expired}"), "token_expired"),
        (format!("Bearer {foreign}"), "unauthorized"),
        ("Bearer nonsense".to_owned(), "unauthorized"),
        ("Basic YWRhOmFkYQ==".to_owned(), "unauthorized"),
    ];
    for path in ["/api/v1/rooms", "/api/v1/rooms/general/messages"] {
        for (header, code) in &headers {
            let headers = vec![("authorization", header.clone())];
            let answer = c.request("GET", path, headers, String::new()).await?;
            answer.refuses(401, code)?;
        }
    }
    Ok(())
}

async fn nothing_goes_without_a_token(c: Context) -> Outcome {
    let config = c
        .request("GET", "/api/v1/config", Vec::new(), String::new())
        .await?;
    if config.with(200)?["anonymous"] == true {
        // Both are possible here, which is for development.
        let (_, _) = c.hello(&c.user("ada")?, json!([])).await?;
        return Ok(());
    }
    let mut socket = c.open("nobody").await?;
    socket
        .send(json!({ "type": "hello", "user": c.id("ada") }))
        .await?;
    refused(&socket.take("error").await?, "unauthorized")?;
    socket.closed_with(4002).await?;
    let user = c.id("ada");
    let body = json!({ "user": user, "id": "m1", "text": "hello" }).to_string();
    let requests = [
        ("GET", "/api/v1/rooms".to_owned(), String::new()),
        (
            "GET",
            format!("/api/v1/rooms/general/messages?user={user}"),
            String::new(),
        ),
        ("POST", "/api/v1/rooms/general/messages".to_owned(), body),
    ];
    for (method, path, body) in requests {
        let answer = c.request(method, &path, Vec::new(), body).await?;
        answer.refuses(401, "unauthorized")?;
    }
    Ok(())
}

async fn bad_token_is_never_anonymous(c: Context) -> Outcome {
    turned_away(&c, "nonsense", "nonsense").await?;
    let none = format!(
        "{}.{}.",
        encode(r#"{"alg":"none"}"#),
        encode(r#"{"sub":"ada"}"#)
    );
    turned_away(&c, "`alg` none", &none).await?;
    let headers = vec![("authorization", format!("Bearer {none}"))];
    let path = format!("/api/v1/rooms?user={}", c.id("ada"));
    let answer = c.request("GET", &path, headers, String::new()).await?;
    answer.refuses(401, "unauthorized")?;
    Ok(())
}

async fn rooms_of_a_token_are_all_there_are(c: Context) -> Outcome {
    let room = c.room().await?;
    let other = c.unused_room("other");
    c.create(&c.user("keeper")?, json!({ "room": other }))
        .await?;
    let prefix = format!("{}*", &room[..room.len() - 2]);
    for pattern in [room.clone(), prefix] {
        let ada = c.user_with("ada", &json!({ "rooms": [pattern] }))?;
        let mut socket = c.join(&ada, &room).await?;
        let answer = socket.join(&other, None).await?;
        refused(&answer, "forbidden")?;
        let path = format!("/api/v1/rooms/{other}/messages");
        c.http(&ada, "GET", &path, None)
            .await?
            .refuses(403, "forbidden")?;
        let listed = c.http(&ada, "GET", "/api/v1/rooms", None).await?;
        listed.with(200)?;
        ensure!(!listed.text.contains(&other), "listed: {}", listed.text);
    }
    Ok(())
}

async fn reading_is_not_writing(c: Context) -> Outcome {
    let room = c.room().await?;
    let claims = json!({ "rooms": { "read": [room], "write": [] } });
    let ada = c.user_with("ada", &claims)?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    let mut socket = c.join(&ada, &room).await?;
    refused(&socket.say(&room, "a1", "hello").await?, "forbidden")?;
    socket
        .send(json!({ "type": "typing", "room": room }))
        .await?;
    let path = format!("/api/v1/rooms/{room}/messages");
    let body = json!({ "id": "a1", "text": "hello" });
    c.http(&ada, "POST", &path, Some(body))
        .await?
        .refuses(403, "forbidden")?;
    bob.store(&room, "b1", "listen").await?;
    same("what she hears", &socket.take("message").await?["id"], "b1")?;
    bob.told_no("typing").await?;
    let writer = c.user_with("cyd", &json!({ "rooms": { "write": [room] } }))?;
    let mut writer = c.join(&writer, &room).await?;
    writer.store(&room, "c1", "hello").await?;
    same(
        "what he hears",
        &bob.find("c1", |frame| frame["id"] == "c1").await?["text"],
        "hello",
    )
}

/// Claims of a token that ends in so many seconds, with the 30 s for clocks that differ.
fn ends_in(seconds: u64) -> Result<Value> {
    Ok(json!({ "exp": now_seconds()? + seconds - 30 }))
}

async fn connection_ends_with_its_token(c: Context) -> Outcome {
    let ada = c.user_with("ada", &ends_in(4)?)?;
    let (mut socket, welcome) = c.hello(&ada, json!([])).await?;
    let expires = welcome["expires_at"].as_u64().unwrap_or_default();
    ensure!(
        expires / 1000 == now_seconds()? + 3 || expires / 1000 == now_seconds()? + 4,
        "`expires_at` is {expires}"
    );
    let error = socket.take("error").await?;
    refused(&error, "token_expired")?;
    socket.closed_with(4005).await
}

async fn token_can_be_renewed(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user_with("ada", &ends_in(4)?)?;
    let mut socket = c.join(&ada, &room).await?;
    let exp = now_seconds()? + 600;
    let token = issuer(&c)?.token(&ada.id, &json!({ "exp": exp }))?;
    let renewed = socket
        .done(json!({ "type": "token", "token": token }))
        .await?;
    same("the answer", &renewed["type"], "renewed")?;
    same("`expires_at`", &renewed["expires_at"], (exp + 30) * 1000)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    socket.store(&room, "m1", "still here").await?;
    Ok(())
}

async fn renewal_is_for_the_same_user(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut socket = c.join(&c.user("ada")?, &room).await?;
    let issuer = issuer(&c)?;
    let tokens = [
        issuer.token(&c.id("mallory"), &json!({}))?,
        issuer.token(&c.id("ada"), &json!({ "aud": "billing" }))?,
        "nonsense".to_owned(),
    ];
    for token in tokens {
        let answer = socket
            .ask(json!({ "type": "token", "token": token }))
            .await?;
        refused(&answer, "unauthorized")?;
    }
    socket.store(&room, "m1", "as before").await?;
    same(
        "who speaks",
        &socket.take("message").await?["user"]["id"],
        c.id("ada"),
    )
}

async fn renewal_that_opens_less_leaves_rooms(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user("ada")?;
    let mut socket = c.join(&ada, &room).await?;
    let token = issuer(&c)?.token(&ada.id, &json!({ "rooms": ["nothing-here"] }))?;
    let renewed = socket
        .done(json!({ "type": "token", "token": token }))
        .await?;
    same("the answer", &renewed["type"], "renewed")?;
    let left = socket.take("left").await?;
    same("the room", &left["room"], room.as_str())?;
    same("the reason", &left["reason"], "forbidden")?;
    c.post(&c.user("bob")?, &room, "b1", "without her").await?;
    socket.told_no("message").await
}

async fn events_end_with_the_token(c: Context) -> Outcome {
    let room = c.room().await?;
    let ada = c.user_with("ada", &ends_in(4)?)?;
    let mut events = c.events(&ada, &room, None).await?;
    events.next_named("joined").await?;
    let rest = events.next_or_end().await?;
    ensure!(rest.is_none(), "it goes on after the token's end");
    Ok(())
}

async fn moderator_by_token_acts_everywhere(c: Context) -> Outcome {
    let room = c.room().await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    bob.store(&room, "b1", "something to regret").await?;
    let mia = c.user_with("mia", &json!({ "role": "moderator" }))?;
    let mut moderator = c.join(&mia, &room).await?;
    moderator
        .done(json!({ "type": "configure", "room": room, "topic": "Be kind" }))
        .await?;
    let archive = json!({ "type": "configure", "room": room, "archived": true });
    refused(&moderator.ask(archive.clone()).await?, "forbidden")?;
    let delete = json!({ "type": "delete", "room": room, "id": "d1",
        "target": { "user": c.id("bob"), "id": "b1" } });
    same(
        "the answer",
        &moderator.change(delete).await?["type"],
        "ack",
    )?;
    let admin = c.user_with("root", &json!({ "role": "admin" }))?;
    let (mut admin, _) = c.hello(&admin, json!([])).await?;
    admin.done(archive).await?;
    Ok(())
}

async fn moderator_ends_connections(c: Context) -> Outcome {
    let bob = c.user("bob")?;
    let (mut one, _) = c.hello(&bob, json!([])).await?;
    let (mut two, _) = c.hello(&bob, json!([])).await?;
    let (mut eve, _) = c.hello(&c.user("eve")?, json!([])).await?;
    let kick = json!({ "type": "kick", "user": bob.id });
    refused(&eve.ask(kick.clone()).await?, "forbidden")?;
    let mia = c.user_with("mia", &json!({ "role": "moderator" }))?;
    let (mut moderator, _) = c.hello(&mia, json!([])).await?;
    moderator.done(kick).await?;
    one.closed_with(4006).await?;
    two.closed_with(4006).await?;
    let (mut three, _) = c.hello(&bob, json!([])).await?;
    let path = format!("/api/v1/users/{}/kick", bob.id);
    let answer = c
        .http(&mia, "POST", &path, Some(json!({})))
        .await?
        .with(200)?;
    same("the answer", &answer["type"], "done")?;
    three.closed_with(4006).await
}

async fn chosen_name_moderates_nothing(c: Context) -> Outcome {
    let (mut admin, welcome) = c.hello(&c.user("admin")?, json!([])).await?;
    same("the role", &welcome["role"], Value::Null)?;
    let kick = json!({ "type": "kick", "user": c.id("bob") });
    refused(&admin.ask(kick).await?, "forbidden")?;
    let path = format!("/api/v1/users/{}/kick", c.id("bob"));
    let answer = c
        .http(&c.user("admin")?, "POST", &path, Some(json!({})))
        .await?;
    answer.refuses(403, "forbidden")?;
    Ok(())
}

async fn server_speaks_for_others(c: Context) -> Outcome {
    let room = c.room().await?;
    let key = c.target.server_key.clone().unwrap_or_default();
    let bearer = || vec![("authorization", format!("Bearer {key}"))];
    let path = format!("/api/v1/rooms/{room}/messages");
    for user in ["ada", "bob"] {
        let body = json!({ "user": c.id(user), "id": "s1", "text": "by the server" });
        let answer = c.request("POST", &path, bearer(), body.to_string()).await?;
        answer.with(201)?;
    }
    let answer = c
        .request("POST", &path, bearer(), r#"{"id":"s2","text":"x"}"#.into())
        .await?;
    answer.refuses(400, "bad_user")?;
    let page = c
        .request("GET", &path, bearer(), String::new())
        .await?
        .with(200)?;
    let said = entries(&page)?;
    ensure!(ids(said) == ["s1", "s1"], "{page}");
    same("who spoke", &said[0]["user"]["id"], c.id("ada"))?;
    same("who spoke", &said[1]["user"]["id"], c.id("bob"))
}

async fn unknown_key_is_refused(c: Context) -> Outcome {
    let key = format!("Bearer ctk_{}", "0".repeat(64));
    let headers = vec![("authorization", key)];
    let answer = c
        .request("GET", "/api/v1/rooms", headers, String::new())
        .await?;
    answer.refuses(401, "unauthorized")?;
    Ok(())
}
