//! Caps on connections, in all and for each address.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hyper::StatusCode;

use super::{Refusal, network};

#[derive(Debug)]
pub(super) struct Admission {
    total: usize,
    per_address: usize,
    present: Mutex<Present>,
}

#[derive(Debug, Default)]
struct Present {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Room for one connection, given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(super) fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            per_address,
            present: Mutex::default(),
        })
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Refusal> {
        let address = network(address);
        let mut present = self.present();
        if present.total >= self.total {
            let message = "the edge holds as many connections as it may";
            return Err(
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
                    .retry_after(10),
            );
        }
        let count = present.by_address.get(&address).copied().unwrap_or(0);
        if count >= self.per_address {
            let message = "too many connections from one address";
            return Err(
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message)
                    .retry_after(10),
            );
        }
        present.by_address.insert(address, count + 1);
        present.total += 1;
        Ok(Permit {
            admission: Arc::clone(self),
            address,
        })
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut present = self.admission.present();
        present.total -= 1;
        if let Entry::Occupied(mut count) = present.by_address.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_beyond_its_cap_and_taken_again_later() {
        let admission = Admission::new(10, 2);
        let address = "192.0.2.1".parse().unwrap();
        let first = admission.admit(address).unwrap();
        let _second = admission.admit(address).unwrap();
        assert_eq!(
            admission.admit(address).unwrap_err().status,
            StatusCode::TOO_MANY_REQUESTS
        );
        assert!(admission.admit("192.0.2.2".parse().unwrap()).is_ok());
        drop(first);
        assert!(admission.admit(address).is_ok());
    }

    #[test]
    fn all_are_refused_beyond_the_total() {
        let admission = Admission::new(1, 2);
        let _only = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        let refusal = admission.admit("192.0.2.2".parse().unwrap()).unwrap_err();
        assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let admission = Admission::new(10, 1);
        let _first = admission.admit("2001:db8::1".parse().unwrap()).unwrap();
        assert!(admission.admit("2001:db8::2".parse().unwrap()).is_err());
        assert!(admission.admit("2001:db8:0:1::2".parse().unwrap()).is_ok());
    }

    #[test]
    fn an_ipv4_address_counts_as_itself_on_a_listener_for_both() {
        let admission = Admission::new(10, 1);
        let _first = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        assert!(
            admission
                .admit("::ffff:192.0.2.1".parse().unwrap())
                .is_err()
        );
        assert!(admission.admit("::ffff:192.0.2.2".parse().unwrap()).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_an_address_without_connections() {
        let admission = Admission::new(10, 1);
        drop(admission.admit("192.0.2.1".parse().unwrap()));
        assert!(admission.present().by_address.is_empty());
        assert_eq!(admission.present().total, 0);
    }
}
