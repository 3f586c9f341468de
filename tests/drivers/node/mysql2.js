// mysql2: what it has beyond the old driver's API: server-side prepared statements, promises, compression, resets, pools.
'use strict';

const mysql2 = require('mysql2');
const { Session, out, OTHER, SCHEMA } = require('./session');

const session = new Session(mysql2);

async function prepared(connection) {
  const every = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
  const rows = [[-1, '18446744073709551615', 1.5, '-12.34567', "Zürich 日本語 😀 ' \" \\ \0 end", every, new Date('2024-02-29T12:34:56.789Z'), '1999-12-31', '-30:00:00.000005'],
    [null, null, null, null, null, null, null, null, null]];
  await session.query(connection, 'DELETE FROM param');
  for (const row of rows) {
    const result = await session.call(connection, 'execute', 'INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', row);
    out('inserted', result.affectedRows);
  }
  out('binary rows', await session.call(connection, 'execute', { sql: 'SELECT i, u, d, x, s, b, da, ti FROM param ORDER BY id', rowsAsArray: true }));
  out('binary types', await session.call(connection, 'execute', 'SELECT * FROM every_type WHERE id > ? ORDER BY id', [0]));
  const many = await session.call(connection, 'execute', 'SELECT n, s FROM many WHERE n >= ? ORDER BY n', [50000]);
  out('many', many.length, many[0], many[many.length - 1]);
  out('call', await session.call(connection, 'execute', 'CALL three_results(?, @b)', [3]));
  await session.attempt('syntax', () => session.call(connection, 'execute', 'SELEKT ?', [1]));
  await session.attempt('too few', () => session.call(connection, 'execute', 'SELECT ?, ?', [1]));
  await session.attempt('duplicate', () => session.call(connection, 'execute', 'INSERT INTO digit VALUES (?)', [1]));
  const statement = await session.call(connection, 'prepare', 'SELECT ? + 1 AS next');
  for (const n of [1, 2, 3]) out('again', await new Promise((resolve, reject) => statement.execute([n], (error, found) => (error ? reject(error) : resolve(found)))));
  statement.close();
  connection.unprepare('SELECT * FROM every_type WHERE id > ? ORDER BY id');
  out('alive', await session.rows(connection, "SELECT 'alive'"));
}

async function compressed() {
  const connection = await session.connect({ compress: true });
  const text = 'z'.repeat(1000000);
  out('there and back', (await session.rows(connection, 'SELECT ? AS big', [text]))[0][0] === text);
  const rows = await session.query(connection, 'SELECT n, s FROM many ORDER BY n');
  out('rows', rows.length, rows[99999]);
  await session.call(connection, 'end');
}

async function promises() {
  const pool = require('mysql2/promise').createPool(session.options({ connectionLimit: 3, connectAttributes: { program_name: 'tidegate-drivers' } }));
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => pool.execute('SELECT ? * 2 AS twice', [n])));
  out('pool', answers.map(([rows]) => rows[0].twice));
  const connection = await pool.getConnection();
  await connection.beginTransaction();
  await connection.query('UPDATE account SET amount = 7 WHERE id = 2');
  await connection.rollback();
  out('rolled back', (await connection.query('SELECT amount FROM account WHERE id = 2'))[0]);
  connection.release();
  await pool.end();
}

async function pipelined(connection) {
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => session.rows(connection, 'SELECT ?', [n])));
  out('in order', answers.every((rows, n) => Number(rows[0][0]) === n));
}

async function reset(connection) {
  await session.query(connection, `SET @a = 1, autocommit = 0`);
  await session.query(connection, `USE ${OTHER}`);
  if (!connection.reset) return out('no reset in this driver');
  await session.attempt('reset', () => session.call(connection, 'reset').then(() => session.rows(connection, 'SELECT @a, @@autocommit, DATABASE()')));
}

session.run([prepared, compressed, promises, pipelined, reset]).catch((error) => {
  console.error(error);
  process.exit(1);
});
