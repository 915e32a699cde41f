//! The flags that say what is sent with requests and how they travel. Their
//! values are secrets: nothing here shows one, clap neither, so words are judged
//! after the command line was read.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::password;
use super::repeated::lines;
use crate::error::{Kind, Problem};
use crate::pipeline::{Authorities, Certificate, CmcdMode, Proxies, Secrets};
use crate::text;

const FILE_BYTES: u64 = 1 << 20; // of headers or a token; no server takes a tenth of it

/// Flags about requests.
#[derive(Args)]
pub struct Requests {
    /// Send this header, "Name: value"; @FILE reads one a line
    ///
    /// Headers, logins, cookies and query parameters go to the server of the URL that is given
    /// (its exact scheme, host and port) with playlists, segments, init sections and keys, and to
    /// no other server, wherever playlists and redirects lead. Other users of this machine see
    /// the command line: secrets are better in @FILE or in the environment (KITHARA_HEADER, one a
    /// line).
    #[arg(
        short = 'H',
        long,
        global = true,
        help_heading = "Requests",
        env = "KITHARA_HEADER"
    )]
    #[arg(value_name = "HEADER")]
    pub header: Vec<String>,
    /// Who we say we are, to every server
    #[arg(
        short = 'A',
        long,
        global = true,
        help_heading = "Requests",
        env = "KITHARA_USER_AGENT"
    )]
    #[arg(value_name = "TEXT")]
    pub user_agent: Option<String>,
    /// Log in with a name and a password
    ///
    /// Without a password it is asked for on the terminal; where there is none, it is empty. A
    /// login in the URL itself, http://user:password@host/, goes before this one.
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Requests",
        env = "KITHARA_USER"
    )]
    #[arg(value_name = "USER[:PASSWORD]")]
    pub user: Option<String>,
    /// Log in with a token; @FILE reads it
    #[arg(long, global = true, help_heading = "Requests", env = "KITHARA_BEARER")]
    #[arg(value_name = "TOKEN")]
    pub bearer: Option<String>,
    /// Send these cookies: "name=value; other=value"
    ///
    /// Cookies that a server sets are sent back to it until the end of the run.
    #[arg(long, global = true, help_heading = "Requests", env = "KITHARA_COOKIE")]
    #[arg(value_name = "COOKIES")]
    pub cookie: Vec<String>,
    /// Add name=value to the query of each URL
    ///
    /// Name and value are plain and become percent-encoded; what the query says already stays as
    /// it is.
    #[arg(
        long,
        global = true,
        help_heading = "Requests",
        env = "KITHARA_QUERY_PARAM"
    )]
    #[arg(value_name = "NAME=VALUE")]
    pub query_param: Vec<String>,
    /// Tell the servers how playback goes (CMCD, CTA-5004)
    ///
    /// As headers or as one argument of the query, with every request and to every server that the
    /// stream leads to: how much is buffered and needed, how fast the link is, which object of
    /// which bit rate and length is asked for, and an id of the session that is made anew for each
    /// run. The cache is the same with and without.
    #[arg(long, global = true, help_heading = "Requests", env = "KITHARA_CMCD")]
    #[arg(value_name = "HOW", default_value = "off")]
    pub cmcd: CmcdName,
    /// Use this proxy: http, https, socks5, socks5h, or none
    ///
    /// Without it the proxies of http_proxy, https_proxy and all_proxy are used; none ignores
    /// them. Hosts in no_proxy are reached without one. A login in its URL goes to the proxy
    /// alone.
    #[arg(
        short = 'x',
        long,
        global = true,
        help_heading = "Network",
        env = "KITHARA_PROXY"
    )]
    #[arg(value_name = "URL")]
    pub proxy: Option<String>,
    /// Trust the authorities in this PEM file instead of those of the system
    #[arg(long, global = true, help_heading = "Network", env = "KITHARA_CACERT")]
    #[arg(value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Show this certificate to the server: a PEM file with its key
    ///
    /// Only the server of the URL that is given gets it. The key must not be protected by a
    /// password.
    #[arg(
        short = 'E',
        long,
        global = true,
        help_heading = "Network",
        env = "KITHARA_CERT"
    )]
    #[arg(value_name = "FILE")]
    pub cert: Option<PathBuf>,
}

impl Requests {
    /// The flags that may be given again and again: name and values.
    pub fn repeated(&mut self) -> [(&'static str, &mut Vec<String>); 3] {
        [
            ("header", &mut self.header),
            ("cookie", &mut self.cookie),
            ("query_param", &mut self.query_param),
        ]
    }

    /// What is sent to the server of the stream. May ask for a password.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] for what cannot be sent, [`Kind::LocalFile`] for a
    /// file that cannot be read.
    pub fn secrets(&self) -> Result<Secrets, Problem> {
        let mut secrets = Secrets::default();
        for word in &self.header {
            match word.strip_prefix('@') {
                None => secrets.add_header(word)?,
                Some(file) => {
                    let lines = lines(&read(file, "headers")?);
                    lines.iter().try_for_each(|line| secrets.add_header(line))?;
                }
            }
        }
        self.cookie
            .iter()
            .try_for_each(|word| secrets.add_cookies(word))?;
        self.query_param
            .iter()
            .try_for_each(|word| secrets.add_query(word))?;
        if let Some(word) = &self.bearer {
            match word.strip_prefix('@') {
                None => secrets.set_bearer(word)?,
                Some(file) => secrets.set_bearer(read(file, "token")?.trim())?,
            }
        }
        if let Some(path) = &self.cert {
            secrets.set_certificate(Certificate::read(path)?);
        }
        match self
            .user
            .as_deref()
            .map(|user| user.split_once(':').ok_or(user))
        {
            None => {}
            Some(Ok((name, password))) => secrets.set_user(name, password)?,
            Some(Err(name)) => secrets.set_user(name, &password::ask(name)?)?,
        }
        Ok(secrets)
    }

    /// The way through proxies.
    ///
    /// # Errors
    ///
    /// [`Kind::Arguments`] for what is no proxy.
    pub fn proxies(&self) -> Result<Proxies, Problem> {
        self.proxy
            .as_deref()
            .map_or(Ok(Proxies::default()), Proxies::parse)
    }

    /// Whom to trust.
    ///
    /// # Errors
    ///
    /// Those of [`Authorities::read`].
    pub fn authorities(&self) -> Result<Option<Authorities>, Problem> {
        self.cacert.as_deref().map(Authorities::read).transpose()
    }
}

/// How servers are told about playback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CmcdName {
    /// Not at all
    Off,
    /// In one argument of the query
    Query,
    /// In four headers
    Header,
}

impl CmcdName {
    /// The mode, if they are told.
    pub fn mode(self) -> Option<CmcdMode> {
        match self {
            Self::Off => None,
            Self::Query => Some(CmcdMode::Query),
            Self::Header => Some(CmcdMode::Header),
        }
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

fn read(path: &str, name: &str) -> Result<String, Problem> {
    let mut text = String::new();
    let shown = text::safe(&Path::new(path).to_string_lossy());
    let whole = File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_string(&mut text));
    whole.map_err(|error| {
        let what = format!("cannot read the {name} in \"{shown}\"");
        Problem::from_io(
            error,
            Kind::LocalFile,
            what,
            "check the file and its permissions",
        )
    })?;
    Ok(text)
}
