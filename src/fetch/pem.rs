//! Certificates from the user's own files: authorities to trust, and the
//! certificate with its key that says who we are.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::error::{Kind, Problem};
use crate::text;

const FILE_BYTES: u64 = 4 << 20; // a bundle of all public authorities is 230 KB

/// Authorities to trust in place of those of the system.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Reads a PEM file of one certificate or more.
    ///
    /// # Errors
    ///
    /// [`Kind::LocalFile`] when it cannot be read, [`Kind::Arguments`] when
    /// there is no certificate in it.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let what = || format!("cannot trust the certificates in \"{}\"", shown(path));
        let refuse = |why| Problem::new(Kind::Arguments, what(), why, "give a PEM file");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&read(path, &what())?) {
            let certificate = certificate.map_err(|_| refuse("one of them is broken"))?;
            let added = roots.add(certificate);
            added.map_err(|_| refuse("one of them is broken"))?;
        }
        match roots.is_empty() {
            true => Err(refuse("there is none")),
            false => Ok(Self(Arc::new(roots))),
        }
    }

    /// The authorities as the TLS library wants them.
    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}

/// A client certificate, those that lead to its authority, and its key.
#[derive(Clone)]
pub struct Certificate(Arc<CertifiedKey>);

impl Certificate {
    /// Reads a PEM file of a certificate (and its chain) and the key that
    /// belongs to it, in any order.
    ///
    /// # Errors
    ///
    /// [`Kind::LocalFile`] when it cannot be read, [`Kind::Arguments`] when
    /// one of the two is missing, they do not belong together, or the key is
    /// protected by a password, which is not supported.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let what = format!("cannot use the certificate in \"{}\"", shown(path));
        let refuse = |why, todo| Problem::new(Kind::Arguments, what.clone(), why, todo);
        let file = read(path, &what)?;
        let both = "give a PEM file with the certificate and its key";
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file).collect();
        let chain = chain.map_err(|_| refuse("it is broken", both))?;
        if chain.is_empty() {
            return Err(refuse("there is none", both));
        }
        if is_encrypted(&file) {
            let todo = "write the key without one: openssl pkey -in FILE";
            return Err(refuse("its key is protected by a password", todo));
        }
        let key = PrivateKeyDer::from_pem_slice(&file);
        let key = key.map_err(|_| refuse("its key is missing", both))?;
        let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let pair = pair.map_err(|_| refuse("the key does not belong to it", both))?;
        Ok(Self(Arc::new(pair)))
    }

    /// The pair as the TLS library wants it.
    pub(super) fn pair(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }

    /// What tells it from any other.
    pub(super) fn summary(&self) -> String {
        self.0
            .cert
            .iter()
            .map(|der| BASE64_STANDARD.encode(der))
            .collect()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let all = File::open(path).and_then(|file| {
        file.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > FILE_BYTES {
            true => Err(io::Error::other("it is longer than 4 MiB")),
            false => Ok(()),
        }
    });
    let todo = "check the name and its permissions";
    all.map_err(|error| Problem::from_io(error, Kind::LocalFile, what, todo))?;
    Ok(bytes)
}

/// PKCS #8 says it in the title of the key, older files in a header below it.
fn is_encrypted(file: &[u8]) -> bool {
    let text = String::from_utf8_lossy(file);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn shown(path: &Path) -> String {
    text::safe(&path.to_string_lossy())
}
