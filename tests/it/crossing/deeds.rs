//! What a writer does: each deed writes values with its tag and reads them back in another way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::writer::Writer;
use crate::crowd::Trouble;

type Deed = fn(&mut Writer<'_>) -> Result<(), Trouble>;

/// The more often, the more weight.
const DEEDS: &[Deed] = &[
    own_row,
    own_row,
    user_variable,
    user_variable,
    remembers,
    remembers,
    assigned_variable,
    temporary_table,
    insert_id,
    prepared,
    prepared,
    transaction,
    transaction,
    rolled_back,
    big_row,
    many_rows,
    warning,
    error,
    several_results,
    user_lock,
    kills,
    vanishes,
    vanishes_in_a_transaction,
    gives_up,
];

/// One at random.
pub fn one(writer: &mut Writer<'_>) -> Result<(), Trouble> {
    let deed = *writer.random.pick(DEEDS);
    deed(writer)
}

fn own_row(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let (who, tag) = (w.number, w.tag.clone());
    w.ask(&format!("INSERT INTO crossing.notes (who, tag) VALUES ({who}, '{tag}')"))?;
    w.expect(&format!("SELECT tag FROM crossing.notes WHERE who = {who} ORDER BY id DESC LIMIT 1"), &[&[&tag]])?;
    if w.random.chance(20) {
        w.ask(&format!("DELETE FROM crossing.notes WHERE who = {who}"))?;
    }
    Ok(())
}

/// Sets what [`remembers`] asks for, perhaps much later.
pub fn user_variable(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    w.mine = None;
    w.ask(&format!("SET @mine = '{tag}'"))?;
    w.mine = Some(tag);
    Ok(())
}

/// Its own variable, or none.
pub fn remembers(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let Some(mine) = w.mine.clone() else {
        return user_variable(w);
    };
    w.expect("SELECT @mine, @never_set", &[&[&mine, "NULL"]])
}

fn assigned_variable(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    w.expect(&format!("SELECT @assigned := CONCAT('{tag}', '!')"), &[&[&format!("{tag}!")]])?;
    w.expect("SELECT @assigned", &[&[&format!("{tag}!")]])
}

fn temporary_table(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    w.ask("CREATE TEMPORARY TABLE crossing.own (tag VARCHAR(60))")?;
    w.ask(&format!("INSERT INTO crossing.own VALUES ('{tag}')"))?;
    w.expect("SELECT tag FROM crossing.own", &[&[&tag]])?;
    w.ask("DROP TEMPORARY TABLE crossing.own")?;
    Ok(())
}

fn insert_id(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let (who, tag) = (w.number, w.tag.clone());
    w.ask(&format!("INSERT INTO crossing.notes (who, tag) VALUES ({who}, '{tag}')"))?;
    let id = w.ask("SELECT LAST_INSERT_ID()")?.concat().concat();
    w.expect(
        &format!("SELECT id, who FROM crossing.notes WHERE tag = '{tag}' AND who = {who}"),
        &[&[&id, &who.to_string()]],
    )
}

fn prepared(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    let statement = w.client.prepare("SELECT CONCAT(?, '/', ?), REPEAT(?, 3)")?;
    for round in 0..3 {
        let second = format!("{tag}r{round}");
        w.scene.statements.fetch_add(1, Ordering::Relaxed);
        let seen = w.client.execute(statement, &[&tag, &second, &tag])?.rows;
        let expected = [[format!("{tag}/{second}"), tag.repeat(3)]];
        assert!(seen == expected, "a prepared statement shows {seen:?} and not {expected:?}");
    }
    w.client.send_command(&[&[0x19][..], &statement.id.to_le_bytes()].concat())?;
    Ok(())
}

fn transaction(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let who = w.number;
    w.ask("BEGIN")?;
    if w.changes_nothing(&format!("UPDATE crossing.counters SET n = n + 1 WHERE who = {who}"))? {
        return w.ask("ROLLBACK").map(drop);
    }
    let next = (w.counter + 1).to_string();
    w.expect(&format!("SELECT n FROM crossing.counters WHERE who = {who}"), &[&[&next]])?;
    w.ask("COMMIT")?;
    w.counter += 1;
    w.expect(&format!("SELECT n FROM crossing.counters WHERE who = {who}"), &[&[&next]])
}

fn rolled_back(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let who = w.number;
    w.ask("START TRANSACTION")?;
    w.ask(&format!("UPDATE crossing.counters SET n = 999999 WHERE who = {who}"))?;
    w.ask("ROLLBACK")?;
    let counter = w.counter.to_string();
    w.expect(&format!("SELECT n FROM crossing.counters WHERE who = {who}"), &[&[&counter]])
}

fn big_row(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let (tag, times) = (w.tag.clone(), 1 + w.random.below(20_000));
    w.expect(&format!("SELECT REPEAT('{tag}', {times})"), &[&[&tag.repeat(times)]])
}

fn many_rows(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    let rows = w.ask(&format!("SELECT CONCAT('{tag}', '-', who) FROM crossing.counters ORDER BY who"))?;
    let is_own = |(who, row): (usize, &Vec<String>)| row[..] == [format!("{tag}-{who}")];
    assert!(rows.len() == super::WRITERS && rows.iter().enumerate().all(is_own), "{tag} reads {rows:?}");
    Ok(())
}

fn warning(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    w.ask(&format!("SELECT CAST('{tag}' AS SIGNED)"))?;
    let warnings = w.ask("SHOW WARNINGS")?;
    let text = format!("Truncated incorrect INTEGER value: '{tag}'");
    assert!(warnings == [["Warning", "1292", &text]], "{tag} is warned by {warnings:?}");
    Ok(())
}

fn error(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    let Err(Trouble::Refused(refusal)) = w.client.ask(&format!("SELECT missing_{tag} FROM crossing.counters")) else {
        panic!("{tag}: a column is there that nobody made");
    };
    if refusal.code != 1054 {
        return Err(Trouble::Refused(refusal));
    }
    assert!(refusal.text.contains(&format!("'missing_{tag}'")), "{tag} hears: {}", refusal.text);
    Ok(())
}

fn several_results(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    w.expect(&format!("SELECT '{tag}'; SELECT REPEAT('{tag}', 2000); DO 1"), &[&[&tag]])
}

fn user_lock(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let who = w.number;
    w.expect(&format!("SELECT GET_LOCK('crossing {who}', 0)"), &[&["1"]])?;
    w.expect(&format!("SELECT IS_USED_LOCK('crossing {who}') = CONNECTION_ID()"), &[&["1"]])?;
    w.expect(&format!("SELECT RELEASE_LOCK('crossing {who}')"), &[&["1"]])
}

fn kills(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let Some(victim) = w.victim() else {
        return Ok(());
    };
    match w.client.ask(&format!("KILL QUERY {victim}")) {
        Ok(_) => {
            w.scene.kills.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        // It went meanwhile.
        Err(Trouble::Refused(refusal)) if refusal.code == 1094 => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

fn vanishes(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let tag = w.tag.clone();
    w.client.start(&format!("SELECT REPEAT('{tag}', 100000) FROM crossing.counters"))?;
    w.vanish();
    Ok(())
}

fn vanishes_in_a_transaction(w: &mut Writer<'_>) -> Result<(), Trouble> {
    let who = w.number;
    w.ask("BEGIN")?;
    w.ask(&format!("UPDATE crossing.counters SET n = 888888 WHERE who = {who}"))?;
    w.vanish();
    let counter = w.counter.to_string();
    w.expect(&format!("SELECT n FROM crossing.counters WHERE who = {who} FOR UPDATE"), &[&[&counter]])
}

/// A client whose own time limit is shorter than its query.
fn gives_up(w: &mut Writer<'_>) -> Result<(), Trouble> {
    w.client.set_patience(Duration::from_millis(30));
    let tag = w.tag.clone();
    let answer = w.client.ask(&format!("SELECT SLEEP(3), '{tag}'"));
    w.client.set_patience(crate::crowd::LIMIT);
    match answer {
        Err(Trouble::Refused(refusal)) => return Err(Trouble::Refused(refusal)),
        // A kill ends a SLEEP with 1.
        Ok(answer) => assert!(w.is_mortal() && answer.rows == [["1", tag.as_str()]], "{tag}: {answer:?}"),
        Err(Trouble::Gone(error)) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{tag}: {error}"),
    }
    w.vanish();
    Ok(())
}
