//! What was agreed on with the peer, and what was carried.

use std::ffi::c_char;

use crate::driver::Statistics;
use crate::kex::Negotiated;
use crate::messages::Role;

use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::status::{ssh_status, SSH_OK};
use super::transport::ssh_transport;

/// Which algorithm: of the key exchange.
pub const SSH_ALGORITHM_KEX: i32 = 1;

/// Which algorithm: of the server's signature; for RSA keys more exact than the type of the key.
pub const SSH_ALGORITHM_HOST_KEY: i32 = 2;

/// Which algorithm: the cipher of what we send.
pub const SSH_ALGORITHM_CIPHER_SENT: i32 = 3;

/// Which algorithm: the cipher of what we receive.
pub const SSH_ALGORITHM_CIPHER_RECEIVED: i32 = 4;

/// Which algorithm: the MAC of what we send; "implicit" with a cipher that needs none.
pub const SSH_ALGORITHM_MAC_SENT: i32 = 5;

/// Which algorithm: the MAC of what we receive; "implicit" with a cipher that needs none.
pub const SSH_ALGORITHM_MAC_RECEIVED: i32 = 6;

/// Which algorithm: the compression of what we send.
pub const SSH_ALGORITHM_COMPRESSION_SENT: i32 = 7;

/// Which algorithm: the compression of what we receive.
pub const SSH_ALGORITHM_COMPRESSION_RECEIVED: i32 = 8;

/// Which figure: packets sent.
pub const SSH_STATISTIC_PACKETS_SENT: usize = 0;

/// Which figure: their bytes, as on the wire.
pub const SSH_STATISTIC_BYTES_SENT: usize = 1;

/// Which figure: packets received.
pub const SSH_STATISTIC_PACKETS_RECEIVED: usize = 2;

/// Which figure: their bytes, as on the wire.
pub const SSH_STATISTIC_BYTES_RECEIVED: usize = 3;

/// Which figure: key exchanges, the first one included.
pub const SSH_STATISTIC_KEY_EXCHANGES: usize = 4;

/// Which figure: microseconds until the peer answered the last keepalive; UINT64_MAX while there was no answer.
pub const SSH_STATISTIC_ROUND_TRIP_US: usize = 5;

/// Which figure: writes that had to wait because the peer's window was used up.
pub const SSH_STATISTIC_WINDOW_STALLS: usize = 6;

/// Which figure: channels there are now.
pub const SSH_STATISTIC_CHANNELS: usize = 7;

/// How many figures there are.
pub const SSH_STATISTIC_COUNT: usize = 8;

/// Names an algorithm that was agreed on; after new keys the ones of these.
///
/// @param transport  the transport
/// @param which      SSH_ALGORITHM_KEX and the others
/// @return a name as in RFC 4253 and its kin, freed with ssh_memory_free(); NULL before the first key exchange is over,
///         and when `which` is none of them. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_get_algorithm(
    transport: *const ssh_transport,
    which: i32,
) -> *mut c_char {
    guard::value(std::ptr::null_mut(), || {
        let driver = &handle::get(transport)?.driver;
        let negotiated = driver
            .negotiated()
            .ok_or_else(|| Failure::state("nothing has been negotiated yet"))?;
        memory::string_out(name(&negotiated, driver.role(), which)?)
    })
}

fn name(negotiated: &Negotiated, role: Role, which: i32) -> Outcome<&str> {
    let (sent, received) = (negotiated.sent_by(role), negotiated.sent_by(role.peer()));
    let mac = |mac: Option<&'static str>| mac.unwrap_or("implicit");
    Ok(match which {
        SSH_ALGORITHM_KEX => negotiated.kex.name,
        SSH_ALGORITHM_HOST_KEY => negotiated.host_key.name,
        SSH_ALGORITHM_CIPHER_SENT => sent.cipher.name,
        SSH_ALGORITHM_CIPHER_RECEIVED => received.cipher.name,
        SSH_ALGORITHM_MAC_SENT => mac(sent.mac.map(|mac| mac.name)),
        SSH_ALGORITHM_MAC_RECEIVED => mac(received.mac.map(|mac| mac.name)),
        SSH_ALGORITHM_COMPRESSION_SENT => sent.compression.name,
        SSH_ALGORITHM_COMPRESSION_RECEIVED => received.compression.name,
        _ => return Err(Failure::invalid("no such algorithm")),
    })
}

/// Tells what a transport has carried since it was made. It may be asked after its end.
///
/// @param transport  the transport
/// @param values     receives the figures, in the order of SSH_STATISTIC_PACKETS_SENT and the others
/// @param count      how many there is room for; SSH_STATISTIC_COUNT for all
/// @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; it waits for the packets that are being opened
///         and sealed, and no longer. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_statistics(
    transport: *const ssh_transport,
    values: *mut u64,
    count: usize,
) -> ssh_status {
    guard::status(|| {
        let out = memory::values_mut(values, count.min(SSH_STATISTIC_COUNT))?;
        out.fill(0);
        let all = figures(&handle::get(transport)?.driver.statistics());
        for (place, figure) in out.iter_mut().zip(all) {
            *place = figure;
        }
        Ok(SSH_OK)
    })
}

fn figures(statistics: &Statistics) -> [u64; SSH_STATISTIC_COUNT] {
    let round_trip = statistics
        .round_trip
        .and_then(|time| u64::try_from(time.as_micros()).ok());
    [
        statistics.sent.packets,
        statistics.sent.bytes,
        statistics.received.packets,
        statistics.received.bytes,
        statistics.key_exchanges,
        round_trip.unwrap_or(u64::MAX),
        statistics.window_stalls,
        u64::try_from(statistics.channels).unwrap_or(u64::MAX),
    ]
}
