//! Two real edges on one real Redis, once with chosen names and once with tokens.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::deployment::{Deployment, Found, conformance, root};

/// For tests only.
const SECRET: &str = "made for tests only, never for a deployment";
const KEY: &str = "ctk_made-for-tests-only-never-for-a-deployment";

async fn hold(deployment: &Deployment, name: &str, environment: &[(&str, &str)]) -> Found {
    let junit = root().join(format!("target/conformance/{name}.xml"));
    let junit = junit.display().to_string();
    let [first, second] = &deployment.edges[..] else {
        panic!("two edges");
    };
    let arguments = [
        first,
        "--second",
        second,
        "--platform",
        "native",
        "--junit",
        &junit,
    ];
    let found = conformance(&arguments, environment).await;
    let counts = &found.report["counts"];
    println!("{name}: {counts} in {} s", found.report["seconds"]);
    println!("{:#}", found.report["latency"]);
    assert_eq!(found.status, Some(0), "\n{}", found.failures());
    assert_eq!(counts["failed"], 0);
    let written = std::fs::read_to_string(&junit).expect("the JUnit file");
    assert!(
        written.contains("<testsuite name=\"handshake\""),
        "{written:.300}"
    );
    found
}

fn seen(found: &Found) -> impl Iterator<Item = &str> {
    let cases = found.report["cases"].as_array().expect("cases").iter();
    cases
        .flat_map(|case| case["codes"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_native_host_holds_the_protocol() {
    let deployment = Deployment::start(2, &[], &[]).await;
    let names = hold(&deployment, "names", &[]).await;
    drop(deployment);

    let issuer =
        json!([{ "issuer": "conformance", "audience": "clustertalk", "algorithm": "HS256" }]);
    let digest: String = Sha256::digest(KEY)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let variables = [
        ("identity", issuer.to_string()),
        (
            "identity_secrets",
            json!({ "conformance": SECRET }).to_string(),
        ),
        (
            "publish_keys",
            json!([{ "name": "tests", "sha256": digest }]).to_string(),
        ),
        ("anonymous", "false".to_owned()),
    ];
    let flags = ["--limit-ping", "5s"];
    let deployment = Deployment::start(2, &variables, &flags).await;
    let environment = [
        ("CLUSTERTALK_TOKEN_SECRET", SECRET),
        ("CLUSTERTALK_SERVER_KEY", KEY),
    ];
    let tokens = hold(&deployment, "tokens", &environment).await;

    // Between them every case has run, and every code came that can.
    for case in names.report["cases"].as_array().expect("cases") {
        let name = case["case"].as_str().expect("a name");
        let passed = [&names, &tokens].map(|run| run.case(name)["verdict"] == "pass");
        let skipped = case["verdict"] == "skip";
        assert!(skipped || passed.contains(&true), "{name} was never run");
    }
    let seen: BTreeSet<&str> = seen(&names).chain(seen(&tokens)).collect();
    let missing = |found: &Found| -> BTreeSet<String> {
        let codes = found.report["codes_not_provoked"]
            .as_array()
            .expect("codes");
        codes
            .iter()
            .filter_map(|code| code.as_str().map(str::to_owned))
            .collect()
    };
    let missing: Vec<String> = missing(&names)
        .intersection(&missing(&tokens))
        .cloned()
        .collect();
    assert!(
        missing.is_empty(),
        "never came: {missing:?}; came: {seen:?}"
    );
}
