#![no_main]

sshwire_fuzz::fuzz!("auth_client");
