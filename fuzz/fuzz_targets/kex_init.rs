#![no_main]

sshwire_fuzz::fuzz!("kex_init");
