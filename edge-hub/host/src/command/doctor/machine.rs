//! What this machine gives: addresses, files, a folder.

use std::{fs, net::TcpListener, path::Path};

use super::report::{Finding, Name, Report};
use crate::{config::Config, files};

pub fn addresses(config: &Config, report: &mut Report) {
    let addresses = [("--listen", Some(config.listen)), ("--admin", config.admin)];
    for (flag, address) in addresses {
        let Some(address) = address else { continue };
        match TcpListener::bind(address) {
            Ok(_) => report.good(format!("{address} is free")),
            Err(error) => report.find(Finding::new(
                Name::Address,
                format!("cannot listen on {address}: {error}"),
                format!("stop what runs there, or give another address by `{flag}`"),
            )),
        }
    }
}

pub fn files(config: &Config, report: &mut Report) {
    let connections = config.connections;
    match files::raise_limit() {
        Some(files) if files < connections as u64 + files::SPARE => report.find(Finding::new(
            Name::Files,
            format!(
                "the process may open {files} files, too few for {connections} connections and {} besides",
                files::SPARE
            ),
            "raise that (`ulimit -n`, LimitNOFILE), or lower `limit-connections`",
        )),
        _ => report.good(format!("there are files for {connections} connections")),
    }
}

/// Whether compiled components can be kept there.
pub fn data_folder(config: &Config, report: &mut Report) -> bool {
    let shown = config.data.display();
    match try_to_write(&config.data) {
        Ok(()) => {
            report.good(format!("{shown} can be written"));
            true
        }
        Err(error) => {
            report.find(Finding::new(
                Name::DataFolder,
                format!("the data folder {shown} cannot be written: {error}"),
                "give a folder of this user's own by `--data`",
            ));
            false
        }
    }
}

fn try_to_write(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    fs::write(&probe, "")?;
    fs::remove_file(&probe)
}
