//! What stands between the binary and the origin in stories about requests: a
//! TLS front, an HTTP proxy and a SOCKS5 proxy. Each keeps what passed by.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A server on a loopback port; it runs as long as the test process.
pub struct Wire {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    /// One line for each connection or request that came.
    pub fn seen(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn start(
        serve: impl Fn(TcpStream, &dyn Fn(String)) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (serve, log) = (Arc::new(serve), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (serve, log) = (Arc::clone(&serve), Arc::clone(&log));
                thread::spawn(move || {
                    let note = |line| {
                        log.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(line)
                    };
                    // Clients come and go as they like.
                    let _ = stream.and_then(|stream| serve(stream, &note));
                });
            }
        });
        Self { address, seen }
    }

    /// HTTPS in front of `origin`, with the certificate of one of the files in
    /// `tls/`; one that `wants` a certificate of the client takes those of the
    /// authority. Notes whether one came.
    pub fn tls(origin: SocketAddr, name: &str, wants: bool) -> Self {
        let config = Arc::new(config(name, wants));
        Self::start(move |stream, note| {
            let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut tls = StreamOwned::new(session, stream);
            while let Some(head) = read_head(&mut tls)? {
                let certificates = tls.conn.peer_certificates().map_or(0, <[_]>::len);
                note(format!(
                    "{certificates} {}",
                    head.lines().next().unwrap_or_default()
                ));
                tls.write_all(&exchange(origin, &head, |_| true)?)?;
            }
            Ok(())
        })
    }

    /// An HTTP proxy that takes every host for `origin`. Notes request line and
    /// login. `login` is what it asks for (407 without it).
    pub fn http_proxy(origin: SocketAddr, login: Option<&'static str>) -> Self {
        Self::start(move |mut stream, note| {
            while let Some(head) = read_head(&mut stream)? {
                let given = header(&head, "proxy-authorization");
                note(format!("{} {}", first_words(&head), given.unwrap_or("-")));
                if login.is_some() && given != login {
                    let refusal = "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n";
                    stream.write_all(refusal.as_bytes())?;
                    continue;
                }
                if head.starts_with("CONNECT ") {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                    return splice(stream, TcpStream::connect(origin)?);
                }
                let path = head.split(' ').nth(1).unwrap_or_default();
                let path = path.splitn(4, '/').nth(3).unwrap_or_default();
                let rest = head.split_once("\r\n").map_or("", |(_, rest)| rest);
                let head = format!("GET /{path} HTTP/1.1\r\n{rest}");
                let for_origin = |name: &str| !name.starts_with("proxy-");
                stream.write_all(&exchange(origin, &head, for_origin)?)?;
            }
            Ok(())
        })
    }

    /// A SOCKS5 proxy (RFC 1928) that takes every host for `origin`. Notes what
    /// it is asked for and the login (RFC 1929); `login` is what it wants.
    pub fn socks(origin: SocketAddr, wanted: Option<&'static str>) -> Self {
        Self::start(move |mut stream, note| {
            let [_, count] = take::<2>(&mut stream)?;
            let mut methods = vec![0; usize::from(count)];
            stream.read_exact(&mut methods)?;
            let mut login = "-".to_owned();
            if methods.contains(&2) {
                stream.write_all(&[5, 2])?;
                take::<1>(&mut stream)?;
                login = format!("{}:{}", text(&mut stream)?, text(&mut stream)?);
                let is_known = wanted.is_none_or(|wanted| wanted == login);
                stream.write_all(&[1, u8::from(!is_known)])?;
            } else if wanted.is_some() {
                return stream.write_all(&[5, 0xFF]);
            } else {
                stream.write_all(&[5, 0])?;
            }
            let [_, _, _, kind] = take::<4>(&mut stream)?;
            let host = match kind {
                1 => take::<4>(&mut stream)?
                    .map(|part| part.to_string())
                    .join("."),
                _ => text(&mut stream)?,
            };
            take::<2>(&mut stream)?;
            note(format!("{host} {login}"));
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
            splice(stream, TcpStream::connect(origin)?)
        })
    }
}

/// The path of a PEM file in `tls/`.
pub fn pem(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/stories/tls")
        .join(name)
}

fn config(name: &str, wants: bool) -> ServerConfig {
    let certificate = CertificateDer::from_pem_file(pem(name)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(pem(name)).expect("a key");
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(pem("authority.pem")).expect("a certificate");
    roots.add(authority).expect("a good one");
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has them");
    let builder = match wants {
        true => builder.with_client_cert_verifier(clients.build().expect("one authority")),
        false => builder.with_no_client_auth(),
    };
    builder
        .with_single_cert(vec![certificate], key)
        .expect("they belong together")
}

/// Sends a request head to `origin`, with the headers that `passes` lets
/// through, and returns the whole answer.
fn exchange(origin: SocketAddr, head: &str, passes: impl Fn(&str) -> bool) -> io::Result<Vec<u8>> {
    let mut lines = head.lines().filter(|line| !line.is_empty());
    let mut sent = format!(
        "{}\r\nConnection: close\r\n",
        lines.next().unwrap_or_default()
    );
    for line in lines.filter(|line| passes(&line.to_lowercase())) {
        sent.push_str(&format!("{line}\r\n"));
    }
    let mut stream = TcpStream::connect(origin)?;
    stream.write_all(format!("{sent}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// Request line and headers; `None` when the client is gone.
fn read_head(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match take::<1>(stream) {
            Ok([byte]) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value)
}

fn first_words(head: &str) -> String {
    head.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn splice(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

fn take<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A length of one byte and so many letters.
fn text(stream: &mut impl Read) -> io::Result<String> {
    let [length] = take::<1>(stream)?;
    let mut letters = vec![0; usize::from(length)];
    stream.read_exact(&mut letters)?;
    Ok(String::from_utf8_lossy(&letters).into_owned())
}
