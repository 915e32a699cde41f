//! Garbled segments, in every size of reads.

use super::*;

/// Everything that comes out of a segment, up to the problem that ends it.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    units: Vec<(MediaTime, Vec<u8>)>,
    titles: Vec<(MediaTime, String)>,
    problem: Option<Problem>,
}

impl Outcome {
    fn of(bytes: Vec<u8>, step: usize) -> Self {
        let mut outcome = Self::default();
        match segment(bytes, step) {
            Ok(mut demuxer) => {
                outcome.problem = outcome.drain(&mut demuxer).err();
                outcome.titles = demuxer.take_titles();
            }
            Err(problem) => outcome.problem = Some(problem),
        }
        outcome
    }

    fn drain(&mut self, demuxer: &mut Demuxer) -> Result<(), Problem> {
        while let Some(unit) = demuxer.next_unit()? {
            self.units.push((unit.start, unit.data.to_vec()));
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn garbled_segments_give_the_same_for_every_read_size_and_run_not_on(
        edits in prop::collection::vec((0_usize..1900, any::<u8>()), 0..20),
        family in 0_usize..3,
        step in 1_usize..300,
    ) {
        let frame = FAMILIES[family].frame;
        let parts = [timestamp(9), frames(frame, 0..4), title("x"), frames(frame, 4..8), b"TAG".to_vec()];
        let mut bytes = parts.concat();
        for (at, value) in edits {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let (size, whole) = (bytes.len(), Outcome::of(bytes.clone(), 1 << 20));
        let given: usize = whole.units.iter().map(|(_, data)| data.len()).sum();
        prop_assert!(given <= size);
        prop_assert_eq!(Outcome::of(bytes, step), whole);
    }
}
