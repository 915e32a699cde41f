//! The sink of `dump`: a WAV file, written through one buffer and closed with
//! the right header whatever happened, also by another thread.

mod file;
mod header;
mod pcm;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::ledger::Ledger;
use super::target::Target;
use crate::error::{Kind, Problem};
use crate::media::{Format, Provenance, Sink};
use crate::units::{ChannelCount, SampleRate, Spec};
use file::WavFile;
use header::Layout;

pub use pcm::Sample;

/// How the user wants the file; what is `None` is as the source has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Form of a sample; else 16 bits, or 24 when the source has more than 16.
    pub sample: Option<Sample>,
    /// Sample rate; else that of the first decoded frame.
    pub rate: Option<SampleRate>,
    /// Channels; else those of the first decoded frame.
    pub channels: Option<ChannelCount>,
    /// Samples only, no header.
    pub raw: bool,
}

/// Writes frames, and notes segments in a ledger if one is kept.
#[derive(Debug)]
pub struct WavSink {
    file: Arc<Mutex<WavFile>>,
    options: Options,
    ledger: Option<Ledger>,
}

impl WavSink {
    /// A sink into `target`, which is left as it is until the first frame.
    pub fn new(target: Target, options: Options, ledger: Option<Ledger>) -> Self {
        Self {
            file: Arc::new(Mutex::new(WavFile::new(target, !options.raw))),
            options,
            ledger,
        }
    }

    /// A second pair of hands that can finish the file when the decoder hangs.
    pub fn rescue(&self) -> Rescue {
        Rescue {
            file: Arc::clone(&self.file),
        }
    }

    fn file(&self) -> MutexGuard<'_, WavFile> {
        // A panic while samples were encoded leaves every count as it was.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for WavSink {
    fn open(&mut self, source: Format) -> Result<Spec, Problem> {
        let spec = Spec {
            rate: self.options.rate.unwrap_or(source.spec.rate),
            channels: self.options.channels.unwrap_or(source.spec.channels),
        };
        let fitting = Sample::for_bits(source.bits);
        let sample = self.options.sample.unwrap_or(fitting);
        self.file().begin(Layout { spec, sample })?;
        if let Some(ledger) = &mut self.ledger {
            ledger.begin()?;
        }
        Ok(spec)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), Problem> {
        self.file().write(samples)
    }

    fn segment(&mut self, done: &Provenance) -> Result<(), Problem> {
        match &mut self.ledger {
            Some(ledger) => ledger.note(done),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), Problem> {
        if let Some(ledger) = &mut self.ledger {
            ledger.end();
        }
        self.file().finish()
    }
}

/// Finishes a file for a thread that does not come back.
#[derive(Clone, Debug)]
pub struct Rescue {
    file: Arc<Mutex<WavFile>>,
}

impl Rescue {
    /// Writes out what is buffered and the right header; later writes are
    /// refused. Does nothing when the file is finished already.
    ///
    /// # Errors
    ///
    /// [`Kind::Output`] when the file cannot be written, or when the other
    /// thread hangs in a write itself.
    pub fn finish(&self) -> Result<(), Problem> {
        match self.file.try_lock() {
            Ok(mut file) => file.finish(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().finish(),
            Err(TryLockError::WouldBlock) => Err(Problem::new(
                Kind::Output,
                "cannot finish the output",
                "a write to it does not return",
                "choose another place",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::file::State;
    use super::*;
    use crate::media::Codec;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn format(channels: usize, bits: u8) -> Format {
        Format {
            spec: Spec {
                rate: SampleRate::new(44_100).expect("an allowed rate"),
                channels: ChannelCount::new(channels).expect("an allowed count"),
            },
            codec: Codec::Flac,
            bits,
        }
    }

    struct Rig {
        _folder: tempfile::TempDir,
        path: PathBuf,
        sink: WavSink,
    }

    fn rig(options: Options) -> Rig {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.wav");
        let target = Target::open(&path, false).expect("made");
        Rig {
            _folder: folder,
            path,
            sink: WavSink::new(target, options, None),
        }
    }

    fn integers(count: usize) -> Vec<i32> {
        (0..count)
            .map(|n| (n * 7_919 % 65_536) as i32 - 32_768)
            .collect()
    }

    #[test]
    fn sixteen_bit_integers_are_in_the_file_exactly() {
        let mut rig = rig(Options::default());
        let want = integers(200_001 * 2);
        let sound: Vec<f32> = want.iter().map(|&n| n as f32 / 32_768.0).collect();
        let spec = rig.sink.open(format(2, 16)).expect("opened");
        assert_eq!(spec, format(2, 16).spec);
        for block in sound.chunks(2 * 1_152) {
            rig.sink.write(block).expect("written");
        }
        rig.sink.finish().expect("finished");
        rig.sink.finish().expect("nothing to do");
        let mut file = hound::WavReader::open(&rig.path).expect("a wav file");
        assert_eq!(file.spec().sample_rate, 44_100);
        assert_eq!(
            file.samples::<i32>()
                .map(Result::unwrap)
                .collect::<Vec<_>>(),
            want
        );
    }

    #[test]
    fn a_wide_source_gets_24_bits_and_an_odd_length_its_padding() {
        let mut rig = rig(Options::default());
        rig.sink.open(format(1, 24)).expect("opened");
        let want = [8_388_607, -8_388_608, 1];
        let sound = want.map(|n| n as f32 / 8_388_608.0);
        rig.sink.write(&sound).expect("written");
        rig.sink.finish().expect("finished");
        assert_eq!(fs::metadata(&rig.path).expect("there").len() % 2, 0);
        let mut file = hound::WavReader::open(&rig.path).expect("a wav file");
        assert_eq!(
            file.samples::<i32>()
                .map(Result::unwrap)
                .collect::<Vec<_>>(),
            want
        );
    }

    #[test]
    fn the_user_decides_over_the_source() {
        let options = Options {
            sample: Some(Sample::F32),
            rate: SampleRate::new(8_000),
            channels: ChannelCount::new(1),
            raw: true,
        };
        let mut rig = rig(options);
        let spec = rig.sink.open(format(2, 16)).expect("opened");
        assert_eq!((spec.rate.hertz(), spec.channels.count()), (8_000, 1));
        rig.sink.write(&[0.25]).expect("written");
        rig.sink.finish().expect("finished");
        assert_eq!(fs::read(&rig.path).expect("there"), 0.25f32.to_le_bytes());
    }

    #[test]
    fn a_rescue_keeps_what_was_written_and_stops_the_hanging_decoder() {
        let mut rig = rig(Options::default());
        let rescue = rig.sink.rescue();
        rig.sink.open(format(1, 16)).expect("opened");
        rig.sink.write(&[0.5; 3]).expect("written");
        rescue.finish().expect("rescued");
        assert_eq!(rig.sink.write(&[0.5]), Err(Problem::stopped()));
        rig.sink.finish().expect("nothing to do");
        let file = hound::WavReader::open(&rig.path).expect("a wav file");
        assert_eq!(file.duration(), 3);
    }

    #[test]
    fn after_a_failure_the_file_ends_with_its_last_whole_frame() {
        let mut rig = rig(Options::default());
        rig.sink.open(format(2, 16)).expect("opened");
        rig.sink.write(&[0.5; 6]).expect("written");
        {
            let mut file = rig.sink.file();
            file.flush().expect("flushed");
            file.target.write(&[1, 2, 3], &mut 0).expect("a torn write");
            file.written += 3;
            file.state = State::Failed;
        }
        assert!(rig.sink.write(&[0.5; 2]).is_err());
        rig.sink.finish().expect("finished");
        let file = hound::WavReader::open(&rig.path).expect("a wav file");
        assert_eq!(file.duration(), 3);
        assert_eq!(fs::metadata(&rig.path).expect("there").len(), 80 + 12);
    }

    #[test]
    fn a_full_disk_is_the_first_error_and_no_more_is_written() {
        let target = Target::open(Path::new("/dev/full"), false).expect("a device");
        let mut sink = WavSink::new(target, Options::default(), None);
        let problem = sink
            .open(format(2, 16))
            .expect_err("the header does not fit");
        assert_eq!(problem.kind, Kind::Output);
        assert!(sink.write(&[0.0; 2]).is_err());
        assert_eq!(sink.finish(), Ok(()));
    }

    #[test]
    fn a_run_that_decoded_nothing_leaves_no_file() {
        let mut rig = rig(Options::default());
        rig.sink.finish().expect("finished");
        assert!(!rig.path.exists());
    }

    #[test]
    fn a_file_past_4_gib_gets_the_long_header() {
        let mut rig = rig(Options::default());
        rig.sink.open(format(2, 16)).expect("opened");
        {
            let mut file = rig.sink.file();
            file.written = 5 << 30; // sparse: nobody writes 5 GiB here
            file.target.cut(80 + (5 << 30)).expect("sparse");
        }
        rig.sink.finish().expect("finished");
        assert_eq!(
            fs::metadata(&rig.path).expect("there").len(),
            80 + (5 << 30)
        );
        let mut start = [0; 4];
        std::io::Read::read_exact(&mut fs::File::open(&rig.path).expect("there"), &mut start)
            .expect("a header");
        assert_eq!(&start, b"RF64");
    }

    #[test]
    fn a_pipe_gets_a_header_of_unknown_length_and_nothing_else() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        let target = Target::open(Path::new(&path), true).expect("a pipe");
        drop(writer);
        let mut sink = WavSink::new(target, Options::default(), None);
        sink.open(format(2, 16)).expect("opened");
        sink.write(&[0.5; 4]).expect("written");
        sink.finish().expect("finished");
        drop(sink);
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut &reader, &mut bytes).expect("read");
        assert_eq!(bytes.len(), 44 + 8);
        assert_eq!(bytes[4..8], [0xFF; 4]);
    }

    #[test]
    fn a_reader_that_went_away_is_told_from_a_disk_that_failed() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        let target = Target::open(Path::new(&path), true).expect("a pipe");
        drop(reader);
        let mut sink = WavSink::new(target, Options::default(), None);
        let problem = sink.open(format(2, 16)).expect_err("nobody reads");
        assert_eq!(problem.kind, Kind::ClosedPipe);
    }
}
