// Node's mysql2 with its promise pool: text queries, prepared ones, transactions.
'use strict';
const mysql = require('mysql2/promise');
const { TG_HOST, TG_PORT, TG_USER, TG_SCHEMA, TG_REQUESTS } = process.env;

async function main() {
  const pool = mysql.createPool({
    host: TG_HOST, port: Number(TG_PORT), user: TG_USER, database: TG_SCHEMA, connectionLimit: 1, timezone: 'Z',
    charset: 'utf8mb4', namedPlaceholders: true, dateStrings: true,
  });
  await pool.query('CREATE TABLE IF NOT EXISTS n_item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60), stock INT) ENGINE=InnoDB');
  for (let number = 0; number < Number(TG_REQUESTS); number += 1) {
    await pool.query("DO 'request'");
    const [made] = await pool.execute('INSERT INTO n_item (name, stock) VALUES (?, ?)', [`item ${number}`, 5]);
    const [[item]] = await pool.execute('SELECT id, name, stock FROM n_item WHERE id = ?', [made.insertId]);
    if (item.stock !== 5) throw new Error(`stock ${item.stock}`);
    await pool.query('UPDATE n_item SET stock = stock - 1 WHERE id = :id', { id: made.insertId });
    const connection = await pool.getConnection();
    await connection.ping();
    await connection.beginTransaction();
    await connection.execute('SELECT stock FROM n_item WHERE id = ? FOR UPDATE', [made.insertId]);
    await connection.execute('UPDATE n_item SET stock = ? WHERE id = ?', [1, made.insertId]);
    await connection.commit();
    await connection.beginTransaction();
    await connection.query('DELETE FROM n_item WHERE id = ?', [made.insertId]);
    await connection.rollback();
    connection.release();
    await pool.query('DELETE FROM n_item WHERE id = ?', [made.insertId]);
  }
  await pool.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
