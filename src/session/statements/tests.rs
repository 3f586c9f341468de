//! Ids, copies and what is closed first, against a model too.

use std::collections::BTreeSet;

use super::*;
use proptest::prelude::*;

const SHAPE: Shape = Shape { params: 1, columns: 2 };

fn prepared(template: &Arc<Template>) -> Prepared {
    let dialect = Dialect { mariadb: true, ..Dialect::default() };
    let (state, summary) = (State::default(), Summary::default());
    Prepared {
        template: template.clone(),
        shape: SHAPE,
        state,
        dialect,
        summary,
        types: None,
        history: None,
        lies_with: None,
    }
}

fn key(text: &str, schema: &str) -> Key {
    let bytes = |text: &str| Box::from(text.as_bytes());
    Key {
        text: bytes(text),
        schema: Some(bytes(schema)),
        sql_mode: bytes(""),
        charset: bytes(""),
        settings: bytes(""),
        user: bytes("u"),
        copy: 0,
    }
}

#[test]
fn the_same_text_under_the_same_schema_is_one_statement() {
    let mut registry = Registry::default();
    let one = registry.intern(key("SELECT ?", "a"));
    assert!(Arc::ptr_eq(&one, &registry.intern(key("SELECT ?", "a"))));
    let other = registry.intern(key("SELECT ?", "b"));
    assert!(!Arc::ptr_eq(&one, &other));
    assert_eq!(registry.len(), 2);
    drop((one, other));
    registry.sweep();
    assert!(registry.is_empty() && registry.known.is_empty());
}

#[test]
fn a_clients_statements_of_one_text_are_copies() {
    let mut registry = Registry::default();
    let mut client = ClientStatements::default();
    let mut add = |client: &mut ClientStatements, text: &str| {
        let template = registry.intern(client.another(key(text, "a")));
        let copy = template.key.copy;
        (copy, client.add(prepared(&template), 9).expect("room"))
    };
    assert_eq!([add(&mut client, "x"), add(&mut client, "x"), add(&mut client, "y")], [(0, 1), (1, 2), (0, 3)]);
    client.close(1);
    assert_eq!(add(&mut client, "x"), (0, 4));
    assert_eq!(add(&mut ClientStatements::default(), "x"), (0, 1), "of two clients, the same");
}

#[test]
fn a_text_prepared_again_and_again_is_not_compared_with_all_before() {
    let mut registry = Registry::default();
    let mut client = ClientStatements::default();
    let text = "x".repeat(100);
    for copy in 0..50_000 {
        let template = registry.intern(client.another(key(&text, "a")));
        assert_eq!(template.key.copy, copy);
        client.add(prepared(&template), 50_000).expect("room");
    }
    client.close(7);
    client.close(5);
    assert_eq!(client.another(key(&text, "a")).copy, 4, "the first that is not in use");
}

#[test]
fn a_clients_ids_stay_and_are_not_used_twice() {
    let template = Registry::default().intern(key("SELECT ?", "a"));
    let mut client = ClientStatements::default();
    let first = client.add(prepared(&template), 2).expect("room");
    let second = client.add(prepared(&template), 2).expect("room");
    assert_eq!((first, second, client.add(prepared(&template), 2)), (1, 2, Err(TooMany)));
    assert_eq!(client.resolve(LAST_PREPARED), 2);
    assert!(client.get(LAST_PREPARED).is_some() && client.get(3).is_none());
    assert!(client.close(1).is_some() && client.close(1).is_none());
    assert_eq!(client.add(prepared(&template), 2), Ok(3), "1 may still be on its way");
    client.open.as_mut().expect("some").given = LAST_PREPARED - 1;
    client.close(2);
    assert_eq!(client.add(prepared(&template), 2), Ok(1), "round, and past those in use");
    client.clear();
    assert!(client.is_empty());
    assert_eq!(client.add(prepared(&template), 2), Ok(2), "not 1 again");
    client.forget_latest();
    assert!(client.get(LAST_PREPARED).is_none() && client.get(2).is_some());
}

#[test]
fn mysql_knows_no_last_one() {
    let template = Registry::default().intern(key("SELECT ?", "a"));
    let mut client = ClientStatements::default();
    client.add(Prepared { dialect: Dialect::default(), ..prepared(&template) }, 9).expect("room");
    assert_eq!(client.resolve(LAST_PREPARED), LAST_PREPARED);
    assert!(client.get(LAST_PREPARED).is_none() && client.close(LAST_PREPARED).is_none() && client.get(1).is_some());
}

#[test]
fn a_backend_prepares_when_first_needed_and_closes_the_least_recently_used() {
    let mut registry = Registry::default();
    let [a, b, c] = ["a", "b", "c"].map(|text| registry.intern(key(text, "s")));
    let mut backend = BackendStatements::default();
    assert_eq!(backend.need(&a), Need::Prepare);
    assert_eq!(backend.prepared(a.clone(), 10, SHAPE, 2), [0u32; 0]);
    assert_eq!(backend.prepared(b.clone(), 11, SHAPE, 2), [0u32; 0]);
    assert_eq!(backend.need(&a), Need::Ready(10));
    assert_eq!(backend.prepared(c.clone(), 12, SHAPE, 2), [11], "b was used longest ago");
    assert_eq!(
        [backend.need(&a), backend.need(&b), backend.need(&c)],
        [Need::Ready(10), Need::Prepare, Need::Ready(12)]
    );
    assert_eq!(backend.prepared(a.clone(), 13, SHAPE, 2), [10], "prepared again");
    assert_eq!(backend.forget(&a), Some(13));
    assert_eq!(backend.texts().collect::<Vec<_>>(), [b"c"]);
    backend.clear();
    assert!(backend.is_empty() && backend.need(&c) == Need::Prepare);
}

#[test]
fn a_statement_that_had_a_cursor_has_none_when_it_is_prepared_again() {
    let template = Registry::default().intern(key("SELECT ?", "a"));
    let mut backend = BackendStatements::default();
    backend.note_cursor(&template);
    backend.prepared(template.clone(), 7, SHAPE, 9);
    assert!(!backend.had_cursor(&template));
    backend.note_cursor(&template);
    assert!(backend.had_cursor(&template));
    backend.prepared(template.clone(), 8, SHAPE, 9);
    assert!(!backend.had_cursor(&template));
}

#[test]
fn another_shape_is_told() {
    let shape = |params, columns| Shape { params, columns };
    assert_eq!(Told::of(SHAPE, SHAPE), Told::Same);
    assert_eq!(Told::of(SHAPE, shape(1, 3)), Told::Columns);
    assert_eq!(Told::of(SHAPE, shape(2, 2)), Told::Params);
    let template = Registry::default().intern(key("SELECT *", "a"));
    let mut client = ClientStatements::default();
    let id = client.add(prepared(&template), 9).expect("room");
    client.set_shape(id, shape(1, 3));
    assert_eq!(client.get(id).map(|prepared| prepared.shape), Some(shape(1, 3)));
}

#[test]
fn types_are_sent_where_the_backend_knows_others() {
    let template = Registry::default().intern(key("SELECT ?", "a"));
    let mut client = ClientStatements::default();
    let id = client.add(prepared(&template), 9).expect("room");
    client.set_types(LAST_PREPARED, &[3, 0], false);
    assert_eq!(client.get(id).and_then(|prepared| prepared.types.as_deref()), Some(&[3u8, 0][..]));
    let mut backend = BackendStatements::default();
    backend.prepared(template.clone(), 7, SHAPE, 9);
    assert!(backend.must_send_types(&template, Some(&[3, 0])));
    assert!(!backend.must_send_types(&template, Some(&[3, 0])));
    assert!(backend.must_send_types(&template, Some(&[8, 0])), "another client's");
}

/// As it is meant: by a look at each open statement.
fn first_unused(client: &ClientStatements, key: &Key) -> u32 {
    let all = client.open.iter().flat_map(|open| open.by_id.values()).map(|prepared| &prepared.template.key);
    let used: BTreeSet<u32> = all.filter(|own| own.is_copy_of(key)).map(|own| own.copy).collect();
    (0..).find(|copy| !used.contains(copy)).expect("one")
}

proptest! {
    #[test]
    fn another_is_the_first_copy_that_is_not_open(
        steps in proptest::collection::vec((0..4usize, 0..3u32, 1..30u32), 1..120),
    ) {
        let mut registry = Registry::default();
        let mut client = ClientStatements::default();
        for (which, what, id) in steps {
            let new = key(["x", "y"][which % 2], ["a", "b"][which / 2]);
            let another = client.another(new.clone());
            prop_assert_eq!(another.copy, first_unused(&client, &new));
            prop_assert!(another.is_copy_of(&new));
            // Nothing but `another` gives numbers, and yet one may be there twice.
            let template = registry.intern(if what == 2 { new } else { another });
            match what {
                0 => drop(client.close(id)),
                _ => drop(client.add(prepared(&template), 20)),
            }
            let open = client.open.iter().flat_map(|open| open.copies.values().flatten());
            prop_assert_eq!(open.map(|copies| copies.open.len()).sum::<usize>(), client.len());
        }
    }

    #[test]
    fn a_backend_never_has_more_than_its_limit(uses in proptest::collection::vec(0..12usize, 1..200), max in 1..6usize) {
        let mut registry = Registry::default();
        let all: Vec<_> = (0..12).map(|n| registry.intern(key(&n.to_string(), "s"))).collect();
        let (mut backend, mut open, mut next) = (BackendStatements::default(), BTreeMap::new(), 0);
        for which in uses {
            match backend.need(&all[which]) {
                Need::Ready(id) => prop_assert_eq!(open.get(&id), Some(&which)),
                Need::Prepare => {
                    prop_assert!(!open.values().any(|own| *own == which));
                    next += 1;
                    for closed in backend.prepared(all[which].clone(), next, SHAPE, max) {
                        prop_assert!(open.remove(&closed).is_some(), "{closed} was not open");
                    }
                    open.insert(next, which);
                }
            }
            prop_assert!(open.len() <= max && backend.len() == open.len() && backend.order.len() == open.len());
        }
    }
}
