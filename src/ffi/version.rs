//! The version of the library, at compile time and at run time.

use std::ffi::{c_char, CStr};

/// Major version of the header. It rises when a program must be changed or compiled anew.
pub const SSH_VERSION_MAJOR: u32 = 0;

/// Minor version of the header. It rises when something was added.
pub const SSH_VERSION_MINOR: u32 = 1;

/// Patch version of the header.
pub const SSH_VERSION_PATCH: u32 = 0;

/// The version of the header as one number, 0xMMmmpp; compare with ssh_version_number().
pub const SSH_VERSION_NUMBER: u32 = 0x00_0100;

const VERSION_TEXT: &CStr = c"0.1.0";

/// The version of the library that is loaded, as one number 0xMMmmpp.
///
/// A program compiled with SSH_VERSION_NUMBER v works with every library of the same major version
/// whose number is at least v.
///
/// @return the number. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_version_number() -> u32 {
    SSH_VERSION_NUMBER
}

/// The version of the library that is loaded, as text such as "0.1.0".
///
/// @return a constant string. Any thread. Since 0.1.
#[no_mangle]
pub extern "C" fn ssh_version_string() -> *const c_char {
    VERSION_TEXT.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_cargo() {
        assert_eq!(VERSION_TEXT.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
        let number = (SSH_VERSION_MAJOR << 16) | (SSH_VERSION_MINOR << 8) | SSH_VERSION_PATCH;
        assert_eq!(number, SSH_VERSION_NUMBER);
        assert_eq!(
            format!("{SSH_VERSION_MAJOR}.{SSH_VERSION_MINOR}.{SSH_VERSION_PATCH}"),
            env!("CARGO_PKG_VERSION")
        );
    }
}
