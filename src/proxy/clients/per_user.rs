//! How many clients of each user are logged in.

use std::sync::Mutex;

use rustc_hash::FxHashMap;

use super::{Admission, lock};

/// Counts by account name; who has none is not in it.
#[derive(Debug, Default)]
pub(super) struct PerUser(Mutex<FxHashMap<Vec<u8>, usize>>);

impl PerUser {
    /// One more of this user, unless `max` are there; then how many are.
    fn enter(&self, user: &[u8], max: Option<usize>) -> Result<(), usize> {
        let mut all = lock(&self.0);
        let count = all.get(user).copied().unwrap_or(0);
        if max.is_some_and(|max| count >= max) {
            return Err(count);
        }
        all.insert(user.to_vec(), count + 1);
        Ok(())
    }

    /// One less.
    pub fn leave(&self, user: &[u8]) {
        let mut all = lock(&self.0);
        match all.get_mut(user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(all.remove(user)),
        }
    }
}

impl Admission {
    /// The client has proved to be this user; the one it was before it is no more.
    ///
    /// # Errors
    /// `max` clients of this user are here already: how many. The client is who it was.
    pub fn become_user(&self, user: &[u8], max: Option<usize>) -> Result<(), usize> {
        let before = lock(&self.entry.about).user.clone();
        if before.as_deref() == Some(user) {
            return Ok(());
        }
        self.clients.per_user.enter(user, max)?;
        let before = lock(&self.entry.about).user.replace(user.to_vec());
        before.iter().for_each(|before| self.clients.per_user.leave(before));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Clients;

    #[test]
    fn each_user_has_a_bound_and_a_place_is_free_again() {
        let clients = Arc::new(Clients::default());
        let [one, two, three] = [(); 3].map(|()| clients.admit(9).expect("room"));
        assert_eq!(one.become_user(b"app", Some(2)), Ok(()));
        assert_eq!(two.become_user(b"app", Some(2)), Ok(()));
        assert_eq!(three.become_user(b"app", Some(2)), Err(2));
        assert_eq!(three.become_user(b"other", Some(2)), Ok(()));
        assert_eq!(two.become_user(b"app", Some(1)), Ok(()), "it is that user already");
        drop(one);
        assert_eq!(three.become_user(b"app", Some(2)), Ok(()));
        assert_eq!(two.become_user(b"other", Some(1)), Ok(()), "the third one left that place");
    }
}
