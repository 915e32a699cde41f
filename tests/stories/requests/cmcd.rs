//! CMCD (CTA-5004): what is told, how it is written, to whom; and that nothing
//! else changes.

use super::MASTER;
use crate::cache::offline;
use crate::origin::{Origin, Request};
use crate::{dump, expected_of, stage};

const LIST: &str = "/hls/aac.m3u8";
const HEADERS: [&str; 4] = ["cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"];

/// The argument of the query, decoded; what stands in front of it.
fn argument(request: &Request) -> (String, String) {
    let query = request.query.clone().unwrap_or_default();
    let (before, text) = query.split_once("CMCD=").expect("an argument");
    for (plain, encoded) in [(",", "%2C"), ("=", "%3D"), ("\"", "%22")] {
        assert!(!text.contains(plain), "{plain} in {query}");
        assert!(encoded == "%2C" || text.contains(encoded), "{query}");
    }
    let text = text
        .replace("%2C", ",")
        .replace("%3D", "=")
        .replace("%22", "\"");
    (before.to_owned(), text)
}

/// What is told without what only a clock knows: the measured throughput.
fn without_rate(text: &str) -> String {
    let is_rate = |pair: &&str| pair.starts_with("mtp=");
    if let Some(rate) = text.split(',').find(is_rate) {
        assert!(rate.ends_with("00"), "{rate} is not rounded");
    }
    let rest: Vec<_> = text.split(',').filter(|pair| !is_rate(pair)).collect();
    rest.join(",")
}

/// The session's id; that of every request is the same, and a random UUID.
fn session(origin: &Origin) -> String {
    let told = |request: &Request| {
        let header = request.header("cmcd-session").map(str::to_owned);
        let text = header.unwrap_or_else(|| argument(request).1);
        let at = text.find("sid=\"").expect("an id") + 5;
        text[at..at + 36].to_owned()
    };
    let mut all: Vec<_> = origin.log().iter().map(told).collect();
    all.dedup();
    let [id] = &all[..] else {
        panic!("one id: {all:?}")
    };
    let groups: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
    assert_eq!(&id[14..15], "4", "version of {id}");
    assert!("89ab".contains(&id[19..20]), "variant of {id}");
    id.clone()
}

/// What each path is told with, without `sid` and in one line.
fn wanted() -> Vec<(String, String)> {
    let mut all = vec![
        (LIST.to_owned(), String::new()),
        ("/hls/aac128.m3u8".to_owned(), "ot=m,sf=h".to_owned()),
        (
            "/hls/aac128-init.mp4".to_owned(),
            "ot=i,sf=h,st=v".to_owned(),
        ),
    ];
    all.extend((0..6).map(|number| {
        let duration = if number == 5 { 23 } else { 603 };
        (
            format!("/hls/aac128-{number}.m4s"),
            format!("br=142,d={duration},ot=a,sf=h,st=v,tb=142"),
        )
    }));
    all
}

#[test]
fn headers_hold_their_keys_sorted() {
    let (origin, sandbox) = stage();
    let url = origin.url(LIST);
    let words = ["cache", &url, "-Q", "1", "--cmcd", "header"];
    sandbox.kithara(words).run();
    let id = session(&origin);
    for (path, keys) in wanted() {
        let [request] = &origin.requests(&path)[..] else {
            panic!("one request for {path}")
        };
        let [object, asked, session, status] = HEADERS.map(|name| request.header(name));
        let of = |names: &[&str]| {
            let is_one = |pair: &&str| names.contains(&pair.split('=').next().unwrap_or_default());
            let pairs: Vec<_> = keys.split(',').filter(is_one).collect();
            Some(pairs.join(",")).filter(|text| !text.is_empty())
        };
        assert_eq!(object, of(&["br", "d", "ot", "tb"]).as_deref(), "{path}");
        let before = of(&["sf"]).map_or(String::new(), |text| text + ",");
        let after = of(&["st"]).map_or(String::new(), |text| format!(",{text}"));
        let want = format!("{before}sid=\"{id}\"{after}");
        assert_eq!(session, Some(want.as_str()), "{path}");
        // What is only stored has no buffer and no haste.
        assert_eq!(without_rate(asked.unwrap_or_default()), "", "{path}");
        assert_eq!((status, request.query.as_deref()), (None, None), "{path}");
    }
}

#[test]
fn the_query_holds_one_argument_behind_all_others() {
    let (origin, sandbox) = stage();
    let url = origin.url(LIST) + "?token=hush";
    let words = [
        "cache",
        &url,
        "-Q",
        "1",
        "--cmcd",
        "query",
        "--query-param",
        "k=v",
    ];
    sandbox.kithara(words).run();
    let id = session(&origin);
    for (path, keys) in wanted() {
        let [request] = &origin.requests(&path)[..] else {
            panic!("one request for {path}")
        };
        let (before, text) = argument(request);
        let typed = if path == LIST {
            "token=hush&k=v&"
        } else {
            "k=v&"
        };
        assert_eq!(before, typed, "{path}");
        let mut pairs: Vec<_> = keys.split(',').filter(|pair| !pair.is_empty()).collect();
        let sid = format!("sid=\"{id}\"");
        pairs.push(&sid);
        pairs.sort_unstable();
        assert_eq!(without_rate(&text), pairs.join(","), "{path}");
        assert!(HEADERS.iter().all(|name| request.header(name).is_none()));
    }
}

#[test]
fn every_run_has_a_session_of_its_own() {
    let (origin, sandbox) = stage();
    let url = origin.url(LIST);
    let mut ids = Vec::new();
    for _ in 0..2 {
        origin.clear_log();
        dump(&sandbox, &url, &["--no-cache", "--cmcd", "header"]);
        ids.push(session(&origin));
    }
    assert_ne!(ids[0], ids[1]);
    // Runs of one process are sessions, too.
    origin.clear_log();
    let words = [
        "stats", &url, "-n", "2", "--length", "0.2", "--cmcd", "header",
    ];
    sandbox.kithara(words).prints().run();
    let told = origin
        .log()
        .into_iter()
        .filter(|request| request.path == LIST);
    let told: Vec<_> = told
        .map(|request| request.headers["cmcd-session"].clone())
        .collect();
    assert!(told.len() == 2 && told[0] != told[1], "{told:?}");
}

#[test]
fn the_cache_is_the_same_with_and_without() {
    let (origin, sandbox) = stage();
    let url = origin.url("/hls/aac128.m3u8");
    sandbox.kithara(["cache", &url, "--cmcd", "query"]).run();
    origin.clear_log();
    let whole = expected_of("hls/aac128.m3u8");
    whole.check(&dump(&sandbox, &url, &["--refresh"]));
    let log = origin.log();
    assert!(log.iter().all(|request| request.status == 304), "{log:?}");
    // And nothing is told by a run that was not asked to.
    assert!(log.iter().all(|request| request.query.is_none()), "{log:?}");
    let is_silent = |request: &Request| HEADERS.iter().all(|name| request.header(name).is_none());
    assert!(log.iter().all(is_silent), "{log:?}");
    origin.shut_down();
    offline(&sandbox, &url, "hls/aac128.m3u8");
}

#[test]
fn what_is_played_tells_its_buffer_and_its_haste() {
    let (origin, sandbox) = stage();
    // Asked for again a second later, while the three before it are heard.
    origin
        .on("/hls/aac128-3.m4s")
        .status(503)
        .retry_after("1")
        .times(1);
    let url = origin.url("/hls/aac128.m3u8");
    let words = ["stats", &url, "--cmcd", "header", "--json"];
    let run = sandbox.kithara(words).prints().chatty().run();
    assert_eq!(run.json()["playback"]["rebuffer"]["count"], 0);
    let told = |path: &str, number: usize| {
        let request = &origin.requests(path)[number];
        let text = request.header("cmcd-request").unwrap_or_default();
        without_rate(text)
    };
    assert_eq!(told("/hls/aac128.m3u8", 0), "su");
    assert_eq!(told("/hls/aac128-init.mp4", 0), "su");
    assert_eq!(told("/hls/aac128-0.m4s", 0), "bl=0,dl=0,su");
    let late = told("/hls/aac128-3.m4s", 1);
    let pairs: Vec<_> = late
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let [("bl", buffer), ("dl", deadline)] = pairs[..] else {
        panic!("a buffer and a deadline, no haste: {late}")
    };
    assert!(buffer.ends_with("00") && buffer == deadline, "{late}");
    let buffer: u32 = buffer.parse().expect("a number");
    assert!((100..=1_800).contains(&buffer), "{late}");
}

#[test]
fn the_server_behind_a_redirect_is_told_too() {
    let (home, sandbox) = stage();
    let away = Origin::start();
    let target = away.url("/hls/aac128-2.m4s") + "?CMCD=stale";
    home.on("/hls/aac128-2.m4s").redirect(&target);
    let url = home.url("/hls/aac128.m3u8");
    dump(&sandbox, &url, &["--cmcd", "query"]);
    assert_eq!(session(&home), session(&away));
    let (before, text) = argument(&away.log()[0]);
    assert_eq!(before, "", "one argument, and it is ours: {text}");
    assert!(text.contains("ot=a"), "{text}");
}

#[test]
fn a_word_that_is_no_way_to_tell_is_refused() {
    let (origin, sandbox) = stage();
    let url = origin.url(MASTER);
    sandbox
        .kithara(["info", &url, "--cmcd", "body"])
        .fails(2, &["--cmcd", "query"])
        .run();
    assert!(origin.log().is_empty());
}
