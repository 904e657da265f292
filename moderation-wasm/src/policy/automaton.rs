//! Regular expressions as one table: a state and a byte lead to the next state.
//!
//! `clustertalk policy build` compiles them with the crate `regex-automata`, whose own search would
//! be a third of this component's code. A text costs one step a byte, whatever it says.

use serde::{Deserialize, Serialize};

/// A deterministic automaton that finds all of its expressions at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Automaton<'a> {
    /// The class of each of the 256 bytes, and after them of the end of the text.
    #[serde(borrow)]
    classes: &'a [u8],
    /// By state and class the next state: 16-bit numbers, little-endian. The first state is 0.
    table: &'a [u8],
    /// By state where its hits are in `hits`: those of state `s` are `hits[ends[s - 1]..ends[s]]`.
    ends: Vec<u16>,
    /// The numbers of the expressions that end where a state is reached.
    hits: Vec<u16>,
}

/// The column of the end of the text.
pub const END: usize = 256;

impl<'a> Automaton<'a> {
    /// `classes` has [`END`]` + 1` numbers, `table` a row of as many states as there are classes for
    /// each state, and `hits` the hits of each state.
    pub fn new(classes: &'a [u8], table: &'a [u8], hits: &[Vec<u16>]) -> Automaton<'a> {
        let mut end = 0;
        Automaton {
            classes,
            table,
            ends: hits
                .iter()
                .map(|hits| {
                    end += hits.len() as u16;
                    end
                })
                .collect(),
            hits: hits.concat(),
        }
    }

    /// Whether every step leads to a state, so that [`Automaton::find`] is safe to call, and every hit
    /// is one of so many expressions.
    pub fn is_whole(&self, expressions: usize) -> bool {
        let width = self.width();
        let states = self.ends.len();
        let steps = self.table.as_chunks::<2>().0;
        self.classes.len() == END + 1
            && states > 0
            && self.table.len() == 2 * width * states
            && steps
                .iter()
                .all(|&step| usize::from(u16::from_le_bytes(step)) < states)
            && self.ends.is_sorted()
            && self.ends.last().map(|&end| usize::from(end)) == Some(self.hits.len())
            && self.hits.iter().all(|&hit| usize::from(hit) < expressions)
    }

    fn width(&self) -> usize {
        let highest = self.classes.iter().max();
        highest.map_or(0, |&class| usize::from(class) + 1)
    }

    /// Calls `each` with every expression that is somewhere in the text, as often as it ends there.
    pub fn find(&self, text: &str, mut each: impl FnMut(u16)) {
        let width = self.width();
        let mut state = 0;
        let columns = text.bytes().map(usize::from).chain([END]);
        for column in columns {
            let step = 2 * (state * width + usize::from(self.classes[column]));
            state = usize::from(u16::from_le_bytes([self.table[step], self.table[step + 1]]));
            let first = match state {
                0 => 0,
                state => self.ends[state - 1],
            };
            for hit in &self.hits[usize::from(first)..usize::from(self.ends[state])] {
                each(*hit);
            }
        }
    }
}
