//! The fuzz targets of this module: what programs on this machine say first on connections that are forwarded.

use super::socks::{Dialogue, Failure, Step};
use super::x11::{Checked, SetupCheck, COOKIE_BYTES};

/// Most bytes that are kept before it is known what is wanted.
const MAX_HEARD: usize = 4096;

/// SOCKS 4, 4a and 5. The first byte is the size of the pieces in which the rest is heard.
pub(crate) fn socks(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else {
        return;
    };
    let mut dialogue = Dialogue::default();
    let mut heard = 0;
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        heard += piece.len();
        let mut step = dialogue.hear(piece);
        while let Step::Reply(reply) = step {
            assert_eq!(reply.len(), 2);
            step = dialogue.hear(&[]);
        }
        match step {
            Step::More => assert!(heard <= MAX_HEARD, "{heard} bytes and no end"),
            Step::Connect {
                version,
                host,
                data,
                ..
            } => {
                assert!(host.len() <= 255 && data.len() <= heard);
                assert!(!version.granted().is_empty());
                assert!(!version.refused(Failure::General).is_empty());
                return;
            }
            Step::Fail(answer) => {
                assert!(answer.len() <= 64);
                return;
            }
            Step::Reply(_) => unreachable!(),
        }
    }
}

/// The beginning of an X11 connection.
pub(crate) fn x11(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else {
        return;
    };
    let (expected, real) = ([1; COOKIE_BYTES], [2; COOKIE_BYTES]);
    let mut check = SetupCheck::new(&expected, &real);
    let mut heard = 0;
    for piece in bytes.chunks(usize::from(*size).max(1)) {
        heard += piece.len();
        match check.hear(piece) {
            Checked::More => assert!(heard <= MAX_HEARD),
            Checked::Good(beginning) => {
                let holds = |bytes: &[u8], cookie: &[u8]| {
                    bytes.windows(cookie.len()).any(|window| window == cookie)
                };
                assert!(holds(&bytes[..heard], &expected) && holds(&beginning, &real));
                return;
            }
            Checked::Bad => return,
        }
    }
}
