#![no_main]

sshwire_fuzz::fuzz!("c_packets");
