//! What a transport can tell about itself: the algorithms agreed on, and what it has carried.

use std::ffi::c_char;

use crate::driver::{Statistics, Transport};
use crate::kex::{DirectionAlgorithms, Negotiated};

use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_AGAIN, SSH_OK};
use super::transport::ssh_transport;

/// Which algorithm: the key exchange method.
pub const SSH_ALGORITHM_KEX: i32 = 1;

/// Which algorithm: that of the host key's signatures.
pub const SSH_ALGORITHM_HOST_KEY: i32 = 2;

/// Which algorithm: the cipher of what the client sends.
pub const SSH_ALGORITHM_CIPHER_CLIENT_TO_SERVER: i32 = 3;

/// Which algorithm: the cipher of what the server sends.
pub const SSH_ALGORITHM_CIPHER_SERVER_TO_CLIENT: i32 = 4;

/// Which algorithm: the message authentication code of what the client sends; "" where the cipher brings its own.
pub const SSH_ALGORITHM_MAC_CLIENT_TO_SERVER: i32 = 5;

/// Which algorithm: the message authentication code of what the server sends; "" where the cipher brings its own.
pub const SSH_ALGORITHM_MAC_SERVER_TO_CLIENT: i32 = 6;

/// Which algorithm: the compression of what the client sends.
pub const SSH_ALGORITHM_COMPRESSION_CLIENT_TO_SERVER: i32 = 7;

/// Which algorithm: the compression of what the server sends.
pub const SSH_ALGORITHM_COMPRESSION_SERVER_TO_CLIENT: i32 = 8;

/// Which number: bytes of all packets sent, as they are on the wire.
pub const SSH_STATISTIC_BYTES_SENT: i32 = 1;

/// Which number: bytes of all packets received, as they are on the wire.
pub const SSH_STATISTIC_BYTES_RECEIVED: i32 = 2;

/// Which number: packets sent.
pub const SSH_STATISTIC_PACKETS_SENT: i32 = 3;

/// Which number: packets received.
pub const SSH_STATISTIC_PACKETS_RECEIVED: i32 = 4;

/// Which number: key exchanges completed after the first one.
pub const SSH_STATISTIC_REKEYS: i32 = 5;

/// Which number: the shortest round trip seen, in microseconds. It is measured at every open and request that the
/// peer answers, so also with each keepalive; SSH_AGAIN before the first.
pub const SSH_STATISTIC_ROUND_TRIP_US: i32 = 6;

/// Which number: how often a write found the peer's window used up and had to wait or give up. Many of them say that
/// the peer's program reads slowly, or that its window is too small for the round trip.
pub const SSH_STATISTIC_WINDOW_STALLS: i32 = 7;

/// The name of an algorithm that the newest key exchange has agreed on.
///
/// @param transport  a transport whose keys were exchanged
/// @param which      SSH_ALGORITHM_KEX, ...
/// @return a name such as "curve25519-sha256", freed with ssh_memory_free(); NULL before keys were exchanged, for
/// an unknown `which`, and when `transport` is none.
///
/// Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_algorithm(
    transport: *const ssh_transport,
    which: i32,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let object = handle::get(transport)?;
        match object.driver.negotiated() {
            Some(agreed) => memory::string_out(algorithm(&agreed, which)?),
            None => Ok(std::ptr::null_mut()),
        }
    })
}

/// A number about what the transport has carried since its start. It keeps its value when the transport has ended.
///
/// @param transport  the transport
/// @param which      SSH_STATISTIC_BYTES_SENT, ...
/// @param value      receives the number
/// @return SSH_OK; SSH_AGAIN when it was not measured yet; SSH_ERR_INVALID_ARG for an unknown `which`,
/// SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_statistic(
    transport: *const ssh_transport,
    which: i32,
    value: *mut u64,
) -> ssh_status {
    guard::status(|| {
        memory::write(value, 0);
        let object = handle::get(transport)?;
        match statistic(&object.driver, which)? {
            Some(number) => {
                memory::write(value, number);
                Ok(SSH_OK)
            }
            None => Ok(SSH_AGAIN),
        }
    })
}

// --- behind the functions -------------------------------------------------------------------------

fn algorithm(agreed: &Negotiated, which: i32) -> Outcome<&'static str> {
    let (client, server) = (&agreed.client_to_server, &agreed.server_to_client);
    let mac = |direction: &DirectionAlgorithms| direction.mac.map_or("", |mac| mac.name);
    Ok(match which {
        SSH_ALGORITHM_KEX => agreed.kex.name,
        SSH_ALGORITHM_HOST_KEY => agreed.host_key.name,
        SSH_ALGORITHM_CIPHER_CLIENT_TO_SERVER => client.cipher.name,
        SSH_ALGORITHM_CIPHER_SERVER_TO_CLIENT => server.cipher.name,
        SSH_ALGORITHM_MAC_CLIENT_TO_SERVER => mac(client),
        SSH_ALGORITHM_MAC_SERVER_TO_CLIENT => mac(server),
        SSH_ALGORITHM_COMPRESSION_CLIENT_TO_SERVER => client.compression.name,
        SSH_ALGORITHM_COMPRESSION_SERVER_TO_CLIENT => server.compression.name,
        _ => return Err(Failure::invalid("an unknown kind of algorithm")),
    })
}

fn statistic(driver: &Transport, which: i32) -> Outcome<Option<u64>> {
    let Statistics {
        sent,
        received,
        key_exchanges,
        round_trip,
        window_stalls,
    } = driver.statistics();
    Ok(match which {
        SSH_STATISTIC_BYTES_SENT => Some(sent.bytes),
        SSH_STATISTIC_BYTES_RECEIVED => Some(received.bytes),
        SSH_STATISTIC_PACKETS_SENT => Some(sent.packets),
        SSH_STATISTIC_PACKETS_RECEIVED => Some(received.packets),
        SSH_STATISTIC_REKEYS => Some(key_exchanges.saturating_sub(1)),
        SSH_STATISTIC_ROUND_TRIP_US => {
            round_trip.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        }
        SSH_STATISTIC_WINDOW_STALLS => Some(window_stalls),
        _ => return Err(Failure::invalid("an unknown kind of number")),
    })
}
