#![no_main]

sshwire_fuzz::fuzz!("ssh_config");
