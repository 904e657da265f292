//! The certificate that the edge shows, and its key.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use tokio_rustls::rustls::{
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
};
use url::Url;
use x509_cert::{Certificate, der::Decode};

use super::report::{Finding, Name, Report};
use crate::{
    config::TlsFiles,
    server::{Origins, Tls},
};

/// Who renews by hand needs some days.
const SOON: Duration = Duration::from_secs(14 * 86_400);

pub async fn examine(files: &TlsFiles, origins: &Origins, report: &mut Report) {
    permissions(&files.key, report);
    if let Err(error) = Tls::load(files.clone()).await {
        let is_mismatch = error.reason.starts_with("is not the key of");
        report.find(match is_mismatch {
            true => Finding::new(
                Name::CertificateKey,
                error.to_string(),
                "give the key that the certificate was asked for with",
            ),
            false => Finding::new(
                Name::Certificate,
                error.to_string(),
                "give the chain and its key in PEM, readable by this user",
            ),
        });
        return;
    }
    report.good("the certificate and its key belong together");
    let Ok(certificate) = CertificateDer::from_pem_file(&files.certificate) else {
        // It was read a moment ago.
        return;
    };
    validity(&certificate, &files.certificate, report);
    names(&certificate, &files.certificate, origins, report);
}

fn permissions(key: &Path, report: &mut Report) {
    let Ok(metadata) = fs::metadata(key) else {
        return;
    };
    let mode = metadata.permissions().mode();
    if mode & 0o007 != 0 {
        let shown = key.display();
        report.find(Finding::new(
            Name::CertificateKeyReadable,
            format!(
                "every user of this machine can open {shown} (mode {:03o})",
                mode & 0o777
            ),
            format!("`chmod o= {shown}`"),
        ));
    }
}

fn validity(certificate: &CertificateDer<'_>, path: &Path, report: &mut Report) {
    let shown = path.display();
    let Ok(parsed) = Certificate::from_der(certificate) else {
        return;
    };
    let validity = parsed.tbs_certificate().validity();
    let begins = SystemTime::UNIX_EPOCH + validity.not_before.to_unix_duration();
    let ends = SystemTime::UNIX_EPOCH + validity.not_after.to_unix_duration();
    let now = SystemTime::now();
    let when = |time| humantime::format_rfc3339_seconds(time);
    let renew = "renew it; a running edge takes the new one by itself";
    if ends <= now {
        report.find(Finding::new(
            Name::CertificateExpired,
            format!("{shown} was valid until {}", when(ends)),
            renew,
        ));
    } else if begins > now {
        report.find(Finding::new(
            Name::CertificateNotYetValid,
            format!("{shown} is valid from {} on", when(begins)),
            "set this machine's clock, or use the certificate from then on",
        ));
    } else if ends.duration_since(now).is_ok_and(|left| left < SOON) {
        report.find(Finding::new(
            Name::CertificateExpiresSoon,
            format!("{shown} is valid until {} only", when(ends)),
            renew,
        ));
    } else {
        report.good(format!("the certificate is valid until {}", when(ends)));
    }
}

/// Pages are mostly served by the edge that they talk to: their origins say how it is called.
fn names(certificate: &CertificateDer<'_>, path: &Path, origins: &Origins, report: &mut Report) {
    let (Origins::Listed(origins) | Origins::Loopback(origins)) = origins else {
        return;
    };
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else {
        return;
    };
    let urls = origins.iter().filter_map(|origin| Url::parse(origin).ok());
    let hosts: Vec<String> = urls
        .filter(|url| url.scheme() == "https")
        .filter_map(|url| url.host_str().map(str::to_owned))
        .collect();
    let is_covered = |host: &String| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(bare).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
    };
    if hosts.is_empty() {
        return;
    }
    match hosts.iter().find(|host| is_covered(host)) {
        Some(host) => report.good(format!("the certificate is for {host}")),
        None => report.find(Finding::new(
            Name::CertificateNames,
            format!("{} is for none of {}", path.display(), hosts.join(", ")),
            "let it name the host that clients connect to as a subject alternative name",
        )),
    }
}
