//! Answers !ping and !roll in a room. EDGE, ROOM and KEY are in the environment.

use std::io::{BufRead as _, BufReader};
use std::{env, error::Error, fs, thread, time::Duration};

use serde_json::{Value, json};

/// The last event that was dealt with.
const PLACE: &str = "position";
const NEXT: &str = "position.new";

fn main() -> ! {
    loop {
        if let Err(error) = listen() {
            eprintln!("{error}");
        }
        thread::sleep(Duration::from_secs(1));
    }
}

fn listen() -> Result<(), Box<dyn Error>> {
    let room = format!("{}/api/v1/rooms/{}", env::var("EDGE")?, env::var("ROOM")?);
    let key = format!("Bearer {}", env::var("KEY")?);
    let mut events = ureq::get(format!("{room}/events")).header("Authorization", &key);
    if let Ok(place) = fs::read_to_string(PLACE) {
        events = events.header("Last-Event-ID", place);
    }
    let (mut id, mut is_message) = (String::new(), false);
    for line in BufReader::new(events.call()?.into_body().into_reader()).lines() {
        match line?.split_once(": ") {
            Some(("id", value)) => id = value.to_owned(),
            Some(("event", value)) => is_message = value == "message",
            // It ends an event of this server.
            Some(("data", value)) => {
                let message: Value = serde_json::from_str(value)?;
                if let Some(text) = message["text"]
                    .as_str()
                    .filter(|_| is_message)
                    .and_then(answer)
                {
                    // The id makes sure that it is answered once, whatever happens before the next line.
                    let answer = json!({ "user": "bot", "id": format!("re:{id}"), "text": text });
                    ureq::post(format!("{room}/messages"))
                        .header("Authorization", &key)
                        .send_json(answer)?;
                }
                // Whole or not at all, whenever the bot ends.
                fs::write(NEXT, &id)?;
                fs::rename(NEXT, PLACE)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn answer(text: &str) -> Option<String> {
    match text {
        "!ping" => Some("pong".to_owned()),
        "!roll" => Some(format!("you rolled {}", fastrand::u8(1..=6))),
        _ => None,
    }
}
