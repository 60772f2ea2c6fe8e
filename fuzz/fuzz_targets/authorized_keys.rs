#![no_main]

sshwire_fuzz::fuzz!("authorized_keys");
