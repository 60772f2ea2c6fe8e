#![no_main]

sshwire_fuzz::fuzz!("sftp_messages");
