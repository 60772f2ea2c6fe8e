//! What the server's side of user authentication says to the application, and hears from it.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::auth::Prompts;
use crate::crypto::algorithms::{self, Names};
use crate::error::CertificateFault;
use crate::keys::{Attendance, Certificate, Permissions, PublicKey, ShownKey};

/// What a server allows.
#[derive(Clone)]
pub struct ServerAuthConfig {
    /// The failure after which the connection ends.
    pub max_failures: u32,
    /// Queries about keys (requests without a signature) that are answered.
    pub max_key_queries: u32,
    /// Requests of all sorts that are answered.
    pub max_requests: u32,
    /// Time from the start to success, whatever happens in between; `None` for no limit.
    pub login_grace: Option<Duration>,
    /// The methods that FAILURE names. What is not named here is refused without a question; only `none` is
    /// always asked about. Empty by default: nothing is offered that nobody decided to offer.
    pub methods: Vec<String>,
    /// Whether the application is asked for the methods of each user.
    pub ask_methods: bool,
    /// Text for the user and its language tag.
    pub banner: Option<(String, String)>,
    /// The signature algorithms that are accepted; by default every one of this build.
    pub sig_algs: Names,
    /// Who judges keys before anybody is asked; without one no certificate is accepted.
    pub keys: Option<Arc<dyn KeyJudge>>,
    /// Whether security keys must attest that somebody has touched them, before anybody is asked.
    pub touch_required: bool,
}

/// Decides about users' keys and certificates before the application is asked. It knows the time, where the peer is, and
/// what is revoked.
pub trait KeyJudge: Send + Sync {
    /// Whether the key may be asked about; for one in a certificate also whether that holds for the user, and what it
    /// permits.
    ///
    /// # Errors
    /// Why not.
    fn judge(&self, user: &str, shown: &ShownKey) -> Result<Option<Permissions>, CertificateFault>;
}

impl Default for ServerAuthConfig {
    fn default() -> Self {
        ServerAuthConfig {
            max_failures: 6,
            max_key_queries: 15,
            max_requests: 128,
            login_grace: Some(Duration::from_secs(120)),
            methods: Vec::new(),
            ask_methods: false,
            banner: None,
            sig_algs: algorithms::user_signatures(),
            keys: None,
            touch_required: true,
        }
    }
}

/// Something the application must decide. Unanswered means no.
pub struct AuthQuestion {
    /// Handed back with the decision.
    pub id: u64,
    /// The user name as the client sent it.
    pub user: String,
    /// How many partial successes count for this user.
    pub partial_successes: u32,
    /// What is asked.
    pub kind: AuthQuestionKind,
}

/// What an [`AuthQuestion`] is about.
pub enum AuthQuestionKind {
    /// Has this user, who has just been named for the first time, methods of their own?
    Methods,
    /// May the user in without any credential?
    None,
    /// Is this the user's password?
    Password(Zeroizing<Vec<u8>>),
    /// Would this key do? Nothing is proven yet, and accepting lets nobody in.
    KeyAsked {
        /// The key that was named.
        key: PublicKey,
        /// The signature algorithm it would be used with.
        algorithm: String,
        /// The certificate that it was named in, which holds for the user.
        certificate: Option<Certificate>,
    },
    /// May the user in with this key? The client has proven that it holds it.
    KeyProven {
        /// The key whose signature was verified.
        key: PublicKey,
        /// The signature algorithm that was used.
        algorithm: String,
        /// The certificate that it was shown in, which holds for the user.
        certificate: Option<Certificate>,
        /// What the key attests, where it is a security key.
        attendance: Option<Attendance>,
    },
    /// A keyboard-interactive dialogue begins: give prompts, or decide at once.
    InteractiveStart {
        /// The client's hint, mostly empty.
        submethods: String,
    },
    /// The answers to the last prompts, as many as there were prompts.
    InteractiveAnswers {
        /// In the order of the prompts.
        answers: Vec<Zeroizing<Vec<u8>>>,
    },
}

/// The answer to an [`AuthQuestion`].
pub enum AuthDecision {
    /// Yes. For [`AuthQuestionKind::KeyAsked`] this invites a signature, for credentials it lets the user in; for
    /// [`AuthQuestionKind::Methods`] it changes nothing.
    Accept,
    /// As [`Accept`](Self::Accept), and what the user may do is limited; for the kinds about keys.
    AcceptRestricted(Box<Permissions>),
    /// This user may try these methods; for [`AuthQuestionKind::Methods`] only.
    Methods {
        /// The methods, possibly none.
        methods: Vec<String>,
    },
    /// Good, but more is wanted.
    Partial {
        /// The methods that may follow.
        methods: Vec<String>,
    },
    /// No.
    Refuse,
    /// No, and these are the methods for this user from now on.
    RefuseWith {
        /// The methods that may continue.
        methods: Vec<String>,
    },
    /// Another round of prompts; only within a keyboard-interactive dialogue.
    Prompts(Prompts),
}

/// A signature that the caller verifies, on a thread where it may take time: [`is_good`](Self::is_good).
pub struct VerifyJob {
    /// Handed back with the result.
    pub id: u64,
    /// The key that is said to have signed.
    pub key: PublicKey,
    /// The signature algorithm.
    pub algorithm: String,
    /// What must have been signed.
    pub data: Vec<u8>,
    /// The signature blob.
    pub signature: Vec<u8>,
}

impl VerifyJob {
    /// Whether the signature is good. What security keys attest was looked at before, and is part of what they sign.
    pub fn is_good(&self) -> bool {
        self.key
            .verify_unattended(&self.algorithm, &self.data, &self.signature)
    }
}

/// What happened, or is wanted from the caller.
pub enum ServerAuthEvent {
    /// Answer with [`super::ServerAuth::answer`].
    Question(AuthQuestion),
    /// Answer with [`super::ServerAuth::verified`].
    Verify(VerifyJob),
    /// SUCCESS was queued. The connection protocol may begin.
    Authenticated {
        /// Who.
        user: String,
        /// By which method, the last one where several were needed.
        method: String,
        /// What the certificates that were shown permit; `None` where none was shown.
        permissions: Option<Permissions>,
    },
    /// A key or certificate does not count, which the client is not told the reason of.
    KeyRefused {
        /// Who showed it.
        user: String,
        /// Which.
        shown: Box<ShownKey>,
        /// Why.
        fault: CertificateFault,
    },
}
