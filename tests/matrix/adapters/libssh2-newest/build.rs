//! The adapter of the distribution's libssh2, built for the source that libssh2-sys carries.

fn main() {
    println!("cargo:rerun-if-changed=../libssh2.c");
    println!("cargo:rerun-if-changed=../contract.h");
    let headers = std::env::var("DEP_SSH2_INCLUDE").expect("libssh2-sys says where its headers are");
    cc::Build::new()
        .file("../libssh2.c")
        .define("main", "adapter_main")
        .include(headers)
        .compile("adapter");
}
