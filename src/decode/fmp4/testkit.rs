//! A small writer of boxes, initialisation sections and segments, for the tests.

/// Track id of the sound.
pub const SOUND: u32 = 2;
/// Track id of the video beside it.
pub const VIDEO: u32 = 1;
/// Track id of another sound.
pub const OTHER: u32 = 3;

/// A box.
pub fn boxed(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 8).expect("a small box");
    [&size.to_be_bytes(), &kind[..], payload].concat()
}

/// A box with version and flags.
pub fn full(kind: &[u8; 4], version: u8, flags: u32, payload: &[u8]) -> Vec<u8> {
    let word = (u32::from(version) << 24 | flags).to_be_bytes();
    boxed(kind, &[&word, payload].concat())
}

/// An audio sample entry of stereo sound at 44.1 kHz; `version` as QuickTime counts.
pub fn sample_entry(kind: &[u8; 4], version: u8, children: &[u8]) -> Vec<u8> {
    let more = [0, 16, 36][usize::from(version)];
    let fixed = [
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, version][..],
        &[0; 6],
        &[0, 2, 0, 16, 0, 0, 0, 0],
        &(44_100_u32 << 16).to_be_bytes(),
        &vec![0; more],
    ];
    boxed(kind, &[&fixed.concat(), children].concat())
}

/// An elementary stream descriptor with an `AudioSpecificConfig`.
pub fn esds(object_type: u8, config: &[u8]) -> Vec<u8> {
    let length = u8::try_from(config.len()).expect("a small configuration");
    let specific = [&[5, length], config].concat();
    let decoder = [&[4, 13 + 2 + length, object_type], &[0; 12][..], &specific].concat();
    // The length of the outermost one in four bytes, as QuickTime writes it.
    let stream = [
        &[3, 0x80, 0x80, 0x80, 3 + 2 + 15 + length],
        &[0, 1, 0][..],
        &decoder,
    ]
    .concat();
    full(b"esds", 0, 0, &stream)
}

/// The configuration of an ALAC decoder.
pub fn alac_cookie(frame_length: u32, bits: u8, channels: u8, rate: u32) -> Vec<u8> {
    let tuning = [0, bits, 40, 10, 14, channels, 0, 255];
    let cookie = [
        &frame_length.to_be_bytes(),
        &tuning[..],
        &[0; 8],
        &rate.to_be_bytes(),
    ];
    cookie.concat()
}

/// Access units of these sizes.
pub fn units(sizes: &[usize]) -> Vec<Vec<u8>> {
    let numbered = sizes.iter().enumerate();
    numbered.map(|(index, &size)| unit(index, size)).collect()
}

/// The bytes of the access unit with this index.
pub fn unit(index: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| (index * 31 + at) as u8).collect()
}

/// An initialisation section of a sound and a video track.
#[derive(Clone, Debug)]
pub struct Movie {
    /// Sample entry of the sound.
    pub entry: Vec<u8>,
    /// Sample entry of another sound track before it.
    pub other: Option<Vec<u8>>,
    /// Ticks per second of the sound.
    pub timescale: u32,
    /// Edits of the sound: length in milliseconds, start in ticks.
    pub edits: Vec<(u64, i64)>,
    /// Version of the edit list box.
    pub edit_version: u8,
    /// Without `mvex`: no fragments.
    pub plain: bool,
    /// Access units listed in the section itself.
    pub own_samples: u32,
}

impl Default for Movie {
    fn default() -> Self {
        Self {
            entry: sample_entry(b"mp4a", 0, &esds(0x40, &[0x12, 0x10])),
            other: None,
            timescale: 44_100,
            edits: Vec::new(),
            edit_version: 0,
            plain: false,
            own_samples: 0,
        }
    }
}

impl Movie {
    /// The section.
    pub fn bytes(&self) -> Vec<u8> {
        let brands: &[u8] = if self.plain {
            b"isom\0\0\0\0mp41"
        } else {
            b"iso6\0\0\0\0cmfc"
        };
        let header = full(
            b"mvhd",
            0,
            0,
            &[&[0; 8], &1000_u32.to_be_bytes()[..], &[0; 84]].concat(),
        );
        let video = trak(VIDEO, b"vide", 90_000, &boxed(b"avc1", &[0; 78]), 0, &[]);
        let sound = trak(
            SOUND,
            b"soun",
            self.timescale,
            &self.entry,
            self.own_samples,
            &self.edit_box(),
        );
        let extends = boxed(b"mvex", &[trex(VIDEO, 3000), trex(SOUND, 1024)].concat());
        let other = self.other.as_ref();
        let other = other.map(|entry| trak(OTHER, b"soun", 48_000, entry, 0, &[]));
        let mut movie = [header, video, other.unwrap_or_default(), sound].concat();
        if !self.plain {
            movie.extend(extends);
        }
        [boxed(b"ftyp", brands), boxed(b"moov", &movie)].concat()
    }

    fn edit_box(&self) -> Vec<u8> {
        if self.edits.is_empty() {
            return Vec::new();
        }
        let mut list = u32::try_from(self.edits.len())
            .expect("few")
            .to_be_bytes()
            .to_vec();
        for &(length, start) in &self.edits {
            if self.edit_version == 1 {
                list.extend_from_slice(&length.to_be_bytes());
                list.extend_from_slice(&start.to_be_bytes());
            } else {
                list.extend_from_slice(&u32::try_from(length).expect("short").to_be_bytes());
                list.extend_from_slice(&i32::try_from(start).expect("short").to_be_bytes());
            }
            list.extend_from_slice(&[0, 1, 0, 0]);
        }
        boxed(b"edts", &full(b"elst", self.edit_version, 0, &list))
    }
}

fn trak(
    id: u32,
    handler: &[u8; 4],
    timescale: u32,
    entry: &[u8],
    samples: u32,
    edits: &[u8],
) -> Vec<u8> {
    let tkhd = full(
        b"tkhd",
        0,
        3,
        &[&[0; 8], &id.to_be_bytes()[..], &[0; 68]].concat(),
    );
    let mdhd = full(
        b"mdhd",
        0,
        0,
        &[&[0; 8], &timescale.to_be_bytes()[..], &[0; 8]].concat(),
    );
    let hdlr = full(b"hdlr", 0, 0, &[&[0; 4], &handler[..], &[0; 13]].concat());
    let stsd = full(b"stsd", 0, 0, &[&1_u32.to_be_bytes()[..], entry].concat());
    let stsz = full(b"stsz", 0, 0, &[[0; 4], samples.to_be_bytes()].concat());
    let minf = boxed(b"minf", &boxed(b"stbl", &[stsd, stsz].concat()));
    let mdia = boxed(b"mdia", &[mdhd, hdlr, minf].concat());
    boxed(b"trak", &[&tkhd, edits, &mdia].concat())
}

/// What fragments of a track leave out.
pub fn trex(id: u32, duration: u32) -> Vec<u8> {
    let fields: Vec<u8> = [id, 1, duration, 0, 0]
        .iter()
        .flat_map(|word| word.to_be_bytes())
        .collect();
    full(b"trex", 0, 0, &fields)
}

/// A `moof` and its `mdat`.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// Decode time of the first unit; no `tfdt` when `None`.
    pub time: Option<u64>,
    /// The units of sound.
    pub units: Vec<Vec<u8>>,
    /// Bytes of video before and after the sound.
    pub video: usize,
    /// `mdat` with a 64-bit size.
    pub long_mdat: bool,
    /// `mdat` of size 0: to the end of the file.
    pub open_mdat: bool,
    /// `mdat` that ends before its last unit.
    pub short_mdat: bool,
    /// Another offset than the right one.
    pub data_offset: Option<u32>,
    /// With a `senc` box.
    pub encrypted: bool,
}

impl Segment {
    /// The fragment.
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.moof(0).len()).expect("a small box");
        let header: u32 = if self.long_mdat { 16 } else { 8 };
        [self.moof(length + header), self.mdat()].concat()
    }

    fn moof(&self, data: u32) -> Vec<u8> {
        let video = u32::try_from(self.video).expect("small");
        let offset = self.data_offset.unwrap_or(data + video);
        let sound = self.traf(
            SOUND,
            offset,
            &self.units.iter().map(Vec::len).collect::<Vec<_>>(),
        );
        let tracks = match self.video {
            0 => sound,
            size => [self.traf(VIDEO, data, &[size]), sound].concat(),
        };
        boxed(b"moof", &[full(b"mfhd", 0, 0, &[0; 4]), tracks].concat())
    }

    fn traf(&self, id: u32, offset: u32, sizes: &[usize]) -> Vec<u8> {
        let mut children = full(b"tfhd", 0, 0x2_0000, &id.to_be_bytes());
        if let (SOUND, Some(time)) = (id, self.time) {
            children.extend(full(b"tfdt", 1, 0, &time.to_be_bytes()));
        }
        let mut run = u32::try_from(sizes.len())
            .expect("few")
            .to_be_bytes()
            .to_vec();
        run.extend_from_slice(&offset.to_be_bytes());
        for &size in sizes {
            run.extend_from_slice(&u32::try_from(size).expect("small").to_be_bytes());
        }
        children.extend(full(b"trun", 0, 0x201, &run));
        if self.encrypted {
            children.extend(full(b"senc", 0, 0, &[0; 4]));
        }
        boxed(b"traf", &children)
    }

    fn mdat(&self) -> Vec<u8> {
        let units = self.units.concat();
        let video = vec![0xEE; self.video];
        let payload: Vec<u8> = [video.clone(), units, video].concat();
        let size = payload.len() as u64;
        match (self.long_mdat, self.open_mdat, self.short_mdat) {
            (true, _, _) => [&b"\0\0\0\x01mdat"[..], &(size + 16).to_be_bytes(), &payload].concat(),
            (_, true, _) => [&b"\0\0\0\0mdat"[..], &payload].concat(),
            (_, _, true) => {
                let short = u32::try_from(size + 7).expect("small").to_be_bytes();
                [&short[..], b"mdat", &payload].concat()
            }
            _ => boxed(b"mdat", &payload),
        }
    }
}
