//! What the host of a link says about it.

/// Hosts that shorten links, so that nobody sees where they lead.
const SHORTENERS: &[&str] = &[
    "adf.ly",
    "bit.do",
    "bit.ly",
    "cutt.ly",
    "cutt.us",
    "goo.gl",
    "goo.su",
    "is.gd",
    "linktr.ee",
    "ow.ly",
    "rb.gy",
    "rebrand.ly",
    "s.id",
    "shorturl.at",
    "t.ly",
    "tiny.cc",
    "tinyurl.com",
    "v.gd",
];

/// Hosts of invitations to another chat.
const INVITES: &[&str] = &[
    "chat.whatsapp.com",
    "discord.gg",
    "discord.io",
    "join.skype.com",
    "line.me",
    "t.me",
    "telegram.dog",
    "telegram.me",
    "wa.me",
];

/// Hosts that talk in chats is full of; what is on them is another matter.
const COMMON: &[&str] = &[
    "amazon.com",
    "apple.com",
    "archlinux.org",
    "arxiv.org",
    "bbc.co.uk",
    "bitbucket.org",
    "crates.io",
    "debian.org",
    "discord.com",
    "docs.rs",
    "ebay.com",
    "example.com",
    "example.org",
    "facebook.com",
    "fedoraproject.org",
    "ghcr.io",
    "giphy.com",
    "github.com",
    "github.io",
    "gitlab.com",
    "gnome.org",
    "google.com",
    "imgur.com",
    "instagram.com",
    "kde.org",
    "kernel.org",
    "launchpad.net",
    "linkedin.com",
    "localhost",
    "medium.com",
    "microsoft.com",
    "mozilla.org",
    "netflix.com",
    "npmjs.com",
    "nytimes.com",
    "openai.com",
    "openstreetmap.org",
    "pastebin.com",
    "paypal.com",
    "python.org",
    "readthedocs.io",
    "reddit.com",
    "rust-lang.org",
    "sourceforge.net",
    "spotify.com",
    "stackexchange.com",
    "stackoverflow.com",
    "steamcommunity.com",
    "steampowered.com",
    "tenor.com",
    "theguardian.com",
    "twitch.tv",
    "twitter.com",
    "ubuntu.com",
    "wikimedia.org",
    "wikipedia.org",
    "x.com",
    "youtu.be",
    "youtube.com",
];

/// Top-level domains that cost little or nothing and are full of what nobody asked for.
const CHEAP: &[&str] = &[
    "biz", "bond", "buzz", "cam", "cfd", "cf", "click", "club", "cyou", "fun", "ga", "gift",
    "gifts", "gq", "icu", "info", "life", "link", "live", "loan", "lol", "ml", "monster", "online",
    "pro", "pw", "rest", "ru", "sbs", "shop", "site", "space", "store", "su", "support", "tk",
    "today", "top", "vip", "website", "win", "work", "world", "xyz",
];

/// Names that others pretend to be, as [`skeleton`] writes them.
const IMITATED: &[&str] = &[
    "airdrop",
    "amazon",
    "apple",
    "binance",
    "bitcoin",
    "btc",
    "coinbase",
    "crypto",
    "discord",
    "facebook",
    "giveaway",
    "gooqle",
    "instagram",
    "ledger",
    "metamask",
    "microsoft",
    "netflix",
    "nitro",
    "opensea",
    "paypal",
    "roblox",
    "robux",
    "skins",
    "steam",
    "telegram",
    "trezor",
    "trustwallet",
    "uniswap",
    "vbucks",
    "verify",
    "wallet",
    "whatsapp",
];

/// Longest host that is compared with [`IMITATED`], in characters.
const LONGEST: usize = 64;

pub struct Host {
    pub shortener: bool,
    pub invite: bool,
    pub common: bool,
    pub cheap: bool,
    /// It has the name of somebody whose host it is not (`dlscord-nitro.ru`).
    pub imitation: bool,
    /// A number, not a name.
    pub address: bool,
}

/// Of a host in lower case.
pub fn look(host: &str) -> Host {
    let is_or_is_under = |domain: &&str| {
        let before = host.strip_suffix(*domain);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let common = COMMON.iter().any(is_or_is_under);
    let top = host.rsplit('.').next().unwrap_or(host);
    Host {
        shortener: SHORTENERS.iter().any(is_or_is_under),
        invite: INVITES.iter().any(is_or_is_under),
        cheap: CHEAP.contains(&top),
        imitation: !common && is_imitation(host),
        address: host.chars().all(|c| c.is_ascii_digit() || c == '.'),
        common,
    }
}

fn is_imitation(host: &str) -> bool {
    let name = host.rsplit_once('.').map_or(host, |(name, _)| name);
    let skeleton = skeleton(name.chars().take(LONGEST));
    IMITATED.iter().any(|&imitated| {
        let imitated = imitated.replace('i', "l");
        skeleton.contains(&imitated)
    })
}

/// Letters that are taken for each other become one.
fn skeleton(name: impl Iterator<Item = char>) -> String {
    let plain = name.filter(|&c| c != '-').map(|c| match c {
        '0' => 'o',
        '1' | 'i' | '!' => 'l',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        other => other,
    });
    let plain: String = plain.collect();
    plain
        .replace("rn", "m")
        .replace("cl", "d")
        .replace("vv", "w")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_with_the_name_of_another_is_an_imitation() {
        for host in [
            "dlscord-nitro.ru",
            "discorcl-gift.online",
            "stearn.com",
            "www.paypa1.com",
            "disc0rd.gift",
        ] {
            assert!(look(host).imitation, "{host}");
        }
        for host in [
            "discord.com",
            "cdn.discord.com",
            "en.wikipedia.org",
            "blog.example.net",
        ] {
            assert!(!look(host).imitation, "{host}");
        }
    }

    #[test]
    fn a_host_is_listed_with_what_is_under_it_only() {
        assert!(look("gist.github.com").common);
        assert!(!look("notgithub.com").common);
        assert!(look("bit.ly").shortener);
        assert!(!look("rabbit.ly").shortener);
    }
}
