use percent_encoding::percent_decode_str;
use url::Url;

/// Where Redis is and who we are there: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://`
/// for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub is_secure: bool,
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: Option<u32>,
}

/// Not the address of a Redis. It does not repeat the address, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("it is no URL; one is rediss://USER:PASSWORD@HOST:PORT")]
    Url,
    #[error("it must begin with redis:// or, for TLS, rediss://")]
    Scheme,
    #[error("it names no host")]
    Host,
    #[error("what follows the last slash must be the number of a database")]
    Database,
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text.trim()).map_err(|_| AddressError::Url)?;
        let is_secure = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(AddressError::Scheme),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let database = match url.path().trim_matches('/') {
            "" => None,
            number => Some(number.parse().map_err(|_| AddressError::Database)?),
        };
        Ok(Self {
            host: url
                .host_str()
                .filter(|host| !host.is_empty())
                .ok_or(AddressError::Host)?
                .to_owned(),
            port: url.port().unwrap_or(6379),
            is_secure,
            user: Some(decoded(url.username())).filter(|user| !user.is_empty()),
            password: url.password().map(decoded),
            database,
        })
    }

    /// What a new connection says first.
    pub fn greeting(&self) -> Vec<Vec<String>> {
        let mut commands = Vec::new();
        if let Some(password) = &self.password {
            let mut auth = vec!["AUTH".to_owned()];
            auth.extend(self.user.clone());
            auth.push(password.clone());
            commands.push(auth);
        }
        if let Some(database) = self.database {
            commands.push(vec!["SELECT".to_owned(), database.to_string()]);
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_who_and_where() {
        let address = Address::parse("rediss://ada:p%40ss@redis.example:6380/2").unwrap();
        let expected = Address {
            host: "redis.example".to_owned(),
            port: 6380,
            is_secure: true,
            user: Some("ada".to_owned()),
            password: Some("p@ss".to_owned()),
            database: Some(2),
        };
        assert_eq!(address, expected);
        assert_eq!(
            address.greeting(),
            [vec!["AUTH", "ada", "p@ss"], vec!["SELECT", "2"]]
        );
    }

    #[test]
    fn a_bare_address_has_defaults_and_a_wrong_one_a_reason() {
        let address = Address::parse("redis://127.0.0.1").unwrap();
        assert_eq!((address.port, address.is_secure), (6379, false));
        assert!(address.greeting().is_empty());
        assert_eq!(Address::parse("127.0.0.1:6379"), Err(AddressError::Url));
        assert_eq!(Address::parse("http://a"), Err(AddressError::Scheme));
        assert_eq!(Address::parse("redis://a/b"), Err(AddressError::Database));
    }
}
