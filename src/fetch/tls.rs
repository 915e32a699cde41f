//! TLS at no cost to those who do not use it: the configuration is made in
//! microseconds, the system's root certificates (some 150 files' worth) are
//! read when the first certificate has to be checked.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::connect::mark_handshake;
use super::pem::{Authorities, Certificate};

/// Certificates are checked against the user's authorities, else against the
/// roots of this system.
#[derive(Debug)]
pub(super) struct Roots {
    provider: Arc<CryptoProvider>,
    authorities: Option<Authorities>,
    verifier: OnceLock<Result<Arc<dyn ServerCertVerifier>, Error>>,
}

impl Roots {
    /// Nothing of the system is read yet; it never is when there are `authorities`.
    pub(super) fn new(authorities: Option<Authorities>) -> Arc<Self> {
        Arc::new(Self {
            provider: Arc::new(ring::default_provider()),
            authorities,
            verifier: OnceLock::new(),
        })
    }

    /// A client configuration that trusts these roots, speaks HTTP/2 and 1.1,
    /// and shows `certificate` to a server that asks for one.
    pub(super) fn config(self: Arc<Self>, certificate: Option<&Certificate>) -> ClientConfig {
        let provider = Arc::clone(&self.provider);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for the default versions")
            .dangerous() // says the name; the checks are those of the platform's verifier
            .with_custom_certificate_verifier(self);
        let mut config = match certificate {
            None => config.with_no_client_auth(),
            Some(certificate) => {
                let pair = SingleCertAndKey::from(certificate.pair());
                config.with_client_cert_resolver(Arc::new(pair))
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// Reads the roots, unless that was done before. Takes some milliseconds.
    pub(super) fn load(&self) -> Result<&dyn ServerCertVerifier, Error> {
        let verifier = self.verifier.get_or_init(|| self.read());
        verifier.as_ref().map(Arc::as_ref).map_err(Error::clone)
    }

    fn read(&self) -> Result<Arc<dyn ServerCertVerifier>, Error> {
        let provider = Arc::clone(&self.provider);
        let Some(authorities) = &self.authorities else {
            return Ok(Arc::new(Verifier::new(provider)?));
        };
        let builder = WebPkiServerVerifier::builder_with_provider(authorities.roots(), provider);
        let verifier = builder.build();
        Ok(verifier.map_err(|error| Error::General(error.to_string()))?)
    }

    /// Whether [`Roots::load`] was done.
    pub(super) fn is_loaded(&self) -> bool {
        self.verifier.get().is_some()
    }
}

impl ServerCertVerifier for Roots {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.load()?;
        verifier.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // The library asks this when it writes its greeting, and only then:
        // the one sign of where TCP ends and TLS begins.
        mark_handshake();
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// What a failed handshake means, and what to do: the library's words may hold
/// text of the server's certificate, ours do not.
pub(super) fn words(error: &Error) -> (&'static str, &'static str) {
    const OWNER: &str = "tell the owner of the server";
    const LINK: &str = "check the link";
    const TRUST: &str = "tell the owner of the server, or name the authority with --cacert";
    match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ("its certificate has expired", OWNER)
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ("its certificate is not valid yet", "check the clock")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                ("its certificate is for another host", LINK)
            }
            CertificateError::UnknownIssuer => (
                "its certificate is not signed by an authority that is trusted",
                TRUST,
            ),
            CertificateError::Revoked => ("its certificate was revoked", OWNER),
            _ => ("its certificate is not acceptable", OWNER),
        },
        Error::AlertReceived(AlertDescription::CertificateRequired) => (
            "the server asks for a client certificate",
            "give one with --cert",
        ),
        Error::AlertReceived(_) => ("the server refused the TLS handshake", LINK),
        Error::PeerIncompatible(_) => ("the server knows no TLS version or cipher of ours", OWNER),
        Error::InvalidMessage(_) => ("the server does not speak TLS on this port", LINK),
        Error::General(_) => (
            "this system has no root certificates",
            "install ca-certificates",
        ),
        _ => ("the TLS handshake failed", "try again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn making_the_configuration_reads_no_roots() {
        let roots = Roots::new(None);
        let config = Arc::clone(&roots).config(None);
        assert_eq!(
            config.alpn_protocols,
            [b"h2".to_vec(), b"http/1.1".to_vec()]
        );
        assert!(!roots.is_loaded());
    }

    #[test]
    fn a_bad_certificate_is_named_in_plain_words() {
        let cases = [
            (CertificateError::Expired, "its certificate has expired"),
            (
                CertificateError::NotValidYet,
                "its certificate is not valid yet",
            ),
            (
                CertificateError::NotValidForName,
                "its certificate is for another host",
            ),
            (CertificateError::Revoked, "its certificate was revoked"),
            (
                CertificateError::BadEncoding,
                "its certificate is not acceptable",
            ),
        ];
        for (error, want) in cases {
            assert_eq!(words(&Error::InvalidCertificate(error)).0, want);
        }
        let presented = vec!["\u{1b}[2J".to_owned()];
        let expected = ServerName::try_from("host").expect("a name");
        let error = CertificateError::NotValidForNameContext {
            expected,
            presented,
        };
        let (why, _) = words(&Error::InvalidCertificate(error));
        assert_eq!(why, "its certificate is for another host");
    }
}
