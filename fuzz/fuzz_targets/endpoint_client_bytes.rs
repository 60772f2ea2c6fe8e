#![no_main]

sshwire_fuzz::fuzz!("endpoint_client_bytes");
