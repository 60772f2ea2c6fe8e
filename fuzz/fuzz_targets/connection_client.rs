#![no_main]

sshwire_fuzz::fuzz!("connection_client");
