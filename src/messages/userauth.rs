//! The messages of user authentication (RFC 4252). Everything decoded borrows from the payload.
//!
//! Those that keyboard-interactive adds are in [`userauth_info`](super::userauth_info).

use super::MessageNumber;
use crate::codec::{DecodeError, NameList, Reader, Writer};

/// Longest user name that is looked at.
pub const MAX_USER_BYTES: usize = 1024;
/// Method name `none` (RFC 4252 §5.2).
pub const METHOD_NONE: &str = "none";
/// Method name `password` (RFC 4252 §8).
pub const METHOD_PASSWORD: &str = "password";
/// Method name `publickey` (RFC 4252 §7).
pub const METHOD_PUBLICKEY: &str = "publickey";
/// Method name `publickey-hostbound-v00@openssh.com` (OpenSSH, PROTOCOL §3.1): publickey with the server's host key in it.
pub const METHOD_PUBLICKEY_HOSTBOUND: &str = "publickey-hostbound-v00@openssh.com";
/// Method name `keyboard-interactive` (RFC 4256 §3.1).
pub const METHOD_KEYBOARD_INTERACTIVE: &str = "keyboard-interactive";
/// Method name `hostbased` (RFC 4252 §9).
pub const METHOD_HOSTBASED: &str = "hostbased";

/// SSH_MSG_USERAUTH_REQUEST (RFC 4252 §5). The fields of the method are read apart, with
/// [`MethodFields::decode`], for what is wrong with them depends on the method.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserauthRequest<'a> {
    /// The user name.
    pub user: &'a str,
    /// The service to start after authentication.
    pub service: &'a str,
    /// The method name.
    pub method: &'a str,
    /// The bytes after the method name.
    pub fields: &'a [u8],
}

/// The fields of USERAUTH_REQUEST that come after the method name.
#[derive(Clone, PartialEq, Eq)]
pub enum MethodFields<'a> {
    /// RFC 4252 §5.2.
    None,
    /// RFC 4252 §8.
    Password {
        /// The password.
        password: &'a [u8],
        /// The password that is to replace it, when the change flag is set.
        new_password: Option<&'a [u8]>,
    },
    /// RFC 4252 §7.
    PublicKey {
        /// The signature algorithm.
        algorithm: &'a str,
        /// The public key blob.
        blob: &'a [u8],
        /// The host key that the method is bound to; there exactly in that method.
        host_key: Option<&'a [u8]>,
        /// The signature blob; without one the request is a query.
        signature: Option<&'a [u8]>,
    },
    /// RFC 4256 §3.1.
    KeyboardInteractive {
        /// The language tag, deprecated.
        language: &'a [u8],
        /// The hint of submethods.
        submethods: &'a str,
    },
    /// A method that is not known here, hostbased (RFC 4252 §9) included.
    Other,
}

/// SSH_MSG_USERAUTH_FAILURE (RFC 4252 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthFailure<'a> {
    /// The methods that can continue.
    pub methods: NameList<'a>,
    /// Whether the request that is answered was successful, and more is wanted.
    pub partial_success: bool,
}

/// SSH_MSG_USERAUTH_SUCCESS (RFC 4252 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthSuccess;

/// SSH_MSG_USERAUTH_BANNER (RFC 4252 §5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthBanner<'a> {
    /// The text, UTF-8 by the RFC.
    pub message: &'a [u8],
    /// The language tag.
    pub language: &'a [u8],
}

/// SSH_MSG_USERAUTH_PK_OK (RFC 4252 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthPkOk<'a> {
    /// The signature algorithm from the query.
    pub algorithm: &'a [u8],
    /// The public key blob from the query.
    pub blob: &'a [u8],
}

/// SSH_MSG_USERAUTH_PASSWD_CHANGEREQ (RFC 4252 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserauthPasswdChangereq<'a> {
    /// The text to show.
    pub prompt: &'a [u8],
    /// The language tag.
    pub language: &'a [u8],
}

/// A reader behind the message number, which must be `number`.
pub(super) fn open(payload: &[u8], number: MessageNumber) -> Result<Reader<'_>, DecodeError> {
    let mut r = Reader::new(payload);
    if r.u8()? == number.0 {
        Ok(r)
    } else {
        Err(DecodeError::BadValue)
    }
}

impl<'a> UserauthRequest<'a> {
    /// Reads the fields that all methods have.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = open(payload, MessageNumber::USERAUTH_REQUEST)?;
        let user = r.text()?;
        if user.len() > MAX_USER_BYTES {
            return Err(DecodeError::TooLong);
        }
        let (service, method) = (r.text()?, r.text()?);
        Ok(UserauthRequest {
            user,
            service,
            method,
            fields: r.remaining(),
        })
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::USERAUTH_REQUEST.0)
            .string(self.user)
            .string(self.service)
            .string(self.method)
            .raw(self.fields);
    }
}

impl<'a> MethodFields<'a> {
    /// Reads the fields of `request`'s method.
    pub fn decode(request: &UserauthRequest<'a>) -> Result<Self, DecodeError> {
        let mut r = Reader::new(request.fields);
        let fields = match request.method {
            METHOD_NONE => MethodFields::None,
            METHOD_PASSWORD => {
                let change = r.bool()?;
                let password = r.string()?;
                let new_password = if change { Some(r.string()?) } else { None };
                MethodFields::Password {
                    password,
                    new_password,
                }
            }
            METHOD_PUBLICKEY | METHOD_PUBLICKEY_HOSTBOUND => {
                let signed = r.bool()?;
                let (algorithm, blob) = (r.text()?, r.string()?);
                let bound = request.method == METHOD_PUBLICKEY_HOSTBOUND;
                let host_key = if bound { Some(r.string()?) } else { None };
                let signature = if signed { Some(r.string()?) } else { None };
                MethodFields::PublicKey {
                    algorithm,
                    blob,
                    host_key,
                    signature,
                }
            }
            METHOD_KEYBOARD_INTERACTIVE => MethodFields::KeyboardInteractive {
                language: r.string()?,
                submethods: r.text()?,
            },
            _ => return Ok(MethodFields::Other),
        };
        r.finish()?;
        Ok(fields)
    }

    /// Writes the fields.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match self {
            MethodFields::None | MethodFields::Other => {}
            MethodFields::Password {
                password,
                new_password,
            } => {
                w.bool(new_password.is_some()).string(password);
                if let Some(new_password) = new_password {
                    w.string(new_password);
                }
            }
            MethodFields::PublicKey {
                algorithm,
                blob,
                host_key,
                signature,
            } => {
                w.bool(signature.is_some()).string(algorithm).string(blob);
                if let Some(host_key) = host_key {
                    w.string(host_key);
                }
                if let Some(signature) = signature {
                    w.string(signature);
                }
            }
            MethodFields::KeyboardInteractive {
                language,
                submethods,
            } => {
                w.string(language).string(submethods);
            }
        }
    }
}

impl<'a> UserauthFailure<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = open(payload, MessageNumber::USERAUTH_FAILURE)?;
        let failure = UserauthFailure {
            methods: r.name_list()?,
            partial_success: r.bool()?,
        };
        r.finish()?;
        Ok(failure)
    }

    /// Writes a payload.
    pub fn encode<S: AsRef<str>>(w: &mut Writer<'_>, methods: &[S], partial_success: bool) {
        w.u8(MessageNumber::USERAUTH_FAILURE.0)
            .name_list(methods)
            .bool(partial_success);
    }
}

impl UserauthSuccess {
    /// Reads a payload.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        open(payload, MessageNumber::USERAUTH_SUCCESS)?.finish()?;
        Ok(UserauthSuccess)
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::USERAUTH_SUCCESS.0);
    }
}

impl<'a> UserauthBanner<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = open(payload, MessageNumber::USERAUTH_BANNER)?;
        let banner = UserauthBanner {
            message: r.string()?,
            language: r.string()?,
        };
        r.finish()?;
        Ok(banner)
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::USERAUTH_BANNER.0)
            .string(self.message)
            .string(self.language);
    }
}

impl<'a> UserauthPkOk<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = open(payload, MessageNumber::USERAUTH_60)?;
        let ok = UserauthPkOk {
            algorithm: r.string()?,
            blob: r.string()?,
        };
        r.finish()?;
        Ok(ok)
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::USERAUTH_60.0)
            .string(self.algorithm)
            .string(self.blob);
    }
}

impl<'a> UserauthPasswdChangereq<'a> {
    /// Reads a payload.
    pub fn decode(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = open(payload, MessageNumber::USERAUTH_60)?;
        let request = UserauthPasswdChangereq {
            prompt: r.string()?,
            language: r.string()?,
        };
        r.finish()?;
        Ok(request)
    }

    /// Writes a payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        w.u8(MessageNumber::USERAUTH_60.0)
            .string(self.prompt)
            .string(self.language);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Decoding must fail for every truncation and for one byte too many.
    pub(in crate::messages) fn exact(
        payload: &[u8],
        decodes: impl Fn(&[u8]) -> Result<(), DecodeError>,
    ) {
        assert_eq!(decodes(payload), Ok(()));
        for cut in 0..payload.len() {
            assert!(decodes(&payload[..cut]).is_err(), "cut at {cut}");
        }
        let longer = [payload, &[0]].concat();
        assert_eq!(decodes(&longer), Err(DecodeError::TrailingBytes));
        let mut other = payload.to_vec();
        other[0] ^= 0x80;
        assert!(decodes(&other).is_err(), "other number");
    }

    fn request(method: &str, fields: MethodFields<'_>) -> Vec<u8> {
        let fields = Writer::collect(|w| fields.encode(w));
        let request = UserauthRequest {
            user: "ü",
            service: "ssh-connection",
            method,
            fields: &fields,
        };
        Writer::collect(|w| request.encode(w))
    }

    fn request_round_trip(method: &str, fields: MethodFields<'_>) {
        let payload = request(method, fields.clone());
        let decoded = UserauthRequest::decode(&payload).unwrap();
        assert_eq!((decoded.user, decoded.service), ("ü", "ssh-connection"));
        assert_eq!(decoded.method, method);
        assert!(
            MethodFields::decode(&decoded).unwrap() == fields,
            "{method}"
        );
        exact(&payload, |bytes| {
            let request = UserauthRequest::decode(bytes)?;
            MethodFields::decode(&request).map(drop)
        });
    }

    #[test]
    fn requests_of_every_method() {
        request_round_trip("none", MethodFields::None);
        let password = &b"p\0\xff"[..];
        request_round_trip(
            "password",
            MethodFields::Password {
                password,
                new_password: None,
            },
        );
        request_round_trip(
            "password",
            MethodFields::Password {
                password,
                new_password: Some(b""),
            },
        );
        let (algorithm, blob) = ("ssh-ed25519", &b"blob"[..]);
        for (method, host_key) in [
            (METHOD_PUBLICKEY, None),
            (METHOD_PUBLICKEY_HOSTBOUND, Some(&b"host key"[..])),
        ] {
            for signature in [None, Some(&b"sig"[..])] {
                let fields = MethodFields::PublicKey {
                    algorithm,
                    blob,
                    host_key,
                    signature,
                };
                request_round_trip(method, fields);
            }
        }
        request_round_trip(
            "keyboard-interactive",
            MethodFields::KeyboardInteractive {
                language: b"",
                submethods: "pam,otp",
            },
        );
    }

    #[test]
    fn bytes_of_a_password_request() {
        let payload = request(
            "password",
            MethodFields::Password {
                password: b"pw",
                new_password: None,
            },
        );
        assert_eq!(
            payload,
            b"\x32\0\0\0\x02\xc3\xbc\0\0\0\x0essh-connection\0\0\0\x08password\0\0\0\0\x02pw"
        );
    }

    #[test]
    fn unknown_methods_keep_their_fields_unread() {
        let fields = b"anything at all";
        let request = UserauthRequest {
            user: "u",
            service: "s",
            method: METHOD_HOSTBASED,
            fields,
        };
        assert!(MethodFields::decode(&request) == Ok(MethodFields::Other));
    }

    #[test]
    fn user_names_are_capped_and_utf8() {
        let long = "u".repeat(MAX_USER_BYTES + 1);
        let bad = UserauthRequest {
            user: &long,
            service: "",
            method: "none",
            fields: b"",
        };
        let payload = Writer::collect(|w| bad.encode(w));
        assert_eq!(
            UserauthRequest::decode(&payload).err(),
            Some(DecodeError::TooLong)
        );
        let payload = b"\x32\0\0\0\x01\xff\0\0\0\0\0\0\0\0";
        assert_eq!(
            UserauthRequest::decode(payload).err(),
            Some(DecodeError::NotUtf8)
        );
    }

    #[test]
    fn failure_and_success() {
        let payload =
            Writer::collect(|w| UserauthFailure::encode(w, &["publickey", "password"], true));
        let failure = UserauthFailure::decode(&payload).unwrap();
        assert_eq!(failure.methods.to_vec(), ["publickey", "password"]);
        assert!(failure.partial_success);
        exact(&payload, |bytes| UserauthFailure::decode(bytes).map(drop));
        let payload = Writer::collect(|w| UserauthSuccess.encode(w));
        exact(&payload, |bytes| UserauthSuccess::decode(bytes).map(drop));
    }

    #[test]
    fn banner_pk_ok_and_changereq() {
        let banner = UserauthBanner {
            message: b"hi\n",
            language: b"en",
        };
        let payload = Writer::collect(|w| banner.encode(w));
        assert_eq!(UserauthBanner::decode(&payload), Ok(banner));
        exact(&payload, |bytes| UserauthBanner::decode(bytes).map(drop));
        let ok = UserauthPkOk {
            algorithm: b"ssh-ed25519",
            blob: b"blob",
        };
        let payload = Writer::collect(|w| ok.encode(w));
        assert_eq!(UserauthPkOk::decode(&payload), Ok(ok));
        exact(&payload, |bytes| UserauthPkOk::decode(bytes).map(drop));
        let change = UserauthPasswdChangereq {
            prompt: b"expired",
            language: b"",
        };
        let payload = Writer::collect(|w| change.encode(w));
        assert_eq!(UserauthPasswdChangereq::decode(&payload), Ok(change));
        exact(&payload, |bytes| {
            UserauthPasswdChangereq::decode(bytes).map(drop)
        });
    }
}
