//! The KILLs that a client has prepared in SQL: only their text says whether a connection or its statement is meant.

use crate::sql::kill::Order;

/// The most that are known of one client.
const MAX_NAMES: usize = 64;

/// By name, in small letters.
#[derive(Debug, Default)]
pub struct PreparedKills(Vec<(Box<[u8]>, Order)>);

impl PreparedKills {
    /// `name` means this from now on; `None`: no KILL, or nobody knows.
    pub fn set(&mut self, name: &[u8], order: Option<Order>) {
        self.0.retain(|(known, _)| **known != *name);
        if let Some(order) = order.filter(|_| self.0.len() < MAX_NAMES) {
            self.0.push((name.into(), order));
        }
    }

    /// What `name` kills.
    pub fn get(&self, name: &[u8]) -> Option<&Order> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, order)| order)
    }

    /// A reset or a change of user ends all.
    pub fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::kill::order;
    use crate::sql::lexer::Dialect;

    #[test]
    fn a_name_means_what_was_prepared_last() {
        let kill = |sql: &str| order(sql.as_bytes(), Dialect::default());
        let mut known = PreparedKills::default();
        known.set(b"a", kill("KILL QUERY 5"));
        known.set(b"b", kill("KILL ?"));
        known.set(b"a", kill("KILL 6"));
        assert_eq!((known.get(b"a"), known.get(b"c")), (kill("KILL 6").as_ref(), None));
        known.set(b"a", None);
        assert_eq!(known.get(b"a"), None);
        (0..2 * MAX_NAMES).for_each(|n| known.set(n.to_string().as_bytes(), kill("KILL 7")));
        assert_eq!(known.0.len(), MAX_NAMES);
    }
}
