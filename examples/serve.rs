//! A small HTTP/1.1 server for trying kithara on this machine: the files of one
//! folder on loopback, with ranges. For `make demo`, not for the network.
//!
//! `serve DIR [--port N] [--port-file FILE]` serves until it is stopped, and
//! writes the port it took to FILE.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let usage = || io::Error::other("usage: serve DIR [--port N] [--port-file FILE]");
    let mut arguments = std::env::args().skip(1);
    let root: Arc<Path> = PathBuf::from(arguments.next().ok_or_else(usage)?).into();
    let (mut port, mut port_file) = (0, None);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or_else(usage)?;
        match flag.as_str() {
            "--port" => port = value.parse().map_err(|_| usage())?,
            "--port-file" => port_file = Some(value),
            _ => return Err(usage()),
        }
    }
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let address = listener.local_addr()?;
    if let Some(file) = port_file {
        // Written aside and renamed: whoever waits for the file never reads half of it.
        let partial = format!("{file}.part");
        fs::write(&partial, address.port().to_string())?;
        fs::rename(partial, file)?;
    }
    eprintln!("serving {} on http://{address}/", root.display());
    for stream in listener.incoming() {
        let (stream, root) = (stream?, Arc::clone(&root));
        // A client that goes away is no concern of the server.
        thread::spawn(move || drop(converse(&stream, &root)));
    }
    Ok(())
}

/// Answers the requests of one connection until it closes.
fn converse(mut stream: &TcpStream, root: &Path) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or("/"));
        let range = read_range(&mut reader)?;
        let (head, body) = answer(root, target, range);
        stream.write_all(head.as_bytes())?;
        if method != "HEAD" {
            stream.write_all(&body)?;
        }
    }
}

/// Reads the headers; the first byte and the last one of `Range: bytes=a-b`.
fn read_range(reader: &mut impl BufRead) -> io::Result<Option<(usize, Option<usize>)>> {
    let mut range = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(range);
        };
        if name.eq_ignore_ascii_case("range") {
            let bounds = value
                .trim()
                .strip_prefix("bytes=")
                .and_then(|text| text.split_once('-'));
            range = bounds.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok())));
        }
    }
}

fn answer(root: &Path, target: &str, range: Option<(usize, Option<usize>)>) -> (String, Vec<u8>) {
    let Some(body) = file(root, target) else {
        return (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
            Vec::new(),
        );
    };
    let total = body.len();
    let common = "Accept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\n";
    match range {
        None => (
            format!("HTTP/1.1 200 OK\r\n{common}Content-Length: {total}\r\n\r\n"),
            body,
        ),
        Some((first, last)) => {
            let end = last.map_or(total, |last| total.min(last.saturating_add(1)));
            if first >= end {
                let head = format!(
                    "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\n\r\n"
                );
                return (head, Vec::new());
            }
            let told = format!("bytes {first}-{}/{total}", end - 1);
            let head = format!(
                "HTTP/1.1 206 Partial Content\r\n{common}Content-Range: {told}\r\nContent-Length: {}\r\n\r\n",
                end - first
            );
            (head, body[first..end].to_vec())
        }
    }
}

/// The file behind a request target; nothing outside `root`.
fn file(root: &Path, target: &str) -> Option<Vec<u8>> {
    let path = Path::new(target.split('?').next()?.trim_start_matches('/'));
    let inside = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    inside.then(|| fs::read(root.join(path)).ok()).flatten()
}
