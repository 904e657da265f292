//! Which object serves a caller.

use crate::admission::Network;

/// An object, by its name, and where it should be.
pub struct Shard {
    pub name: String,
    pub hint: Option<&'static str>,
}

impl Shard {
    /// Objects of one region share its connections by a hash of the caller's address: so a client that
    /// comes back finds the object that has its rooms open, all of one address are counted by one
    /// object, and a region grows by `shards`.
    pub fn of(network: Network, region: Option<&'static str>, shards: u64) -> Self {
        let number = fnv1a(&network.bytes()) % shards.max(1);
        Self {
            name: format!("{}-{number}", region.unwrap_or("any")),
            hint: region,
        }
    }
}

/// The location hint for a caller on this continent, at this longitude.
pub fn region(continent: &str, longitude: f32) -> Option<&'static str> {
    Some(match continent {
        "NA" if longitude < -100.0 => "wnam",
        "NA" => "enam",
        "SA" => "sam",
        "EU" if longitude > 20.0 => "eeur",
        "EU" => "weur",
        "AS" if longitude < 60.0 => "me",
        "AS" => "apac",
        "OC" => "oc",
        "AF" => "afr",
        _ => return None,
    })
}

/// FNV-1a, 64 bits: the same in every build, which std's hashers do not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_hash_is_that_of_everybody() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn an_address_has_one_object_and_many_share_all() {
        let name = |address: &str| Shard::of(Network::of(address), Some("weur"), 4).name;
        assert_eq!(name("2001:db8::1"), name("2001:db8::2"));
        let names: BTreeSet<String> = (0..100)
            .map(|last| name(&format!("192.0.2.{last}")))
            .collect();
        let all = (0..4).map(|number| format!("weur-{number}")).collect();
        assert_eq!(names, all);
        assert_eq!(Shard::of(Network::of(""), None, 0).name, "any-0");
    }

    #[test]
    fn a_caller_is_served_nearby() {
        assert_eq!(region("EU", 13.4), Some("weur"));
        assert_eq!(region("EU", 30.5), Some("eeur"));
        assert_eq!(region("NA", -122.4), Some("wnam"));
        assert_eq!(region("AS", 55.3), Some("me"));
        assert_eq!(region("T1", 0.0), None);
    }
}
