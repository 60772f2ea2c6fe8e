#![no_main]

sshwire_fuzz::fuzz!("c_transports");
