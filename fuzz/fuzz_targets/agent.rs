#![no_main]

sshwire_fuzz::fuzz!("agent");
