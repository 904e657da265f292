use std::path::Path;

use super::*;

/// Settings as a command line and a file say them, without an environment.
fn config(flags: &[&str], file: &str) -> Result<Config, ConfigError> {
    let file = File::parse(file, Path::new("clustertalk.toml"))?;
    let command = file.fill(settings_command());
    let matches = command.try_get_matches_from(flags).expect("flags");
    let settings = Settings::from_arg_matches(&matches).expect("settings");
    let given = Given {
        settings: Some(matches),
        file,
    };
    Config::check(settings, &given)
}

fn refused(flags: &[&str], file: &str) -> String {
    config(flags, file)
        .expect_err("no configuration")
        .to_string()
}

#[test]
fn the_reference_is_the_one_in_docs() {
    let written = include_str!("../../../../docs/configuration.md");
    assert!(
        written == reference::markdown(),
        "docs/configuration.md is stale: clustertalk config --markdown > docs/configuration.md"
    );
    let (_, example) = written.split_once("```toml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    config(&[], example).expect("an example that holds");
}

#[test]
fn the_defaults_of_limits_are_those_of_core() {
    let config = config(&[], "").expect("defaults");
    assert_eq!(config.limits, Limits::default());
    let options = crate::server::Options::default();
    let caps = (config.connections, config.connections_per_address);
    assert_eq!(caps, (options.connections, options.connections_per_address));
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let file = "listen = \"127.0.0.1:4000\"\nlimit-burst = 3\nallow-any-origin = true\n";
    let flags = ["--listen", "127.0.0.1:5000", "--allow-any-origin=false"];
    let config = config(&flags, file).expect("a configuration");
    assert_eq!(config.listen.port(), 5000);
    assert_eq!(config.limits.burst, 3);
    assert_eq!(config.origins, Origins::Loopback(Vec::new()));
    assert_eq!(config.drain, Duration::from_secs(5));
}

#[test]
fn a_key_of_the_file_takes_what_its_flag_takes() {
    let file = "\
        # As an operator writes it.\n\
        listen = \"0.0.0.0:80\"\n\
        admin = \"off\"\n\
        allow-anonymous = true\n\
        origin = [\"https://a.example\", \"https://b.example:8443\"]\n\
        drain = \"1min 5s\"\n\
        limit-log-age = \"7days\"\n";
    let config = config(&[], file).expect("a configuration");
    assert_eq!(config.admin, None);
    let origins = ["https://a.example", "https://b.example:8443"].map(str::to_owned);
    assert_eq!(config.origins, Origins::Listed(origins.to_vec()));
    assert_eq!(config.drain, Duration::from_secs(65));
    assert_eq!(config.limits.log_age, Duration::from_secs(7 * 24 * 3600));
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_line_and_key() {
    let cases = [
        (
            "\nlisen = \"127.0.0.1:1\"",
            "clustertalk.toml:2: unknown key `lisen`; did you mean `listen`?",
        ),
        (
            "config = \"other.toml\"",
            "clustertalk.toml:1: unknown key `config`; ",
        ),
        (
            "drain = \"5s\"\nlimit-burst = \"many\"",
            "clustertalk.toml:2: `limit-burst`: invalid value 'many' for '--limit-burst <COUNT>': \
             invalid digit found in string; ",
        ),
        (
            "log-format = \"xml\"",
            "clustertalk.toml:1: `log-format`: invalid value 'xml' for '--log-format <FORMAT>' \
             [possible values: text, json]; ",
        ),
        (
            "listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]",
            "clustertalk.toml:1: `listen`: the argument '--listen <ADDR>' cannot be used multiple times; ",
        ),
        (
            "drain = 1979-05-27",
            "clustertalk.toml:1: `drain`: give text, a number, true or false; ",
        ),
        (
            "[limits]\nburst = 3",
            "clustertalk.toml:1: unknown key `limits`; ",
        ),
        ("listen = ", "clustertalk.toml:1: "),
        (
            "\n\nlimit-burst = 0",
            "clustertalk.toml:3: `limit-burst`: burst must be from 1 to 10000",
        ),
    ];
    for (file, told) in cases {
        let refused = refused(&[], file);
        assert!(refused.starts_with(told), "{refused}\nis not\n{told}");
    }
}

#[test]
fn values_that_do_not_go_together_are_told_with_their_origin() {
    let cases: [(&[&str], &str, &str); 4] = [
        (
            &["--tls-certificate", "a.pem"],
            "",
            "--tls-certificate: `tls-key` is missing",
        ),
        (
            &["--limit-hello", "10ms"],
            "",
            "--limit-hello: hello_ms must be from 1000 to 60000",
        ),
        (
            &["--limit-frame-bytes", "2048"],
            "limit-text-bytes = 4000",
            "clustertalk.toml:1: `limit-text-bytes`: text_bytes must not be above frame_bytes",
        ),
        (
            &["--origin", "chat.example.org"],
            "",
            "--origin: `chat.example.org` is not an origin; ",
        ),
    ];
    for (flags, file, told) in cases {
        let refused = refused(flags, file);
        assert!(refused.starts_with(told), "{refused}\nis not\n{told}");
    }
}

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

#[test]
fn webhooks_come_from_flags_and_tables() {
    let file = format!(
        "webhook-max-age = \"1h\"\n\n[[webhook]]\nname = \"crm\"\nurl = \"http://[::1]:8080/hook\"\n\
         secret = \"{SECRET} {SECRET}\"\nevents = [\"message.created\", \"user.*\"]\nrooms = [\"team-*\"]\n\
         private-rooms = true\n"
    );
    let flags = [
        "--webhook-url=https://a.example/hook",
        &format!("--webhook-secret={SECRET}"),
    ];
    let webhooks = config(&flags, &file).expect("a configuration").webhooks;
    assert_eq!(webhooks.max_age, Duration::from_secs(3600));
    assert_eq!(webhooks.told(), clustertalk_core::store::Webhooks::AllRooms);
    let [by_flags, crm] = &webhooks.endpoints[..] else {
        panic!("{webhooks:?}");
    };
    assert_eq!(
        (by_flags.name.as_str(), crm.name.as_str()),
        ("default", "crm")
    );
    assert!(by_flags.events.is_empty() && !by_flags.private_rooms);
    assert_eq!((crm.events.len(), crm.secrets.len()), (5, 2));
    assert!(!format!("{webhooks:?}").contains("MDEy"));
    let off = config(&[], "").expect("a configuration").webhooks;
    assert_eq!(off.told(), clustertalk_core::store::Webhooks::Off);
}

#[test]
fn what_is_wrong_with_a_webhook_is_told_without_its_secret() {
    let with_secret = format!("--webhook-secret={SECRET}");
    let flags: [(&[&str], &str); 6] = [
        (
            &["--webhook-url=https://a.example"],
            "--webhook-url: `webhook-secret` is missing",
        ),
        (
            &[&with_secret],
            "--webhook-secret: `webhook-url` is missing",
        ),
        (
            &[
                "--webhook-url=https://a.example",
                "--webhook-secret=whsec_hidden",
            ],
            "--webhook-secret: a secret is `whsec_` and ",
        ),
        (
            &["--webhook-url=http://a.example/?key=hidden", &with_secret],
            "--webhook-url: `http://a.example/?***` would be told in the clear; ",
        ),
        (
            &["--webhook-url=https://me:hidden@a.example", &with_secret],
            "--webhook-url: user and password do not belong here; ",
        ),
        (
            &["--webhook-max-age=4days"],
            "--webhook-max-age: give a time ",
        ),
    ];
    for (flags, told) in flags {
        let refused = refused(flags, "");
        assert!(refused.starts_with(told), "{refused}\nis not\n{told}");
        assert!(!refused.contains("hidden"), "{refused}");
    }
    config(
        &[
            "--webhook-url=http://a.example",
            &with_secret,
            "--allow-insecure-webhooks",
        ],
        "",
    )
    .expect("it was asked for by name");

    let url = "url = \"https://a.example\"";
    let secret = format!("secret = \"{SECRET}\"");
    let tables = [
        (
            format!("name = \"a\"\n{url}"),
            "clustertalk.toml:1: webhook `a`: give one of `secret`, ",
        ),
        (
            format!("name = \"A\"\n{url}\n{secret}"),
            "clustertalk.toml:1: webhook `A`: `name` must be ",
        ),
        (
            format!("name = \"a\"\n{url}\n{secret}\nevents = [\"message.creatd\"]"),
            "clustertalk.toml:1: webhook `a`: unknown event `message.creatd`; did you mean `message.created`?",
        ),
        (
            format!("name = \"a\"\n{url}\n{secret}\nrooms = [\"#general\"]"),
            "clustertalk.toml:1: webhook `a`: `#general` is no name of a room",
        ),
        (
            format!("name = \"a\"\n{url}\n{secret}\n[[webhook]]\nname = \"a\"\n{url}\n{secret}"),
            "clustertalk.toml:5: webhook `a`: there is another webhook of this name",
        ),
        (
            format!("name = \"a\"\n{url}\nsecrets = []"),
            "clustertalk.toml:4: unknown field `secrets`, ",
        ),
    ];
    for (table, told) in tables {
        let refused = refused(&[], &format!("[[webhook]]\n{table}"));
        assert!(refused.starts_with(told), "{refused}\nis not\n{told}");
    }
}

#[test]
fn each_edge_of_a_machine_has_its_admin_listener_elsewhere() {
    for (listen, admin) in [
        ("127.0.0.1:3000", 13000),
        ("127.0.0.1:3001", 13001),
        ("127.0.0.1:60000", 50000),
        ("127.0.0.1:0", 0),
    ] {
        let config = config(&["--listen", listen], "").expect("a configuration");
        assert_eq!(config.admin, Some((Ipv4Addr::LOCALHOST, admin).into()));
    }
}

#[test]
fn what_holds_is_printed_as_a_file_that_says_the_same() {
    let file = File::parse("limit-burst = 3", Path::new("clustertalk.toml")).expect("a file");
    let flags = [
        "--redis",
        "redis://:secret@host",
        "--origin",
        "https://a.example",
        "--webhook-url",
        "https://a.example/hook?key=hidden",
        "--webhook-secret",
        SECRET,
    ];
    let matches = file.fill(settings_command());
    let given = Given {
        settings: Some(matches.try_get_matches_from(flags).expect("flags")),
        file,
    };
    let printed = reference::present(&given);
    assert!(
        printed.contains("limit-burst = 3  # clustertalk.toml:1\n"),
        "{printed}"
    );
    assert!(
        printed.contains("redis = \"redis://:***@host\"  # --redis\n"),
        "{printed}"
    );
    assert!(
        printed.contains("origin = [\"https://a.example\"]  # --origin\n"),
        "{printed}"
    );
    assert!(printed.contains("# admin is not set\n"), "{printed}");
    assert!(
        printed.contains("drain = \"5s\"  # the default of `drain`\n"),
        "{printed}"
    );
    assert!(
        printed.contains("webhook-url = \"https://a.example/hook?***\"  # --webhook-url\n"),
        "{printed}"
    );
    assert!(
        printed.contains("webhook-secret = \"***\"  # --webhook-secret\n"),
        "{printed}"
    );
    File::parse(&printed, Path::new("again.toml")).expect("a file with settings");
}

#[test]
fn a_name_may_be_chosen_where_nobody_else_can_come_in_or_if_that_was_asked_for() {
    let anonymous = |flags: &[&str], tokens_count| {
        config(flags, "")
            .expect("a configuration")
            .anonymous(tokens_count)
    };
    assert!(matches!(anonymous(&[], false), Ok(true)));
    assert!(matches!(anonymous(&[], true), Ok(false)));
    let open = ["--listen", "0.0.0.0:0"];
    assert!(matches!(
        anonymous(&open, false),
        Err(ConfigError::Anonymous(_))
    ));
    assert!(matches!(anonymous(&open, true), Ok(false)));
    let asked = [&open[..], &["--allow-anonymous"]].concat();
    for tokens_count in [false, true] {
        assert!(matches!(anonymous(&asked, tokens_count), Ok(true)));
    }
}
