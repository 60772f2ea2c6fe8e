#![no_main]

sshwire_fuzz::fuzz!("private_key_sec1");
