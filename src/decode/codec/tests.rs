//! Every codec with units made here: frames, channel order, changes, damage.

use rusty_aac::{
    AacEncoder, AacEncoderConfig, AdtsHeader, audio_specific_config_bytes, write_adts_header,
};
use symphonia::core::audio::layouts;
use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP3,
    CODEC_ID_PCM_S16LE,
};

use super::*;
use crate::decode::unit::Edit;
use crate::units::{Frames, MediaTime};

const RATE: u32 = 44_100;

fn parameters(codec: AudioCodecId, extra_data: &[u8]) -> AudioCodecParameters {
    let mut parameters = AudioCodecParameters::new();
    parameters.for_codec(codec).with_sample_rate(RATE);
    if !extra_data.is_empty() {
        parameters.with_extra_data(extra_data.into());
    }
    parameters
}

fn decoder(codec: Codec, parameters: AudioCodecParameters) -> Result<Decoder, Problem> {
    Decoder::new(&Track {
        codec,
        parameters,
        edit: Edit::default(),
        duration: None,
    })
}

fn unit(data: &[u8]) -> Unit<'_> {
    Unit {
        data,
        start: MediaTime::ZERO,
        end: MediaTime::ZERO,
        trim_start: Frames(0),
        trim_end: Frames(0),
    }
}

fn frames(decoded: Decoded<'_>) -> (u32, usize, Vec<f32>) {
    match decoded {
        Decoded::Frames(block) => {
            let Spec { rate, channels } = block.spec;
            (rate.hertz(), channels.count(), block.samples.to_vec())
        }
        other => panic!("no frames: {other:?}"),
    }
}

/// A second of a tone, left louder than right, as AAC access units.
fn aac_units() -> Vec<Vec<u8>> {
    let tone = |at: u32| (f64::from(at) * 0.05).sin() as f32;
    let samples: Vec<f32> = (0..RATE)
        .flat_map(|at| [tone(at) * 0.5, tone(at) * 0.25])
        .collect();
    let mut encoder = AacEncoder::new(AacEncoderConfig::default());
    encoder.push_pcm(&samples, 2, RATE).expect("encoded");
    encoder.finish();
    std::iter::from_fn(|| encoder.next_packet().ok())
        .map(|packet| packet.data)
        .collect()
}

fn loudness(samples: &[f32], channel: usize) -> f32 {
    let own = samples.iter().skip(channel).step_by(2);
    let power: f32 = own.clone().map(|sample| sample * sample).sum();
    (power / own.count() as f32).sqrt()
}

#[test]
fn aac_sounds_the_same_bare_and_in_adts_frames() {
    let config = audio_specific_config_bytes(RATE, 2);
    let bare = parameters(CODEC_ID_AAC, &config);
    let mut bare = decoder(Codec::Aac, bare).expect("LC");
    let framed = parameters(CODEC_ID_AAC, &[]);
    let mut framed = decoder(Codec::Aac, framed).expect("ADTS");
    let mut heard = Vec::new();
    for data in aac_units() {
        let header = write_adts_header(&AdtsHeader {
            object_type: 2,
            sample_rate: RATE,
            channels: 2,
            frame_length: 7 + data.len(),
            header_len: 7,
        });
        let (rate, channels, samples) = frames(bare.decode(&unit(&data)));
        assert_eq!((rate, channels, samples.len()), (RATE, 2, 2048));
        let frame = [header.to_vec(), data].concat();
        assert_eq!(
            frames(framed.decode(&unit(&frame))),
            (rate, channels, samples.clone())
        );
        heard.extend(samples);
    }
    let middle = &heard[20_000..60_000];
    for (channel, want) in [(0, 0.3535), (1, 0.1768)] {
        let got = loudness(middle, channel);
        assert!(
            (got - want).abs() < 0.01,
            "channel {channel}: {got} for {want}"
        );
    }
}

#[test]
fn a_garbled_unit_is_bad_or_finite_and_the_next_one_is_heard() {
    let config = audio_specific_config_bytes(RATE, 2);
    let aac = parameters(CODEC_ID_AAC, &config);
    let mut decoder = decoder(Codec::Aac, aac).expect("LC");
    let (mut bad, mut seed) = (0, 1_u32);
    for mut data in aac_units() {
        for _ in 0..8 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (seed >> 8) as usize % data.len();
            data[at] ^= seed as u8;
        }
        match decoder.decode(&unit(&data)) {
            Decoded::Bad(_) => bad += 1,
            Decoded::Nothing => {}
            Decoded::Frames(block) => assert!(!is_absurd(block.samples)),
        }
    }
    assert!(bad > 0, "the damage was real");
    let whole = &aac_units()[20];
    assert_eq!(frames(decoder.decode(&unit(whole))).2.len(), 2048);
    assert_eq!(
        decoder.decode(&unit(&[])),
        Decoded::Bad("it is empty".to_owned())
    );
}

/// One FLAC frame (RFC 9639 section 9) of 192 frames, every channel constant.
fn flac_frame(values: &[i16]) -> Vec<u8> {
    let channels = u8::try_from(values.len()).expect("few");
    let mut frame = vec![0xFF, 0xF8, 0x19, (channels - 1) << 4 | 0x08, 0];
    frame.push(crc(&frame, 8, 0x07).to_be_bytes()[1]);
    for value in values {
        frame.push(0); // a constant subframe
        frame.extend_from_slice(&value.to_be_bytes());
    }
    let check = crc(&frame, 16, 0x8005);
    frame.extend_from_slice(&check.to_be_bytes());
    frame
}

fn crc(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let top = 1 << (bits - 1);
    let mut crc: u16 = 0;
    for &byte in bytes {
        crc ^= u16::from(byte) << (bits - 8);
        for _ in 0..8 {
            let carry = crc & top != 0;
            crc = crc << 1 ^ if carry { polynomial } else { 0 };
        }
    }
    if bits == 8 { crc & 0xFF } else { crc }
}

fn streaminfo(channels: u32) -> Vec<u8> {
    let packed = RATE << 12 | (channels - 1) << 9 | 15 << 4;
    [
        &[0, 192, 0, 192, 0, 0, 0, 0, 0, 0][..],
        &packed.to_be_bytes(),
        &[0; 20],
    ]
    .concat()
}

/// One uncompressed ALAC packet of four frames; `elements` hold their tag and
/// the constant of each of their channels.
fn alac_packet(elements: &[(u32, &[i16])]) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut put = |value: u32, count: u32| {
        bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    };
    for (tag, values) in elements {
        put(*tag, 3);
        put(0, 4 + 12);
        put(0b1001, 4); // a partial frame, no shift, not compressed
        put(4, 32);
        for _ in 0..4 {
            for value in *values {
                put(u32::from(value.cast_unsigned()), 16);
            }
        }
    }
    put(7, 3);
    let byte = |bits: &[bool]| {
        (0..8).fold(0, |byte, at| {
            byte << 1 | u8::from(bits.get(at) == Some(&true))
        })
    };
    bits.chunks(8).map(byte).collect()
}

fn alac_cookie(frame_length: u32, channels: u8) -> Vec<u8> {
    let tuning = [0, 16, 40, 10, 14, channels, 0, 255];
    [
        &frame_length.to_be_bytes(),
        &tuning[..],
        &[0; 8],
        &RATE.to_be_bytes(),
    ]
    .concat()
}

#[test]
fn channels_come_in_wav_order() {
    // As stored: FLAC in WAV order, ALAC as C L R Ls Rs LFE.
    let flac = flac_frame(&[100, 200, 300, 400, 500, 600]);
    let alac = alac_packet(&[(0, &[300]), (1, &[100, 200]), (1, &[500, 600]), (3, &[400])]);
    let pcm: Vec<u8> = [100_i16, 200, 300, 400, 500, 600]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let mut raw = parameters(CODEC_ID_PCM_S16LE, &[]);
    raw.with_channels(layouts::CHANNEL_LAYOUT_5P1)
        .with_bits_per_sample(16);
    let cases = [
        (Codec::Flac, parameters(CODEC_ID_FLAC, &streaminfo(6)), flac),
        (
            Codec::Alac,
            parameters(CODEC_ID_ALAC, &alac_cookie(4096, 6)),
            alac,
        ),
        (Codec::Pcm, raw, pcm),
    ];
    for (codec, parameters, data) in cases {
        let mut decoder = decoder(codec, parameters).expect("a decoder");
        let (rate, channels, samples) = frames(decoder.decode(&unit(&data)));
        assert_eq!((rate, channels), (RATE, 6), "{codec}");
        let first: Vec<f32> = samples[..6]
            .iter()
            .map(|sample| sample * 32_768.0)
            .collect();
        assert_eq!(first, [100.0, 200.0, 300.0, 400.0, 500.0, 600.0], "{codec}");
        assert_eq!(decoder.bits(), 16, "{codec}");
    }
}

#[test]
fn mpeg_audio_may_change_its_layer_rate_and_channels_between_frames() {
    let silent = |header: [u8; 4], length| {
        let mut frame = header.to_vec();
        frame.resize(length, 0);
        frame
    };
    let mut decoder = decoder(Codec::Mp3, parameters(CODEC_ID_MP3, &[])).expect("MP3");
    let cases = [
        (
            "layer II",
            silent([0xFF, 0xFD, 0x40, 0x00], 208),
            (RATE, 2, 1152),
        ),
        (
            "stereo",
            silent([0xFF, 0xFB, 0x90, 0x00], 417),
            (RATE, 2, 1152),
        ),
        (
            "joint stereo",
            silent([0xFF, 0xFB, 0x90, 0x40], 417),
            (RATE, 2, 1152),
        ),
        (
            "mono",
            silent([0xFF, 0xFB, 0x90, 0xC0], 417),
            (RATE, 1, 1152),
        ),
        (
            "22.05 kHz",
            silent([0xFF, 0xF3, 0x40, 0x00], 104),
            (RATE / 2, 2, 576),
        ),
        (
            "layer II again",
            silent([0xFF, 0xFD, 0x40, 0x00], 208),
            (RATE, 2, 1152),
        ),
    ];
    for (case, data, (rate, channels, length)) in cases {
        let (got_rate, got_channels, samples) = frames(decoder.decode(&unit(&data)));
        let got = (got_rate, got_channels, samples.len());
        assert_eq!(got, (rate, channels, length * channels), "{case}");
    }
    assert_eq!(decoder.bits(), 16);
}

#[test]
fn adpcm_is_told_how_many_frames_its_unit_has() {
    let mut adpcm = parameters(CODEC_ID_ADPCM_IMA_WAV, &[]);
    adpcm
        .with_channels(layouts::CHANNEL_LAYOUT_MONO)
        .with_max_frames_per_packet(9);
    adpcm.with_frames_per_block(9);
    let mut decoder = decoder(Codec::Other, adpcm).expect("ADPCM");
    let mut block = unit(&[0, 16, 0, 0, 0, 0, 0, 0]);
    block.end = Frames(9).time(SampleRate::new(RATE).expect("an allowed rate"));
    let (_, channels, samples) = frames(decoder.decode(&block));
    assert_eq!((channels, samples.len(), samples[0]), (1, 9, 0.125));
}

#[cfg(feature = "opus")]
#[test]
fn opus_leaves_its_pre_skip_to_the_caller_and_obeys_its_gain() {
    use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
    let head = |gain: i16| {
        let gain = gain.to_le_bytes();
        [&b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0"[..], &gain, &[0]].concat()
    };
    let packet = [0xF8, 0xFF, 0xFE, 0x55, 0xAA, 0x12, 0x34, 0x56]; // CELT, 20 ms: noise
    let loudest = |gain| {
        let mut parameters = parameters(CODEC_ID_OPUS, &head(gain));
        parameters
            .with_sample_rate(48_000)
            .with_channels(layouts::CHANNEL_LAYOUT_MONO);
        let mut decoder = decoder(Codec::Opus, parameters).expect("Opus");
        let (rate, channels, samples) = frames(decoder.decode(&unit(&packet)));
        assert_eq!((rate, channels, samples.len()), (48_000, 1, 960));
        samples
            .iter()
            .fold(0.0_f32, |most, sample| most.max(sample.abs()))
    };
    let (plain, halved) = (loudest(0), loudest(-1541)); // -6.02 dB
    assert!(
        plain > 0.0 && (halved / plain - 0.5).abs() < 1e-3,
        "{plain} {halved}"
    );
}

#[test]
fn hostile_configurations_are_refused_before_they_allocate() {
    let mut long = parameters(CODEC_ID_FLAC, &streaminfo(2));
    long.with_max_frames_per_packet(1 << 40);
    let cases = [
        (
            Codec::Alac,
            parameters(CODEC_ID_ALAC, &alac_cookie(u32::MAX, 2)),
            Kind::Limit,
        ),
        (
            Codec::Alac,
            parameters(CODEC_ID_ALAC, &[0; 3]),
            Kind::Malformed,
        ),
        (Codec::Flac, long, Kind::Limit),
        (
            Codec::Flac,
            parameters(CODEC_ID_FLAC, &[]),
            Kind::Unsupported,
        ),
        (
            Codec::Vorbis,
            parameters(CODEC_ID_FLAC, &[]),
            Kind::Unsupported,
        ),
    ];
    for (codec, parameters, kind) in cases {
        let problem = decoder(codec, parameters).err().expect("refused");
        assert_eq!(problem.kind, kind, "{codec}: {problem}");
    }
}

#[test]
fn what_is_not_a_sample_is_absurd() {
    let cases = [
        (0.0, false),
        (-1.2, false),
        (4.0, false),
        (4.1, true),
        (-5.0, true),
        (f32::INFINITY, true),
        (f32::NEG_INFINITY, true),
        (f32::NAN, true),
    ];
    for (sample, want) in cases {
        for at in [0, 500, 1023] {
            let mut samples = [0.5; 1024];
            samples[at] = sample;
            assert_eq!(is_absurd(&samples), want, "{sample} at {at}");
        }
    }
}
