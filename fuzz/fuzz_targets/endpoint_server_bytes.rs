#![no_main]

sshwire_fuzz::fuzz!("endpoint_server_bytes");
