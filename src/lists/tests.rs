use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// Addresses and titles, or the kind of what refuses an entry or all of them.
fn told(bytes: &[u8], base: &str) -> Vec<String> {
    let base = Location::parse(base).expect("an address");
    let entries = match read(bytes, &base) {
        Ok(entries) => entries,
        Err(problem) => return vec![problem.kind.code().to_owned()],
    };
    entries
        .iter()
        .map(|entry| match entry {
            Err(problem) => problem.kind.code().to_owned(),
            Ok(entry) => {
                let address = match &entry.location {
                    Location::Http(url) => url.to_string(),
                    Location::File(path) => path.display().to_string(),
                };
                match &entry.title {
                    Some(title) => format!("{address} {title}"),
                    None => address,
                }
            }
        })
        .collect()
}

#[test]
fn an_m3u_is_an_address_a_line_with_titles_before_them() {
    let list = b"\xEF\xBB\xBF#EXTM3U\r\n#EXTINF:-1 logo=\"a,b\",One,  two\r\nhttp://g/1?a=b#c\r\n\
        #EXTINF:12,\nsub/2.mp3\n#EXTINF:3,\x1b[2Jthree\n# a comment\n//g/3\n\n../4 x.mp3\nfile:///etc/passwd\n";
    let want = [
        "http://g/1?a=b One, two",
        "http://h/a/sub/2.mp3",
        "http://g/3 \\u{1b}[2Jthree",
        "http://h/4%20x.mp3",
        "unsafe",
    ];
    assert_eq!(told(list, "http://h/a/list.m3u?t=1"), want);
    assert_eq!(told(b"b\xE4r.mp3", "http://h/"), ["http://h/b%C3%A4r.mp3"]);
    assert_eq!(
        told(b"#EXTM3U\n#EXTINF:1,a\n", "http://h/"),
        ["not_a_stream"]
    );
}

#[test]
fn a_pls_is_ordered_by_its_numbers() {
    let list = b"; a station\n[Playlist]\nNumberOfEntries=9\nFile10=http://g/10\nfile2=two.mp3\n\
        TITLE2 = The second\nTitle3=nothing\nFile99999999999=http://g/x\nFile4=\n[other]\nFile1=no\n";
    let want = ["http://h/two.mp3 The second", "http://g/10"];
    assert_eq!(told(list, "http://h/l.pls"), want);
}

#[test]
fn an_xspf_is_read_with_its_references_and_refused_with_others() {
    let list = r#"<?xml version="1.0" encoding="UTF-8"?><!-- <track> -->
        <playlist version="1" xmlns="http://xspf.org/ns/0/"><title>All</title>
        <trackList><track a="x>y"><location>
          http://g/1?a=1&amp;b=2 </location><location>http://g/other</location>
          <creator>A &#x26; <![CDATA[B & C]]></creator><title>T</title>
          <extension application="x"><location>http://g/ext</location></extension></track>
        <x:track xmlns:x="y"><x:location>a%20b.mp3</x:location></x:track>
        <track><title>no location</title></track><track/></trackList></playlist>"#;
    let want = ["http://g/1?a=1&b=2 A & B & C - T", "http://h/a%20b.mp3"];
    assert_eq!(told(list.as_bytes(), "http://h/l.xspf"), want);
    let wrong = [
        "<!DOCTYPE playlist [<!ENTITY a \"b\">]><playlist/>",
        "<playlist><trackList></playlist>",
        "<playlist>&none;</playlist>",
        "<playlist>&#0;</playlist>",
        "<playlist><trackList>",
        "<playlist/><playlist/>",
        "<playlist/>text",
        "<playlist>< a/></playlist>",
        "<playlist><a b='></playlist>",
    ];
    for list in wrong {
        let rows = xspf::rows(list);
        assert!(rows.is_err(), "{list}: {rows:?}");
    }
    let deep = format!("<playlist>{}", "<a>".repeat(40));
    assert!(xspf::rows(&deep).is_err_and(|why| why.contains("deeper")));
}

#[test]
fn a_local_list_names_files_as_they_are_and_only_below_itself() {
    let list =
        b"#EXTM3U\n#1.mp3\nwhat? 100%41 a:b.mp3\n/music/sub/x.mp3\nfile:///music/a%20b.mp3\n\
        http://h/radio\n../out.mp3\n/etc/passwd\nfile:///etc/passwd\n\\\\host\\share\nftp://h/a\n";
    let want = [
        "/music/what? 100%41 a:b.mp3",
        "/music/sub/x.mp3",
        "/music/a b.mp3",
        "http://h/radio",
        "unsafe",
        "unsafe",
        "unsafe",
        "unsafe",
        "unsafe",
    ];
    assert_eq!(told(list, "/music/list.m3u"), want);
    let list = b"<playlist><trackList><track><location>a%20b.mp3</location></track></trackList></playlist>";
    assert_eq!(told(list, "list.xspf"), ["a b.mp3"]);
    let here = std::env::current_dir().expect("a folder").join("x.mp3");
    let base = Location::File(PathBuf::from("list.m3u"));
    let entries = read(here.to_string_lossy().as_bytes(), &base).expect("a list");
    let entry = entries[0].as_ref().expect("an entry");
    assert_eq!(entry.location, Location::File(PathBuf::from("x.mp3")));
}

#[test]
fn a_list_is_told_by_its_content_and_a_bare_one_by_its_name() {
    let forms: [(&[u8], Option<Form>); 9] = [
        (b"\xEF\xBB\xBF#EXTM3U\n", Some(Form::M3u)),
        (b"# a\n\n#EXTM3U x=y\n", Some(Form::M3u)),
        (b"http://h/\n#EXTM3U\n", None),
        (b"\r\n; a\n[playlist]\n", Some(Form::Pls)),
        (b"[other]\n[playlist]\n", None),
        (b" <?xml version='1.0'?>\n<!-- a --><playlist a='b' ", None),
        (
            b"<?xml version='1.0'?><x:playlist a='b'><tr",
            Some(Form::Xspf),
        ),
        (b"<html><playlist>", None),
        (b"", None),
    ];
    for (head, want) in forms {
        assert_eq!(Form::of(head), want, "{}", String::from_utf8_lossy(head));
    }
    let bare: [(&str, Option<&str>, &[u8], bool); 7] = [
        ("/a.m3u", None, b"http://h/", true),
        ("/a.M3U8", None, b"\xEF\xBB\xBFb\xE4r.mp3\r\n", true),
        ("/a", Some("Audio/X-MpegURL; charset=x"), b"a.mp3", true),
        ("/a.mp3", Some("audio/mpeg"), b"http://h/", false),
        ("/a.m3u", None, b"ID3\x04\0", false),
        ("/a.m3u", None, b" \n", false),
        ("/m3u", None, b"http://h/", false),
    ];
    for (path, kind, head, want) in bare {
        assert_eq!(is_bare(path, kind, head), want, "{path} {kind:?}");
    }
    assert!(is_hls(b"#EXTM3U\r#EXTINF:1,\ra\r #EXT-X-ENDLIST"));
    assert!(!is_hls(b"#EXTM3U\n#EXTINF:1,#EXT-X-\na\n"));
}

#[test]
fn what_is_too_long_is_cut_and_told() {
    let lines = "http://h/a\n".repeat(limits::LIST_ENTRIES + 1);
    let told = told(lines.as_bytes(), "http://h/");
    assert_eq!(told.len(), limits::LIST_ENTRIES + 1);
    assert_eq!(told.last().map(String::as_str), Some("limit"));
    let long = vec![b'a'; limits::LIST_BYTES + 1];
    let base = Location::parse("http://h/").expect("an address");
    assert_eq!(
        read(&long, &base).map_err(|problem| problem.kind),
        Err(Kind::Limit)
    );
}

/// Text that resembles lists closely enough to reach every branch.
fn resembling() -> impl Strategy<Value = String> {
    const WORDS: [&str; 44] = [
        "#EXTM3U",
        "#EXTINF:",
        "-1,",
        "\"",
        ",",
        "[playlist]",
        "File",
        "Title",
        "1",
        "=",
        "http://h/",
        "file:///",
        "../",
        "\\\\",
        "\n",
        "\r",
        "<playlist>",
        "</playlist>",
        "<trackList>",
        "</trackList>",
        "<track>",
        "</track>",
        "<location>",
        "</location>",
        "<title",
        "/>",
        ">",
        "<",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "<!",
        "&amp;",
        "&#x",
        "41;",
        "&",
        ";",
        "é",
        "\u{202e}",
        "%00",
        " ",
    ];
    let word = prop_oneof![
        proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
        ".{0,3}"
    ];
    proptest::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in resembling(), is_remote: bool) {
        let base = if is_remote { "http://h/a/l" } else { "/music/l" };
        let base = Location::parse(base).expect("an address");
        let _ = xspf::rows(&text);
        for entry in read(text.as_bytes(), &base).into_iter().flatten().flatten() {
            if let Location::File(path) = &entry.location {
                prop_assert!(!is_remote, "{path:?}");
                let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
                prop_assert!(path.starts_with("/music") && !climbs, "{path:?}");
            }
            let title = entry.title.unwrap_or_default();
            prop_assert!(!title.contains(['\n', '\r', '\u{202e}', '\u{1b}']), "{title:?}");
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let base = Location::parse("http://h/").expect("an address");
        let _ = (read(&bytes, &base), Form::of(&bytes), is_bare("a.m3u", None, &bytes));
    }
}
