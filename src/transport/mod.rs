//! The transport layer (RFC 4253): identification, first key exchange, keyed, rekeying.
//!
//! Sans-I/O. [`TransportLayer`] never touches a packet's protection: it is given opened payloads and pushes
//! [`TransportAction`]s, which the endpoint applies in order.

use crate::error::Error;
use crate::keys::{PrivateKey, PublicKey};
use crate::messages::Role;
use std::time::{Duration, Instant};
