//! Keys, values and how they are written, by the examples of CTA-5004.

use std::time::Instant;

use super::*;
use crate::stats::VariantRow;

const SESSION: &str = "6e2fb550-c457-11e9-bb97-0800200c9a66";

fn full() -> Facts {
    Facts {
        buffer_ms: Some(21_300),
        bit_rate_kbps: Some(3_200),
        is_starved: true,
        duration_ms: Some(4_004),
        deadline_ms: Some(18_500),
        throughput_kbps: Some(48_100),
        object: Some("a"),
        format: Some("h"),
        kind: Some("v"),
        is_urgent: true,
        top_rate_kbps: Some(6_000),
    }
}

fn segment() -> Request {
    let url = Url::parse("https://h/s?key=1").expect("a URL");
    Request {
        variant: Some(0),
        heard: Some(MediaTime::from_seconds(6.0)..MediaTime::from_seconds(12.006)),
        ..Request::new(RequestKind::Segment, url)
    }
}

fn row(bandwidth: u64, decodable: bool, with_pictures: bool) -> VariantRow {
    VariantRow {
        bandwidth,
        average_bandwidth: None,
        codecs: None,
        decodable,
        with_pictures,
    }
}

fn sent(cmcd: &Cmcd, request: &Request, stats: &Stats) -> (String, HeaderMap) {
    let (mut target, mut headers) = (request.url.clone(), HeaderMap::new());
    cmcd.add_to(request, stats, &mut target, &mut headers);
    (target.to_string(), headers)
}

#[test]
fn keys_are_sorted_strings_quoted_and_flags_bare() {
    let pairs = full().pairs(SESSION);
    let want = format!(
        "bl=21300,br=3200,bs,d=4004,dl=18500,mtp=48100,ot=a,sf=h,sid=\"{SESSION}\",st=v,su,tb=6000"
    );
    assert_eq!(joined(pairs.iter()), want);
    let of = |group| joined(pairs.iter().filter(|pair| pair.group == group));
    assert_eq!(of(Group::Object), "br=3200,d=4004,ot=a,tb=6000");
    assert_eq!(of(Group::Request), "bl=21300,dl=18500,mtp=48100,su");
    assert_eq!(of(Group::Session), format!("sf=h,sid=\"{SESSION}\",st=v"));
    assert_eq!(of(Group::Status), "bs");
    let nothing = Facts::default().pairs(SESSION);
    assert_eq!(joined(nothing.iter()), format!("sid=\"{SESSION}\""));
}

#[test]
fn a_query_keeps_what_it_says_and_has_one_argument_more() {
    let cases = [
        ("https://h/a", "https://h/a?CMCD=su%2Csid%3D%22x%22"),
        (
            "https://h/a?k=%2F+1&b",
            "https://h/a?k=%2F+1&b&CMCD=su%2Csid%3D%22x%22",
        ),
        (
            "https://h/a?CMCD=old%2Csu&k=1",
            "https://h/a?k=1&CMCD=su%2Csid%3D%22x%22",
        ),
        ("https://h/a?#f", "https://h/a?CMCD=su%2Csid%3D%22x%22#f"),
    ];
    for (before, want) in cases {
        let mut url = Url::parse(before).expect("a URL");
        set_argument(&mut url, "su,sid=\"x\"");
        assert_eq!(url.as_str(), want, "{before}");
    }
}

#[test]
fn the_figures_are_those_of_the_run() {
    let stats = Stats::new(Instant::now());
    let cmcd = Cmcd::new(CmcdMode::Header, true);
    {
        let mut lists = stats.lists();
        lists.kind = "hls-live";
        lists.variants = vec![
            row(141_100, true, false),
            row(900_000, false, false),
            row(256_000, true, false),
            row(5_000_000, true, true),
        ];
    }
    stats.estimate.store(3_149_000, Ordering::Relaxed);
    stats.output_rate.store(48_000, Ordering::Relaxed);
    stats.fetched_until.set(MediaTime::from_seconds(5.96));
    let (_, headers) = sent(&cmcd, &segment(), &stats);
    let text = |headers: &HeaderMap, name| {
        let value = headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    // Nothing was heard yet: it is urgent.
    let want = "bl=6000,dl=6000,mtp=3100,su";
    assert_eq!(text(&headers, "CMCD-Request").as_deref(), Some(want));
    let want = "br=142,d=6006,ot=a,tb=256";
    assert_eq!(text(&headers, "CMCD-Object").as_deref(), Some(want));
    let want = format!("sf=h,sid=\"{}\",st=l", cmcd.session);
    assert_eq!(text(&headers, "CMCD-Session"), Some(want));
    assert_eq!(text(&headers, "CMCD-Status"), None);
    // Two seconds are heard, and there was a stall: that is told once.
    stats.frames_played.add(96_000);
    stats.playhead.store(96_000, Ordering::Relaxed);
    stats.rebuffers.add(1);
    for status in [Some("bs"), None] {
        let (_, headers) = sent(&cmcd, &segment(), &stats);
        let want = "bl=4000,dl=4000,mtp=3100";
        assert_eq!(text(&headers, "CMCD-Request").as_deref(), Some(want));
        assert_eq!(text(&headers, "CMCD-Status").as_deref(), status);
    }
}

#[test]
fn what_is_only_fetched_tells_nothing_of_a_buffer() {
    let stats = Stats::new(Instant::now());
    stats.fetched_until.set(MediaTime::from_seconds(60.0));
    stats.lists().kind = "hls-vod";
    let cmcd = Cmcd::new(CmcdMode::Query, false);
    let session = &cmcd.session;
    let (url, headers) = sent(&cmcd, &segment(), &stats);
    assert_eq!(
        url,
        format!(
            "https://h/s?key=1&CMCD=d%3D6006%2Cot%3Da%2Csf%3Dh%2Csid%3D%22{session}%22%2Cst%3Dv"
        )
    );
    assert!(headers.is_empty());
}

#[test]
fn every_kind_of_request_has_its_letter_once_it_is_known() {
    let letters = RequestKind::ALL.map(|kind| object(kind, ""));
    let want = [Some("m"), Some("m"), Some("i"), Some("k"), Some("a"), None];
    assert_eq!(letters, want);
    assert_eq!(object(RequestKind::File, "file"), Some("a"));
    assert_eq!(format(RequestKind::File, "file"), Some("o"));
    assert_eq!(format(RequestKind::File, ""), None);
    assert_eq!(format(RequestKind::Key, ""), Some("h"));
}

#[test]
fn a_session_is_named_by_a_random_uuid() {
    assert_eq!(uuid(0, 0), "00000000-0000-4000-8000-000000000000");
    assert_eq!(
        uuid(u64::MAX, u64::MAX),
        "ffffffff-ffff-4fff-bfff-ffffffffffff"
    );
    assert_eq!(
        uuid(0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef),
        "01234567-89ab-4def-8123-456789abcdef"
    );
    assert_ne!(random_uuid(), random_uuid());
}
