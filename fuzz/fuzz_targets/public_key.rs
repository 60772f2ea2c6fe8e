#![no_main]

sshwire_fuzz::fuzz!("public_key");
