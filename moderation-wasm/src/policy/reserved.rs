//! The place in the component where `clustertalk policy build` puts a policy.
//!
//! It is plain data, so that a built component can be given another policy without a compiler, and
//! its digest says exactly which policy decided. It is filled with something that is not zero: a
//! linker would leave zeros out.

use std::hint::black_box;

/// Stands before the policy; nowhere else in the component.
pub const MARKER: [u8; 24] = *b"clustertalk policy \xf3\x9a\xc5\x1e\x01";
/// Bytes that a policy may have.
pub const CAPACITY: usize = 128 * 1024;
const FILL: u8 = b'.';

#[repr(C)]
struct Reserved {
    marker: [u8; MARKER.len()],
    /// Little-endian; 0 where there is no policy.
    length: [u8; 4],
    bytes: [u8; CAPACITY],
}

static RESERVED: Reserved = Reserved {
    marker: MARKER,
    length: [0; 4],
    bytes: [FILL; CAPACITY],
};

/// The policy that was put into this component; empty where none was.
pub fn bytes() -> &'static [u8] {
    // The compiler would take what it knows for what is there.
    let reserved = black_box(&RESERVED);
    let length = u32::from_le_bytes(reserved.length) as usize;
    &reserved.bytes[..length.min(CAPACITY)]
}

/// Why a policy cannot be put into a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutError {
    /// It is no moderation component of ours, or of another version.
    NoPlace,
    /// The policy has more than [`CAPACITY`] bytes: it has so many.
    TooLarge(usize),
}

/// Puts a policy into a built component, in the place of the one that is there; an empty one takes
/// it out.
///
/// # Errors
/// There is no place for it; the component is as it was.
pub fn put(component: &mut [u8], policy: &[u8]) -> Result<(), PutError> {
    if policy.len() > CAPACITY {
        return Err(PutError::TooLarge(policy.len()));
    }
    let places: Vec<usize> = component
        .windows(MARKER.len())
        .enumerate()
        .filter(|(_, bytes)| *bytes == MARKER)
        .map(|(place, _)| place + MARKER.len())
        .collect();
    let [place] = places[..] else {
        return Err(PutError::NoPlace);
    };
    let end = place + 4 + CAPACITY;
    let reserved = component.get_mut(place..end).ok_or(PutError::NoPlace)?;
    let (length, bytes) = reserved.split_at_mut(4);
    length.copy_from_slice(&(policy.len() as u32).to_le_bytes());
    bytes.fill(FILL);
    bytes[..policy.len()].copy_from_slice(policy);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component() -> Vec<u8> {
        let mut component = b"before".to_vec();
        component.extend(MARKER);
        component.extend([0; 4]);
        component.extend([FILL; CAPACITY]);
        component.extend(b"after");
        component
    }

    #[test]
    fn a_policy_is_put_in_the_place_of_another() {
        let empty = component();
        let mut component = empty.clone();
        put(&mut component, b"a long policy").expect("there is a place");
        let long = component.clone();
        put(&mut component, b"short").expect("there is a place");
        assert_ne!(component, long);
        assert_eq!(component.len(), empty.len());
        assert!(component.ends_with(b"after"));
        put(&mut component, b"").expect("there is a place");
        assert_eq!(component, empty);
    }

    #[test]
    fn what_is_no_component_of_ours_is_left_alone() {
        let mut other = b"another component".to_vec();
        assert_eq!(put(&mut other, b"policy"), Err(PutError::NoPlace));
        let mut cut = component();
        cut.truncate(1000);
        assert_eq!(put(&mut cut, b"policy"), Err(PutError::NoPlace));
        let mut double = [component(), component()].concat();
        assert_eq!(put(&mut double, b"policy"), Err(PutError::NoPlace));
        let large = vec![1; CAPACITY + 1];
        assert_eq!(
            put(&mut component(), &large),
            Err(PutError::TooLarge(CAPACITY + 1))
        );
    }

    #[test]
    fn none_is_built_in() {
        assert!(bytes().is_empty());
    }
}
