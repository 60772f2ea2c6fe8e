//! Whether the process may exit while a transport is alive.

use super::guard;
use super::handle;
use super::status::{ssh_status, SSH_OK};
use super::transport::ssh_transport;

/// Sets whether the process may exit while the transport is alive. It may at first. With false, exit() and the return
/// from main() wait until the transport has ended, whether its handle is freed or not; a transport whose peer never
/// ends it keeps the process for ever, unless another thread closes it. _exit() and signals do not wait.
///
/// @param transport  the transport
/// @param daemon     true: the process may exit; false: it waits
/// @return SSH_OK, SSH_ERR_IO when the C library takes no more functions to call at exit, SSH_ERR_BAD_HANDLE.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_set_daemon(
    transport: *mut ssh_transport,
    daemon: bool,
) -> ssh_status {
    guard::status(|| {
        handle::get(transport)?.driver.set_daemon(daemon)?;
        Ok(SSH_OK)
    })
}

/// Whether the process may exit while the transport is alive.
///
/// @return true also when `transport` is none. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_is_daemon(transport: *const ssh_transport) -> bool {
    guard::value(true, || Ok(handle::get(transport)?.driver.is_daemon()))
}
