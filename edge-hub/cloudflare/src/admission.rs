//! How many connections an object holds, in all and of one address, and how fast they are listened to.

use clustertalk_core::{
    http::Problem,
    ids::UserId,
    limits::pace::Pace,
    protocol::{ErrorCode, ServerFrame},
    time::Timestamp,
};
use core::net::{IpAddr, Ipv6Addr};
use serde::{Deserialize, Serialize};
use std::{cell::RefCell, collections::HashMap, rc::Rc, time::Duration};

/// When to try again.
const RETRY: Duration = Duration::from_secs(10);

/// What counts as one address: one host easily has a whole IPv6 /64 to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Network(Option<IpAddr>);

impl Network {
    /// Of a client's address as the platform tells it. Those without one, which there are on a machine
    /// of one's own only, are one network.
    pub fn of(address: &str) -> Self {
        let address: Option<IpAddr> = address.parse().ok();
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
        }))
    }

    /// The bytes that tell it from others.
    pub fn bytes(self) -> Vec<u8> {
        match self.0 {
            None => Vec::new(),
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().to_vec(),
        }
    }
}

/// Who may come.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    most_of_one: usize,
    present: RefCell<Present>,
}

#[derive(Debug, Default)]
struct Present {
    total: usize,
    by_network: HashMap<Network, usize>,
}

/// What a connection occupies, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Rc<Admission>,
    network: Network,
}

impl Admission {
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            most,
            most_of_one,
            present: RefCell::default(),
        }
    }

    /// # Errors
    /// There are as many connections as there may be.
    pub fn admit(self: &Rc<Self>, network: Network) -> Result<Place, Problem> {
        let present = self.present.borrow();
        let refusal = |code, reason| {
            let error = ServerFrame::error(code).because(reason);
            Err(error.retry_after(RETRY).into())
        };
        if present.total >= self.most {
            let reason = "the edge holds as many connections as it may";
            return refusal(ErrorCode::Unavailable, reason);
        }
        let of_one = present.by_network.get(&network).copied();
        if of_one.is_some_and(|count| count >= self.most_of_one) {
            let reason = "too many connections from one address";
            return refusal(ErrorCode::RateLimited, reason);
        }
        drop(present);
        Ok(self.readmit(network))
    }

    /// A connection that was there before this object lost its memory.
    pub fn readmit(self: &Rc<Self>, network: Network) -> Place {
        let mut present = self.present.borrow_mut();
        present.total += 1;
        *present.by_network.entry(network).or_default() += 1;
        Place {
            admission: Rc::clone(self),
            network,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.admission.present.borrow_mut();
        present.total -= 1;
        if let Some(count) = present.by_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                present.by_network.remove(&self.network);
            }
        }
    }
}

/// How fast frames are handled: of one user and of one address, over all their connections here.
#[derive(Debug)]
pub struct Paces {
    users: RefCell<Pace<UserId>>,
    addresses: RefCell<Pace<Network>>,
}

impl Default for Paces {
    fn default() -> Self {
        Self {
            users: RefCell::new(Pace::of_users()),
            addresses: RefCell::new(Pace::of_addresses()),
        }
    }
}

impl Paces {
    /// Takes one frame; answers how long to wait before the next is handled.
    pub fn take(&self, now: Timestamp, network: Network, user: Option<&UserId>) -> Duration {
        let of_address = self.addresses.borrow_mut().take(now, network);
        let of_user = user.map(|user| self.users.borrow_mut().take(now, user.clone()));
        of_address.max(of_user.unwrap_or_default())
    }

    /// How long to wait before the first frame of a connection is handled.
    pub fn wait(&self, now: Timestamp, network: Network) -> Duration {
        self.addresses.borrow().wait(now, &network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(refused: Result<Place, Problem>) -> u16 {
        clustertalk_core::http::Answer::from(refused.unwrap_err()).status
    }

    #[test]
    fn an_address_is_refused_beyond_its_cap_and_taken_again_later() {
        let admission = Rc::new(Admission::new(3, 2));
        let network = Network::of("192.0.2.1");
        let first = admission.admit(network).unwrap();
        let _second = admission.admit(network).unwrap();
        assert_eq!(status(admission.admit(network)), 429);
        let _other = admission.admit(Network::of("192.0.2.2")).unwrap();
        assert_eq!(status(admission.admit(Network::of("192.0.2.3"))), 503);
        drop(first);
        assert!(admission.admit(network).is_ok());
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let network = Network::of("2001:db8::1");
        assert_eq!(network, Network::of("2001:db8::2"));
        assert_ne!(network, Network::of("2001:db8:0:1::2"));
        assert_eq!(Network::of("::ffff:192.0.2.1"), Network::of("192.0.2.1"));
        assert_ne!(Network::of("192.0.2.1").bytes(), Network::of("").bytes());
    }
}
