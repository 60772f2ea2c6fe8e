#![no_main]

sshwire_fuzz::fuzz!("packet_chacha");
