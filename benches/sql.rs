//! What reading a statement costs: lexing, digest, effects.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::sql::digest::digest;
use tidegate::sql::effects::summary;
use tidegate::sql::lexer::{Dialect, Lexer};

const MYSQL: Dialect = Dialect { version: 80_036, ..Dialect::PLAIN };

fn statements() -> [(&'static str, String); 3] {
    [
        ("point_select", "SELECT c FROM sbtest1 WHERE id=50123".to_owned()),
        ("orm_select_2k", orm_select()),
        ("insert_64k", multi_row_insert()),
    ]
}

fn orm_select() -> String {
    let columns: Vec<_> =
        (0..18).map(|n| format!("`shop_customer`.`profile_field_{n}` AS `customer_field_{n}`")).collect();
    let joins: Vec<_> = (0..6)
        .map(|n| format!("LEFT OUTER JOIN `shop_part{n}` T{n} ON (`shop_customer`.`part_id` = T{n}.`id`)"))
        .collect();
    format!(
        "SELECT {} FROM `shop_customer` {} WHERE (`shop_customer`.`status` IN (1, 2, 3, 4) AND `shop_customer`.`name` LIKE 'A%' \
         AND COALESCE(`shop_customer`.`score`, 0) > 10) ORDER BY `shop_customer`.`created_at` ASC LIMIT 21",
        columns.join(", "),
        joins.join(" ")
    )
}

fn multi_row_insert() -> String {
    let rows: Vec<_> = (0..850)
        .map(|n| format!("({n}, {}, 'some text of row {n}', 'more text, 42 bytes or so', NULL)", n * 7))
        .collect();
    format!("INSERT INTO sbtest1 (id, k, c, pad, note) VALUES {}", rows.join(", "))
}

fn lex(sql: &[u8]) -> usize {
    let mut lexer = Lexer::new(sql, MYSQL);
    std::iter::from_fn(|| lexer.read()).count()
}

fn reading(criterion: &mut Criterion) {
    for (name, sql) in statements() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(sql.len() as u64));
        group.bench_function("lex", |bencher| bencher.iter(|| lex(black_box(sql.as_bytes()))));
        group.bench_function("digest", |bencher| bencher.iter(|| digest(black_box(sql.as_bytes()))));
        group.bench_function("effects", |bencher| bencher.iter(|| summary(black_box(sql.as_bytes()), MYSQL)));
        group.finish();
    }
}

criterion_group!(benches, reading);
criterion_main!(benches);
