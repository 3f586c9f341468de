//! A client proves who it is by what tidegate knows of its account: `[[user]]`, what was learned, what the account tables say. It
//! is let in nowhere by that alone: the backend judges once more.

use crate::login::credentials::method_to_check;
use crate::login::methods::secret::{Secret, Verdict};
use crate::login::methods::{Method, is_empty_password_answer};
use crate::proxy::backend::Password;
use crate::proxy::entry::{Entry, now};
use crate::proxy::error::{Fault, access_denied};
use crate::proxy::relayed::ask_in_full;
use crate::wire::capabilities::PLUGIN_AUTH;
use crate::wire::handshake::{AuthSwitch, Login, Salt};

/// How a client's proof turned out.
pub(super) enum Proof {
    /// It knows the secret, which will do for logins at the backend.
    Known(Secret),
    /// What tidegate knows cannot tell; nothing but the first answer was exchanged with the client.
    Unknown,
    /// It does not know what tidegate does, and has given its password: the server may know that one.
    Other(Password),
}

impl Entry<'_> {
    /// Checks the client against what tidegate knows by itself.
    pub(super) async fn prove(&mut self, login: &Login, announced: &Method) -> Result<Proof, Fault> {
        let user = self.params.user.clone();
        let proxy = self.proxy;
        if let Some(secret) = proxy.credentials.configured(&user) {
            return match self.judge(login, announced, std::slice::from_ref(&secret)).await? {
                Judged::Right(secret) => Ok(Proof::Known(secret)),
                Judged::Wrong { switched: Some((_, answer)) } => Err(self.denied(&answer)),
                Judged::Wrong { switched: None } | Judged::Unjudged => Err(self.denied(&login.answer)),
            };
        }
        let known = self.proxy.known_secrets(&user, now()).await;
        match self.judge(login, announced, &known).await? {
            Judged::Right(secret) => Ok(Proof::Known(secret)),
            Judged::Wrong { switched } => self.another(login, announced, switched).await,
            Judged::Unjudged => Ok(Proof::Unknown),
        }
    }

    /// It may have another password than tidegate knows of. Who answers by caching_sha2_password is asked for it, and the server
    /// judges that.
    async fn another(
        &mut self,
        login: &Login,
        announced: &Method,
        switched: Option<(Method, Vec<u8>)>,
    ) -> Result<Proof, Fault> {
        let (method, answer) =
            switched.as_ref().map_or((announced, &login.answer), |(method, answer)| (method, answer));
        if *method == Method::CachingSha2 && !is_empty_password_answer(answer) {
            return ask_in_full(self.proxy, self.client, self.salt).await.map(Proof::Other);
        }
        match switched {
            // Only one switch is to be had: whoever was switched and is wrong by a fresh reading is refused.
            Some((method, answer)) => self.once_more(&method, &answer).await,
            None => Ok(Proof::Unknown),
        }
    }

    /// The password may have been changed since tidegate learned or read it.
    async fn once_more(&mut self, method: &Method, answer: &[u8]) -> Result<Proof, Fault> {
        match self.proxy.right_by_fresh_reading(&self.params.user, method, &self.salt, answer).await {
            Some(secret) => Ok(Proof::Known(secret)),
            None => Err(self.denied(answer)),
        }
    }

    async fn judge(&mut self, login: &Login, announced: &Method, secrets: &[Secret]) -> Result<Judged, Fault> {
        let Some(method) = method_to_check(secrets, announced, &self.greeting_method) else {
            return Ok(Judged::Unjudged);
        };
        let (answer, switched) = if method == *announced && !self.holds_back(login, secrets) {
            (login.answer.clone(), false)
        } else if login.capabilities.has(PLUGIN_AUTH) {
            (self.switch_to(&method).await?, true)
        } else {
            return Ok(Judged::Unjudged);
        };
        Ok(match first_right(secrets, &method, &self.salt, &answer) {
            Some(secret) => {
                self.acknowledge(&method, &answer).await?;
                self.checked_by = Some(method);
                Judged::Right(secret)
            }
            None => Judged::Wrong { switched: switched.then_some((method, answer)) },
        })
    }

    /// A client whose method is not the greeting's has seen no challenge for it and waits to be asked.
    fn holds_back(&self, login: &Login, secrets: &[Secret]) -> bool {
        login.answer.is_empty()
            && login.capabilities.has(PLUGIN_AUTH)
            && announced(login) != self.greeting_method
            && !secrets.iter().any(Secret::is_empty_password)
    }

    /// The same challenge again, by another method: clients that verify certificates mix up two different ones.
    async fn switch_to(&mut self, method: &Method) -> Result<Vec<u8>, Fault> {
        let switch = AuthSwitch { method: method.name().as_bytes().to_vec(), data: [&self.salt[..], &[0]].concat() };
        self.client.write(&switch.payload()).await.map_err(Fault::of_client)?;
        self.client.read().await.map_err(Fault::of_client)
    }

    /// caching_sha2_password says "fast authentication worked" before the OK.
    async fn acknowledge(&mut self, method: &Method, answer: &[u8]) -> Result<(), Fault> {
        if *method != Method::CachingSha2 || is_empty_password_answer(answer) {
            return Ok(());
        }
        let done = [1, crate::login::methods::caching_sha2::FAST_AUTH_OK];
        self.client.write(&done).await.map_err(Fault::of_client)
    }

    fn denied(&self, answer: &[u8]) -> Fault {
        Fault::refused(access_denied(&self.params.user, &self.peer, !is_empty_password_answer(answer)))
    }

    /// Over a link that nobody reads, a caching_sha2_password client is asked for its password at once.
    pub(super) fn asks_in_full(&self, login: &Login, announced: &Method) -> bool {
        *announced == Method::CachingSha2 && self.client.stream.is_secure() && !is_empty_password_answer(&login.answer)
    }
}

enum Judged {
    Right(Secret),
    Wrong { switched: Option<(Method, Vec<u8>)> },
    Unjudged,
}

pub(super) fn first_right(secrets: &[Secret], method: &Method, salt: &Salt, answer: &[u8]) -> Option<Secret> {
    secrets.iter().find_map(|secret| match secret.check(method, salt, answer) {
        Verdict::Right(secret) => Some(secret),
        Verdict::Wrong | Verdict::Unknown => None,
    })
}

/// The method of the client's first answer; a client that names none speaks mysql_native_password.
pub(super) fn announced(login: &Login) -> Method {
    login.method.as_deref().map_or(Method::Native, Method::from_name)
}
