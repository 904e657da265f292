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
