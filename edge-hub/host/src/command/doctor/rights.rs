//! Whether the user in the URL of Redis may do what an edge does.
//!
//! A script asks Redis for each command, without sending any of them: whoever runs a script may ask
//! what it would be denied.

use redis::aio::MultiplexedConnection;

use super::report::{Finding, Name, Report};

/// Every command that an edge or a script of its sends, in some right form; `K` stands for a key of
/// the deployment and `C` for a channel. docs/redis.md has the same as one `ACL SETUSER`.
const COMMANDS: &[&str] = &[
    "EVAL s 0",
    "EVALSHA s 0",
    "TIME",
    "PING",
    "INFO",
    "SCAN 0",
    "PUBLISH C m",
    "SUBSCRIBE C",
    "UNSUBSCRIBE C",
    "EXISTS K",
    "DEL K",
    "GET K",
    "SET K v",
    "EXPIRE K 1",
    "PEXPIRE K 1",
    "HGET K f",
    "HSET K f v",
    "HSETNX K f v",
    "HMGET K f",
    "HGETALL K",
    "HDEL K f",
    "HEXISTS K f",
    "HINCRBY K f 1",
    "HKEYS K",
    "HLEN K",
    "ZADD K 1 m",
    "ZCARD K",
    "ZCOUNT K 0 1",
    "ZINCRBY K 1 m",
    "ZMSCORE K m",
    "ZPOPMIN K",
    "ZRANGE K 0 1",
    "ZRANGEBYSCORE K 0 1",
    "ZREM K m",
    "ZREMRANGEBYSCORE K 0 1",
    "ZREVRANGE K 0 1",
    "ZSCORE K m",
    "XADD K * f v",
    "XDEL K 1-0",
    "XINFO STREAM K",
    "XLEN K",
    "XRANGE K - +",
    "XREAD STREAMS K 0",
    "XREVRANGE K + -",
    "XTRIM K MAXLEN 1",
    "PFADD K m",
    "PFCOUNT K",
    "PFMERGE K K",
];

const ASK: &str = "
local denied = {}
for index, line in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(line, '%S+') do words[#words + 1] = word end
  if not redis.acl_check_cmd(unpack(words)) then denied[#denied + 1] = index end
end
return denied
";

/// True if nothing is missing.
pub async fn examine(
    connection: &mut MultiplexedConnection,
    prefix: &str,
    report: &mut Report,
) -> bool {
    let fill = |command: &&str| {
        let words = command.split(' ').map(|word| match word {
            "K" => format!("{prefix}:{{doctor}}:probe"),
            "C" => format!("{prefix}:{{doctor}}:live"),
            word => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let commands: Vec<String> = COMMANDS.iter().map(fill).collect();
    let asked: Result<Vec<usize>, _> = redis::cmd("EVAL")
        .arg(ASK)
        .arg(0)
        .arg(&commands)
        .query_async(connection)
        .await;
    let missing = match asked {
        Ok(denied) if denied.is_empty() => {
            report.good("the user of Redis has all rights that an edge needs");
            return true;
        }
        Ok(denied) => {
            let denied: Vec<&str> = denied
                .iter()
                .filter_map(|index| COMMANDS.get(index.checked_sub(1)?).copied())
                .collect();
            missing(&denied, prefix).join(" ")
        }
        Err(error) if error.code() == Some("NOPERM") => "+eval".to_owned(),
        Err(error) => format!("what it may do: {error}"),
    };
    report.find(Finding::new(
        Name::RedisRights,
        format!("the user of Redis lacks {missing}"),
        "add that by `ACL SETUSER` (docs/redis.md has the whole line)",
    ));
    false
}

/// What to add, as `ACL SETUSER` takes it. Keys or channels of which nothing is allowed are rather
/// a pattern that lacks than all these commands.
fn missing(denied: &[&str], prefix: &str) -> Vec<String> {
    let with = |word: &str, commands: &[&str]| -> Vec<String> {
        let has = |command: &&&str| command.split(' ').any(|one| one == word);
        commands.iter().filter(has).map(|it| rule(it)).collect()
    };
    let mut rules = Vec::new();
    let mut by_pattern = Vec::new();
    // Who may not say which channels may still say goodbye to one.
    let of_channels = ["PUBLISH C m", "SUBSCRIBE C"];
    if of_channels.iter().all(|command| denied.contains(command)) {
        rules.push(format!("&{prefix}:*"));
        by_pattern.extend(of_channels.iter().map(|command| rule(command)));
    }
    let of_keys = with("K", COMMANDS);
    if with("K", denied) == of_keys {
        rules.push(format!("~{prefix}:*"));
        by_pattern.extend(of_keys);
    }
    let commands = denied.iter().map(|command| rule(command));
    rules.extend(commands.filter(|rule| !by_pattern.contains(rule)));
    rules
}

/// A command as a rule of an ACL names it.
fn rule(command: &str) -> String {
    let mut words = command.split(' ');
    let name = words.next().unwrap_or_default().to_ascii_lowercase();
    match (name.as_str(), words.next()) {
        ("xinfo", Some(sub)) => format!("+xinfo|{}", sub.to_ascii_lowercase()),
        _ => format!("+{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_names_the_same_rights() {
        let page = include_str!("../../../../../docs/redis.md");
        let (_, block) = page.split_once("```acl\n").expect("a block of rights");
        let (block, _) = block.split_once("```").expect("its end");
        let mut documented: Vec<&str> = block
            .split_whitespace()
            .filter(|word| word.starts_with('+'))
            .collect();
        let mut asked: Vec<String> = COMMANDS.iter().map(|command| rule(command)).collect();
        documented.sort_unstable();
        asked.sort_unstable();
        assert_eq!(asked, documented);
    }

    #[test]
    fn a_missing_pattern_is_told_as_one() {
        assert_eq!(missing(&["XADD K * f v"], "ct"), ["+xadd"]);
        assert_eq!(missing(&["PUBLISH C m"], "ct"), ["+publish"]);
        let both = ["TIME", "PUBLISH C m", "SUBSCRIBE C"];
        assert_eq!(missing(&both, "ct"), ["&ct:*", "+time"]);
        let of_keys: Vec<&str> = COMMANDS
            .iter()
            .copied()
            .filter(|command| command.contains(" K"))
            .collect();
        assert_eq!(missing(&of_keys, "chat"), ["~chat:*"]);
    }
}
