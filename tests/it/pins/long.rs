//! What is longer than tidegate reads: its client keeps it, and nothing else comes of it.

use super::{Pair, server};
use crate::crowd::{change_user, mode};
use crate::servers::Kind;

#[test]
fn user_variables_that_are_too_long_to_be_read_keep_the_backend() {
    let many: Vec<String> = (0..60).map(|number| format!("@v{number} = REPEAT('x', 20000)")).collect();
    // A row of more than one packet.
    let more: Vec<String> = (0..2).map(|number| format!("@v{number} = REPEAT('x', 4000000)")).collect();
    let cases = [
        ("SET @v = REPEAT('x', 1100000)".to_owned(), "SELECT LENGTH(@v)", "1100000"),
        (format!("SET {}", many.join(",")), "SELECT LENGTH(@v59)", "20000"),
        (format!("SET {}", more.join(",")), "SELECT LENGTH(@v1)", "4000000"),
        // Of a length that is read, but not carried.
        ("SET @v = REPEAT('x', 17000)".to_owned(), "SELECT LENGTH(@v)", "17000"),
        (format!("SET @v = '{}'", "x".repeat(17000)), "SELECT LENGTH(@v)", "17000"),
    ];
    for kind in Kind::here() {
        let mut pair = Pair::on(server(kind));
        for (sql, question, answer) in &cases {
            let when = &sql[..sql.len().min(30)];
            pair.holder.run(sql);
            // They may still be being read.
            pair.assert_pinned(&["user_variable", "user_variables"], when);
            assert_eq!(pair.holder.value(question), *answer, "{kind}: {when}");
            pair.assert_pinned(&["user_variable"], when);
            assert_eq!(pair.holder.value(question), *answer, "{kind}: {when}");
            change_user(&mut pair.holder);
            pair.assert_shared(when);
        }
        assert!(!pair.tidegate.log().contains("fault=\"backend\""), "{kind}: {}", pair.tidegate.log());
    }
}

#[test]
fn a_text_that_is_too_long_to_be_read_is_prepared() {
    for kind in Kind::here() {
        let mut pair = Pair::on(server(kind));
        pair.holder.run("SET @t = CONCAT('SELECT 7 /* ', REPEAT('x', 1200000), ' */')");
        pair.holder.run("PREPARE s FROM @t");
        assert_eq!(pair.holder.value("EXECUTE s"), "7", "{kind}");
        pair.assert_pinned(&["sql_prepare"], "after PREPARE");
        pair.holder.run("DEALLOCATE PREPARE s");
        pair.holder.run("SET @t = 'SELECT 8'");
        pair.holder.run("PREPARE s FROM @t");
        assert_eq!(pair.holder.value("EXECUTE s"), "8", "{kind}");
    }
}

#[test]
fn a_routine_that_is_too_long_to_be_read_keeps_the_backend() {
    if mode() != "transaction" {
        return;
    }
    for kind in Kind::here() {
        let mut pair = Pair::on(server(kind));
        let name = format!("f_long_{}", std::process::id());
        let comment = "x".repeat(1_100_000);
        pair.holder.run(&format!("CREATE FUNCTION {name}() RETURNS INT NO SQL BEGIN /* {comment} */ RETURN 7; END"));
        pair.holder.run("SET @known = 'known'");
        assert_eq!(pair.holder.value(&format!("SELECT {name}()")), "7", "{kind}");
        pair.assert_pinned(&["unexplained_state"], "after the function");
        assert_eq!(pair.holder.value("SELECT @known"), "known", "{kind}");
        pair.holder.run(&format!("DROP FUNCTION {name}"));
    }
}
