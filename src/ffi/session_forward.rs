//! What a session lets the server's programs use on the client's side: the agent, the display.

use std::ffi::{c_char, c_void};

use crate::connection::{ForwardPoint, OpenKind};
use crate::forward::{self, Display};

use super::channel::ssh_channel;
use super::channel_object;
use super::connection::open;
use super::error::ssh_error;
use super::guard::{self, Failure, Outcome};
use super::handle;
use super::memory;
use super::port_forward::point;
use super::request::ssh_request;
use super::status::{ssh_status, SSH_OK};
use super::transport::ssh_transport;
use super::transport_object;

/// Asks the server to let programs of the session use the agent of this side, before a shell or command is started.
/// Whoever has all rights on the server can then use it too, as long as the session of the transport lasts. Channels to an
/// agent do not say for which session: of several requests on one transport the last one that was not refused gets them all.
///
/// @param channel     a session channel of a client
/// @param socket      the path of the agent's socket, such as the value of SSH_AUTH_SOCK: the library connects there for
///                    each channel. Or NULL: then the channels, of the kind "auth-agent@openssh.com", come out of
///                    ssh_transport_accept()
/// @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_INVALID_ARG, SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY
///                    (see ssh_connect_config()), ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_agent_forward(
    channel: *mut ssh_channel,
    socket: *const c_char,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        channel_object::with(channel, |object| {
            let agent = if socket.is_null() {
                None
            } else {
                Some(path(socket)?)
            };
            let timeout = object.request_timeout(timeout_ms)?;
            forward::request_agent(&object.driver, agent, timeout)?;
            Ok(SSH_OK)
        })
    })
}

/// Asks the server to let programs of the session show windows on a display of this side, before a shell or command is
/// started.
///
/// The server is given a cookie that is made for this. Each connection must begin with it, in the protocol
/// MIT-MAGIC-COOKIE-1; the library checks that, puts the display's own cookie in its place and copies. So the server
/// never learns the display's cookie. Of several requests on one transport the last one that was not refused gets all channels,
/// and its cookie counts: ask once for each transport, for the first session.
///
/// @param channel            a session channel of a client
/// @param display            the display as DISPLAY has it, ":0", "host:0.0" and the like, or the path of its socket; or
///                           NULL: then the channels, of the kind "x11", come out of ssh_transport_accept() unchecked
/// @param cookie             the display's cookie, as bytes, or NULL when it wants none
/// @param cookie_length      its length in bytes, at most 256
/// @param screen             the number of the screen
/// @param single_connection  whether one connection is all that is wanted
/// @param timeout_ms         milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param fake_cookie        receives the cookie that the server was given, in hexadecimal, freed with
///                           ssh_memory_free(); or NULL
/// @param error              receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_INVALID_ARG, SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY
///                           (see ssh_connect_config()), ...
/// @return SSH_OK or a failure. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_channel_request_x11(
    channel: *mut ssh_channel,
    display: *const c_char,
    cookie: *const c_void,
    cookie_length: usize,
    screen: u32,
    single_connection: bool,
    timeout_ms: i32,
    fake_cookie: *mut *mut c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(fake_cookie, std::ptr::null_mut());
        channel_object::with(channel, |object| {
            let cookie = memory::bytes(cookie, cookie_length)?;
            if cookie.len() > MAX_COOKIE {
                return Err(Failure::invalid("a cookie of at most 256 bytes"));
            }
            let display = Display {
                place: memory::optional_text(display)?.map(place_of).transpose()?,
                cookie: cookie.to_vec(),
                screen,
                single: single_connection,
            };
            let timeout = object.request_timeout(timeout_ms)?;
            let fake = forward::request_x11(&object.driver, display, timeout)?;
            if !fake_cookie.is_null() {
                memory::write(fake_cookie, memory::string_out(&fake)?);
            }
            Ok(SSH_OK)
        })
    })
}

/// Opens a channel to the client for a program that wants to show a window (SSH_REQUEST_X11).
///
/// @param transport    a server transport that is authenticated
/// @param source       the address that the program connected from
/// @param source_port  its port
/// @param timeout_ms   milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
/// @param error        receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_TIMEOUT, what ended the session
/// @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_transport_open_x11_channel(
    transport: *mut ssh_transport,
    source: *const c_char,
    source_port: u16,
    timeout_ms: i32,
    error: *mut *mut ssh_error,
) -> *mut ssh_channel {
    guard::value_with(std::ptr::null_mut(), error, || {
        transport_object::with(transport, |object| {
            let kind = OpenKind::X11 {
                originator: memory::text(source, "the source")?.to_owned(),
                originator_port: u32::from(source_port),
            };
            open(object, kind, timeout_ms)
        })
    })
}

/// The screen that is asked for, for SSH_REQUEST_X11.
///
/// @param request            the request
/// @param single_connection  receives whether one connection is all that is wanted; or NULL
/// @return the number; 0 also for other kinds. Any thread. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_x11_screen(
    request: *const ssh_request,
    single_connection: *mut bool,
) -> u32 {
    guard::value(0, || {
        memory::write(single_connection, false);
        let (screen, single) = handle::get(request)?.lent.x11.unwrap_or_default();
        memory::write(single_connection, single);
        Ok(screen)
    })
}

/// Says yes to SSH_REQUEST_X11 and has the library be the display: it listens on loopback, from display 10 on, and opens
/// a channel for each connection until the channel of the session is closed. The program tells the session's commands
/// the display, and puts the cookie (ssh_request_value()) where they look for it, as with xauth(1).
///
/// @param request  a request that has no answer yet
/// @param display  receives the number of the display, for DISPLAY=localhost:N.SCREEN
/// @param error    receives the detail, or NULL: SSH_ERR_IO when no display is free, SSH_ERR_LIMIT when the session has one
///                 or the client has 32 agents and displays; then the request has no answer yet. SSH_ERR_STATE for other
///                 kinds and answered requests, SSH_ERR_CLOSED when the session is over, SSH_ERR_RESOURCE: yes was
///                 said, and nobody listens
/// @return SSH_OK or a failure. Any thread, also inside callbacks; does not wait. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_serve_x11(
    request: *mut ssh_request,
    display: *mut u16,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        memory::write(display, 0);
        let object = handle::get(request)?;
        memory::write(display, forward::serve_x11(&object.driver)?);
        Ok(SSH_OK)
    })
}

/// Says yes to SSH_REQUEST_AGENT_FORWARD and has the library be the agent: it listens on a UNIX socket, which only its
/// owner can use, and opens a channel for each connection until the channel of the session is closed. The program tells
/// the session's commands the path, in SSH_AUTH_SOCK.
///
/// @param request  a request that has no answer yet
/// @param socket   where to listen: a path in a directory that nobody else can write to, with no file there yet
/// @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_IO when it cannot listen there; the
///                 others are as with ssh_request_serve_x11()
/// @return SSH_OK or a failure. Any thread, also inside callbacks; does not wait. Since 0.1.
#[no_mangle]
pub unsafe extern "C" fn ssh_request_serve_agent(
    request: *mut ssh_request,
    socket: *const c_char,
    error: *mut *mut ssh_error,
) -> ssh_status {
    guard::status_with(error, || {
        let object = handle::get(request)?;
        forward::serve_agent(&object.driver, &path(socket)?)?;
        Ok(SSH_OK)
    })
}

// --- behind the functions -------------------------------------------------------------------------

const MAX_COOKIE: usize = 256;
/// The port of display 0, and the highest number of a display that has one.
const X11_PORT: u16 = 6000;
const MAX_DISPLAY: u16 = u16::MAX - X11_PORT;

fn path(socket: *const c_char) -> Outcome<ForwardPoint> {
    match point(socket, 0)? {
        point @ ForwardPoint::Unix { .. } => Ok(point),
        ForwardPoint::Tcp { .. } => Err(Failure::invalid("the path of a socket begins with \"/\"")),
    }
}

/// Where a display listens.
fn place_of(display: &str) -> Outcome<ForwardPoint> {
    let bad = || Failure::invalid("a display is HOST:NUMBER, :NUMBER or a path");
    if display.starts_with('/') {
        return Ok(ForwardPoint::Unix {
            path: display.to_owned(),
        });
    }
    let (host, numbers) = display.rsplit_once(':').ok_or_else(bad)?;
    let number = numbers.split('.').next().unwrap_or_default();
    let number: u16 = number.parse().map_err(|_| bad())?;
    if number > MAX_DISPLAY {
        return Err(bad());
    }
    Ok(match host {
        "" | "unix" => ForwardPoint::Unix {
            path: format!("/tmp/.X11-unix/X{number}"),
        },
        host => ForwardPoint::Tcp {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: X11_PORT + number,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays() {
        let unix = |path: &str| ForwardPoint::Unix {
            path: path.to_owned(),
        };
        let tcp = |host: &str, port| ForwardPoint::Tcp {
            host: host.to_owned(),
            port,
        };
        for (display, place) in [
            (":0", unix("/tmp/.X11-unix/X0")),
            ("unix:12.1", unix("/tmp/.X11-unix/X12")),
            ("/run/x", unix("/run/x")),
            ("localhost:10.0", tcp("localhost", 6010)),
            ("[::1]:1", tcp("::1", 6001)),
        ] {
            assert_eq!(place_of(display).unwrap(), place);
        }
        for bad in ["", "host", ":", ":x", ":70000", ":65000"] {
            assert!(place_of(bad).is_err(), "{bad}");
        }
    }
}
