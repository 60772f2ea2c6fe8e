#![no_main]

sshwire_fuzz::fuzz!("x11");
