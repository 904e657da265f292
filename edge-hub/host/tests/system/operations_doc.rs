//! docs/operations.md is true: its commands are taken, its transcripts print what they say.

use super::{
    command_line::run,
    harness::{RedisServer, Site, clustertalk, free_port},
    transcript::{self, Programs, Values, blocks},
};

const DOCUMENT: &str = include_str!("../../../../docs/operations.md");

#[tokio::test]
async fn the_transcripts_are_true() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let programs = Programs::new(&redis, &edge);
    // The second Redis that it starts.
    let document = DOCUMENT.replace("6380", &free_port().to_string());
    let commands = transcript::run(&document, &programs, &mut Values::default()).await;
    assert!(commands.len() >= 10);
}

#[tokio::test]
async fn its_commands_are_taken_as_they_stand() {
    let mut count = 0;
    for line in blocks(DOCUMENT, "sh") {
        let Some((_, arguments)) = line.split_once("clustertalk ") else {
            continue;
        };
        // What holds is printed for the same flags that would run the edge.
        let mut arguments = arguments.split(' ');
        let command = arguments.next().expect("a command");
        if command == "user" {
            let arguments = arguments.take_while(|word| *word != ">");
            let (code, ..) = run(clustertalk("user").args(arguments).arg("--help")).await;
            assert_eq!(code, 0, "{line}");
            continue;
        }
        assert!(matches!(command, "up" | "doctor"), "{line}");
        let (code, printed, error) = run(clustertalk("config").args(arguments)).await;
        assert_eq!((code, error.as_str()), (0, ""), "{line}");
        assert!(!printed.contains("PASSWORD"), "{printed}");
        count += 1;
    }
    assert!(count >= 4);
}
