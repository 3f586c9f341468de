//! What tidegate knows of accounts, from where, and since when. Time comes in as an argument.
//!
//! `[[user]]` is fixed; what was learned from a login or read from the server's tables ages and is forgotten when refuted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};
use secrecy::ExposeSecret;

use crate::login::methods::Method;
use crate::login::methods::secret::Secret;
use crate::login::settings::{AuthSettings, User};

/// How many learned or read accounts are remembered; the oldest goes first.
const MAX_KNOWN: usize = 10_000;

/// Secrets by account name.
#[derive(Debug)]
pub struct Credentials {
    configured: Mutex<FxHashMap<Vec<u8>, Secret>>,
    recheck: Mutex<Duration>,
    learned: Mutex<FxHashMap<Vec<u8>, Known>>,
    read: Mutex<FxHashMap<Vec<u8>, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    secrets: Vec<Secret>,
    /// When the server last said so; `None`: it must be asked.
    since: Option<Instant>,
    /// Somebody's answer did not agree with it: nobody is let in by it until the server has said so again.
    doubted: bool,
}

impl Known {
    fn is_fresh(&self, recheck: Duration, now: Instant) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) <= recheck)
    }
}

impl Credentials {
    /// From the configuration; nothing is learned yet.
    pub fn new(settings: &AuthSettings) -> Credentials {
        Credentials {
            configured: Mutex::new(configured(settings)),
            recheck: Mutex::new(settings.recheck),
            learned: Mutex::default(),
            read: Mutex::default(),
        }
    }

    /// From a changed configuration. Returns the names whose password is another one now, or which are new, or gone: what
    /// was learned of them is forgotten.
    pub fn reconfigure(&self, settings: &AuthSettings) -> Vec<Vec<u8>> {
        *lock(&self.recheck) = settings.recheck;
        let now = configured(settings);
        let before = std::mem::replace(&mut *lock(&self.configured), now.clone());
        let is_other = |user: &&Vec<u8>| match (before.get(*user), now.get(*user)) {
            (Some(before), Some(now)) => !before.is_like(now),
            _ => true,
        };
        let names: FxHashSet<&Vec<u8>> = before.keys().chain(now.keys()).collect();
        let changed: Vec<_> = names.into_iter().filter(is_other).cloned().collect();
        changed.iter().for_each(|user| self.forget(user));
        changed
    }

    /// `auth.recheck`
    pub fn recheck(&self) -> Duration {
        *lock(&self.recheck)
    }

    /// The account's `[[user]]`.
    pub fn configured(&self, user: &[u8]) -> Option<Secret> {
        lock(&self.configured).get(user).cloned()
    }

    /// What a login taught, by which those who are in go on.
    pub fn learned(&self, user: &[u8]) -> Option<Secret> {
        lock(&self.learned).get(user).and_then(|known| known.secrets.first().cloned())
    }

    /// What a login taught, where a client's answer may be judged by it.
    pub fn undoubted(&self, user: &[u8]) -> Option<Secret> {
        lock(&self.learned).get(user).filter(|known| !known.doubted)?.secrets.first().cloned()
    }

    /// An account that a backend has accepted, by what is known of it.
    pub fn any_learned(&self) -> Option<(Vec<u8>, Secret)> {
        let learned = lock(&self.learned);
        let accepted = learned.iter().filter(|(_, known)| known.since.is_some());
        let latest = accepted.max_by_key(|(_, known)| known.since)?;
        Some((latest.0.clone(), latest.1.secrets.first()?.clone()))
    }

    /// Whether what a login taught was verified no longer than `auth.recheck` ago.
    pub fn is_fresh(&self, user: &[u8], now: Instant) -> bool {
        lock(&self.learned).get(user).is_some_and(|known| known.is_fresh(*lock(&self.recheck), now))
    }

    /// A backend has just accepted this secret.
    pub fn learn(&self, user: &[u8], secret: Secret, now: Instant) {
        remember(&mut lock(&self.learned), user, Known { secrets: vec![secret], since: Some(now), doubted: false });
    }

    /// A client has proved this secret by what the account tables say; no backend has accepted it yet.
    pub fn suppose(&self, user: &[u8], secret: &Secret) {
        let mut learned = lock(&self.learned);
        if !learned.get(user).is_some_and(|known| known.secrets.first().is_some_and(|own| own.is_like(secret))) {
            remember(&mut learned, user, Known { secrets: vec![secret.clone()], since: None, doubted: false });
        }
    }

    /// What the account tables said is to be read again.
    pub fn forget_read(&self, user: &[u8]) {
        lock(&self.read).remove(user);
    }

    /// A client's answer was not the one to be expected, and nobody can say now whether it was right: the next client is judged
    /// by the server. Anybody can bring that about; who is in goes on by what was learned.
    pub fn doubt(&self, user: &[u8]) {
        if let Some(known) = lock(&self.learned).get_mut(user) {
            (known.since, known.doubted) = (None, true);
        }
    }

    /// The server refused what was known of this account, or somebody may have changed it: forget it.
    pub fn forget(&self, user: &[u8]) {
        lock(&self.learned).remove(user);
        lock(&self.read).remove(user);
    }

    /// Accounts were changed: what was learned is verified at the next login, what was read is read again.
    pub fn expire_all(&self) {
        lock(&self.learned).values_mut().for_each(|known| known.since = None);
        lock(&self.read).clear();
    }

    /// Accounts were changed (GRANT, ALTER USER, ..): all that was learned or read must be verified again.
    pub fn forget_all(&self) {
        lock(&self.learned).clear();
        lock(&self.read).clear();
    }

    /// What the account tables said, if that is no older than `auth.recheck`.
    pub fn read(&self, user: &[u8], now: Instant) -> Option<Vec<Secret>> {
        let read = lock(&self.read);
        let known = read.get(user)?;
        known.is_fresh(*lock(&self.recheck), now).then(|| known.secrets.clone())
    }

    /// The account tables have just said this (nothing, where they know no hash that tidegate can use).
    pub fn set_read(&self, user: &[u8], secrets: Vec<Secret>, now: Instant) {
        remember(&mut lock(&self.read), user, Known { secrets, since: Some(now), doubted: false });
    }
}

/// The method by which a client shall prove that it knows one of `secrets`: the announced one if they can judge it,
/// else the server's usual one, else another. `None`: they can judge no answer at all.
pub fn method_to_check(secrets: &[Secret], announced: &Method, usual: &Method) -> Option<Method> {
    [announced.clone(), usual.clone(), Method::Native, Method::CachingSha2]
        .into_iter()
        .find(|method| secrets.iter().any(|secret| can_judge(secret, method)))
}

fn can_judge(secret: &Secret, method: &Method) -> bool {
    match (secret, method) {
        (Secret::Password(_), Method::Native | Method::CachingSha2) => true,
        (Secret::NativeStage1(_) | Secret::NativeStored(_), Method::Native) => true,
        (stored, Method::CachingSha2) => stored.is_empty_password(),
        _ => false,
    }
}

fn configured(settings: &AuthSettings) -> FxHashMap<Vec<u8>, Secret> {
    let secret =
        |user: &User| (user.name.as_bytes().to_vec(), Secret::password(user.password.expose_secret().as_bytes()));
    settings.users.iter().map(secret).collect()
}

fn remember(map: &mut FxHashMap<Vec<u8>, Known>, user: &[u8], known: Known) {
    if map.len() >= MAX_KNOWN && !map.contains_key(user) {
        let oldest = map.iter().min_by_key(|(_, known)| known.since).map(|(user, _)| user.clone());
        if let Some(oldest) = oldest {
            map.remove(&oldest);
        }
    }
    map.insert(user.to_vec(), known);
}

/// A panic elsewhere leaves these maps whole: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::methods::native;

    fn credentials() -> Credentials {
        Credentials::new(&AuthSettings {
            users: vec![User { name: "app".into(), password: "pw".into(), pool_size: None, max_clients: None }],
            service: None,
            recheck: Duration::from_secs(10),
            rsa_private_key: None,
            allow_local_accounts: false,
        })
    }

    #[test]
    fn what_was_learned_ages_and_is_forgotten() {
        let (known, start) = (credentials(), Instant::now());
        assert!(known.configured(b"app").is_some() && known.learned(b"app").is_none());
        known.learn(b"eve", Secret::password(b"x"), start);
        assert!(known.is_fresh(b"eve", start + Duration::from_secs(10)));
        assert!(!known.is_fresh(b"eve", start + Duration::from_secs(11)));
        assert!(known.learned(b"eve").is_some());
        known.set_read(b"eve", vec![], start);
        assert!(known.read(b"eve", start).is_some());
        assert!(known.read(b"eve", start + Duration::from_secs(11)).is_none());
        known.forget(b"eve");
        assert!(known.learned(b"eve").is_none() && known.read(b"eve", start).is_none());
    }

    #[test]
    fn what_is_doubted_lets_nobody_in_and_is_not_lost() {
        let (known, start) = (credentials(), Instant::now());
        known.learn(b"eve", Secret::password(b"x"), start);
        assert!(known.undoubted(b"eve").is_some());
        known.doubt(b"eve");
        assert!(known.undoubted(b"eve").is_none() && known.learned(b"eve").is_some() && !known.is_fresh(b"eve", start));
        known.learn(b"eve", Secret::password(b"x"), start);
        assert!(known.undoubted(b"eve").is_some());
    }

    #[test]
    fn a_new_configuration_names_who_changed_and_forgets_what_was_learned_of_them() {
        let (known, start) = (credentials(), Instant::now());
        let user = |name: &str, password: &str| User {
            name: name.into(),
            password: password.to_owned().into(),
            pool_size: None,
            max_clients: None,
        };
        let with = |users| AuthSettings {
            users,
            service: None,
            recheck: Duration::from_secs(20),
            rsa_private_key: None,
            allow_local_accounts: false,
        };
        known.learn(b"eve", Secret::password(b"x"), start);
        assert!(known.reconfigure(&with(vec![user("app", "pw")])).is_empty());
        assert!(known.is_fresh(b"eve", start + Duration::from_secs(20)));
        let mut changed = known.reconfigure(&with(vec![user("app", "other"), user("eve", "y")]));
        changed.sort();
        assert_eq!(changed, [b"app".to_vec(), b"eve".to_vec()]);
        assert!(known.learned(b"eve").is_none() && known.configured(b"eve").is_some());
        assert_eq!(known.reconfigure(&with(vec![user("eve", "y")])), [b"app".to_vec()]);
        assert!(known.configured(b"app").is_none());
    }

    #[test]
    fn no_secret_shows() {
        let known = credentials();
        known.learn(b"eve", Secret::password(b"hunter2"), Instant::now());
        let shown = format!("{known:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("\"pw\""), "{shown}");
    }

    #[test]
    fn the_announced_method_is_kept_where_it_can_be_judged() {
        let password = [Secret::password(b"x")];
        let stored = [Secret::NativeStage1(native::Stage1::of(b"x"))];
        let [native, sha2, clear] = [Method::Native, Method::CachingSha2, Method::ClearPassword];
        assert_eq!(method_to_check(&password, &sha2, &native), Some(sha2.clone()));
        assert_eq!(method_to_check(&password, &clear, &native), Some(native.clone()));
        assert_eq!(method_to_check(&password, &clear, &sha2), Some(sha2.clone()), "a new client may know no other");
        assert_eq!(method_to_check(&stored, &sha2, &sha2), Some(native.clone()));
        assert_eq!(method_to_check(&[], &native, &native), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (known, start) = (credentials(), Instant::now());
        for i in 0..MAX_KNOWN + 5 {
            known.learn(format!("u{i}").as_bytes(), Secret::password(b""), start + Duration::from_millis(i as u64));
        }
        assert_eq!(lock(&known.learned).len(), MAX_KNOWN);
        assert!(known.learned(b"u0").is_none());
    }
}
