#![no_main]

sshwire_fuzz::fuzz!("known_hosts");
