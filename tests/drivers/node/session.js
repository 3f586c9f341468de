// The session that the Node drivers share: their common callback API, one line printed per observation, nothing that differs between two runs.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');

const env = process.env;
const SCHEMA = env.TG_SCHEMA;
const OTHER = SCHEMA + '_other';
const TLS = env.TG_TLS === '1';
const BIG = 17 * 1024 * 1024;
const FULL_PACKET = 0xffffff - 4;

function mask(text) {
  return text.replace(/'[^']*'@'[^']*'/g, "'USER'@'HOST'").split(SCHEMA).join('SCHEMA');
}

function digest(data) {
  return crypto.createHash('md5').update(data).digest('hex').slice(0, 12);
}

function show(value) {
  if (Buffer.isBuffer(value)) return `bytes(${value.length}) ${value.subarray(0, 20).toString('hex')} ${digest(value)}`;
  if (typeof value === 'string' && value.length > 300) return `str(${value.length}) ${digest(value)}`;
  if (Array.isArray(value)) return '[' + value.map(show).join(', ') + ']';
  if (value instanceof Date) return value.toISOString();
  if (value && typeof value === 'object') return '{' + Object.keys(value).map((key) => `${key}=${show(value[key])}`).join(', ') + '}';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function out(what, ...values) {
  console.log(mask(`${what}: ` + values.map(show).join(' | ')));
}

class Session {
  constructor(driver) {
    this.driver = driver;
  }

  options(more) {
    return Object.assign({
      host: env.TG_HOST, port: Number(env.TG_PORT), user: env.TG_USER, password: env.TG_PASSWORD, database: SCHEMA, charset: 'utf8mb4',
      dateStrings: true, supportBigNumbers: true, bigNumberStrings: true, ssl: TLS ? { rejectUnauthorized: false } : undefined,
    }, more);
  }

  connect(more) {
    const connection = this.driver.createConnection(this.options(more));
    connection.on('error', () => {});
    return new Promise((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve(connection))));
  }

  query(connection, sql, values) {
    return new Promise((resolve, reject) => connection.query(sql, values, (error, rows) => (error ? reject(error) : resolve(rows))));
  }

  rows(connection, sql, values) {
    return this.query(connection, { sql, values, rowsAsArray: true }).then((rows) => rows.map((row) => Object.values(row)));
  }

  call(connection, method, ...values) {
    return new Promise((resolve, reject) => connection[method](...values, (error, result) => (error ? reject(error) : resolve(result))));
  }

  async attempt(what, action) {
    try {
      out(what, await action());
    } catch (error) {
      out(what, error.code, error.errno, error.sqlState, error.sqlMessage || error.message, Boolean(error.fatal));
    }
  }

  async run(extra) {
    const steps = ['types', 'parameters', 'manyRows', 'bigRow', 'results', 'transactions', 'lockWait', 'errors', 'warnings', 'counts',
      'streaming', 'loadData', 'charsets', 'schemas', 'logins', 'changeUser', 'kill', 'encrypted'];
    try {
      await this.prepare();
      for (const step of steps.map((name) => this[name]).concat(extra)) {
        out('== ' + step.name);
        const connection = await this.connect();
        await step.call(this, connection);
        await this.call(connection, 'end');
      }
    } finally {
      const connection = await this.connect({ database: undefined });
      await this.query(connection, `DROP DATABASE IF EXISTS ${SCHEMA}`);
      await this.query(connection, `DROP DATABASE IF EXISTS ${OTHER}`);
      await this.call(connection, 'end');
    }
  }

  async prepare() {
    const connection = await this.connect({ database: undefined });
    out('no schema', await this.rows(connection, 'SELECT DATABASE()'));
    for (const name of [SCHEMA, OTHER]) {
      await this.query(connection, `DROP DATABASE IF EXISTS ${name}`);
      await this.query(connection, `CREATE DATABASE ${name} DEFAULT CHARACTER SET utf8mb4`);
    }
    await this.query(connection, `USE ${SCHEMA}`);
    const statements = fs.readFileSync(path.join(__dirname, '..', 'tables.sql'), 'utf8').split(';;\n');
    for (const statement of statements) {
      if (statement.trim()) await this.query(connection, statement);
    }
    out('server', await this.rows(connection, 'SELECT VERSION()'));
    await this.call(connection, 'end');
  }

  async types(connection) {
    await new Promise((resolve, reject) => connection.query('SELECT * FROM every_type ORDER BY id', (error, rows, fields) => {
      if (error) return reject(error);
      for (const field of fields) out('column', field.name, field.type, field.flags, field.table);
      for (const row of rows) out('row', row);
      resolve();
    }));
    out('computed', await this.rows(connection, "SELECT 1, NULL, -1.50, 1e3, 'a', x'00ff', DATE'2024-02-29', 1=1, 18446744073709551615"));
    out('empty', await this.rows(connection, 'SELECT * FROM every_type WHERE id < 0'));
  }

  async parameters(connection) {
    const every = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    const values = [[-1, '18446744073709551615', 1.5, '-12.34567', "Zürich 日本語 😀 ' \" \\ \0 end", every, '2024-02-29 12:34:56.000789', '1999-12-31', '-30:00:00.000005'],
      [null, null, null, null, null, null, null, null, null]];
    out('inserted', (await this.query(connection, 'INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES ?', [values])).affectedRows);
    out('rows', await this.rows(connection, 'SELECT * FROM param ORDER BY id'));
    out('names', await this.rows(connection, 'SELECT ?? FROM ?? WHERE n IN (?) ORDER BY n', ['n', 'digit', [1, 3, 5]]));
  }

  async manyRows(connection) {
    const rows = await this.query(connection, 'SELECT n, s FROM many ORDER BY n');
    out('stored', rows.length, rows.reduce((total, row) => (total * 31 + Number(row.n) + row.s.length) % 1000000007, 0));
  }

  async bigRow(connection) {
    const [[allowed]] = await this.rows(connection, 'SELECT @@max_allowed_packet');
    if (Number(allowed) < BIG + 1024 * 1024) return out('max_allowed_packet is too small');
    const text = '0123456789abcdef'.repeat(BIG / 16);
    const [[back]] = await this.rows(connection, 'SELECT ? AS big', [text]);
    out('17 MiB there and back', back.length, back.toString() === text);
    for (const size of [FULL_PACKET - 1, FULL_PACKET, FULL_PACKET + 1]) {
      const [[row]] = await this.rows(connection, "SELECT REPEAT('x', ?)", [size]);
      out('edge of a packet', row.length, row.toString() === 'x'.repeat(size));
    }
  }

  async results() {
    const connection = await this.connect({ multipleStatements: true });
    for (const sql of ['SELECT 1; UPDATE account SET amount = amount WHERE id = 1; SELECT 2, 3; DO 1; SELECT n FROM digit WHERE n < 2 ORDER BY n',
      'CALL three_results(7, @b)', 'SELECT @b', 'SELECT 1; SELECT * FROM missing; SELECT 2', 'CALL fails_half_way()', "SELECT 'alive'"]) {
      await this.attempt(sql, () => this.query(connection, sql));
    }
    await this.call(connection, 'end');
  }

  async transactions(connection) {
    const other = await this.connect();
    const amount = 'SELECT amount FROM account WHERE id = 1';
    await this.call(connection, 'beginTransaction');
    await this.query(connection, 'UPDATE account SET amount = 150 WHERE id = 1');
    out('seen by me, by the other', await this.rows(connection, amount), await this.rows(other, amount));
    await this.call(connection, 'rollback');
    out('after rollback', await this.rows(connection, amount));
    await this.call(connection, 'beginTransaction');
    await this.query(connection, 'UPDATE account SET amount = 160 WHERE id = 1');
    await this.query(connection, 'SAVEPOINT a');
    await this.query(connection, 'UPDATE account SET amount = 170 WHERE id = 1');
    await this.query(connection, 'ROLLBACK TO SAVEPOINT a');
    await this.attempt('no such savepoint', () => this.query(connection, 'ROLLBACK TO SAVEPOINT nowhere'));
    await this.call(connection, 'commit');
    out('after commit', await this.rows(other, amount));
    for (const level of ['REPEATABLE READ', 'READ COMMITTED']) {
      await this.query(connection, `SET SESSION TRANSACTION ISOLATION LEVEL ${level}`);
      await this.call(connection, 'beginTransaction');
      const before = await this.rows(connection, amount);
      await this.query(other, 'UPDATE account SET amount = amount + 1 WHERE id = 1');
      out(level, before, await this.rows(connection, amount));
      await this.call(connection, 'rollback');
    }
    const leaving = await this.connect();
    await this.call(leaving, 'beginTransaction');
    await this.query(leaving, 'UPDATE account SET amount = 0 WHERE id = 1');
    leaving.destroy();
    out('a lost client is rolled back', await this.rows(other, amount + ' FOR UPDATE'));
    await this.call(other, 'end');
  }

  async lockWait(connection) {
    const other = await this.connect();
    await this.query(other, 'SET innodb_lock_wait_timeout = 1');
    await this.call(connection, 'beginTransaction');
    await this.query(connection, 'UPDATE account SET amount = 5 WHERE id = 1');
    await this.attempt('lock wait', () => this.query(other, 'UPDATE account SET amount = 6 WHERE id = 1'));
    await this.call(connection, 'rollback');
    await this.call(other, 'end');
  }

  async errors(connection) {
    await this.query(connection, "INSERT INTO ticket (name) VALUES ('taken')");
    for (const sql of ['SELEKT 1', 'SELECT * FROM missing', 'SELECT missing FROM digit', "INSERT INTO ticket (name) VALUES ('taken')",
      "INSERT INTO digit VALUES ('not a number')", 'SELECT no_function(1)', 'DROP TABLE missing', 'SELECT (SELECT n FROM digit)',
      'SELECT 1; SELECT 2', 'KILL 999999999', 'CALL nothing()', "SELECT 'alive'"]) {
      await this.attempt(sql, () => this.query(connection, sql));
    }
  }

  async warnings(connection) {
    for (const sql of ["SELECT 'abc' + 0, 1/0", 'DROP TABLE IF EXISTS missing', 'SELECT 1']) {
      out(sql, await this.query(connection, sql), await this.query(connection, 'SHOW WARNINGS'));
    }
  }

  async counts(connection) {
    const inserted = await this.query(connection, "INSERT INTO ticket (name) VALUES ('a'), ('b'), ('c')");
    out('inserted', inserted.affectedRows, inserted.message, inserted.warningCount, await this.rows(connection, 'SELECT LAST_INSERT_ID() = ?', [inserted.insertId]));
    out('own id', (await this.query(connection, "INSERT INTO ticket (id, name) VALUES (1000, 'd')")).insertId);
    const ok = (result) => [result.affectedRows, result.changedRows, result.message, result.serverStatus, result.warningCount];
    out('same value', ok(await this.query(connection, "UPDATE ticket SET name = 'a' WHERE name = 'a'")));
    out('upsert', ok(await this.query(connection, "INSERT INTO ticket (id, name) VALUES (1000, 'e') ON DUPLICATE KEY UPDATE name = 'f'")));
    const changed = await this.connect({ flags: '-FOUND_ROWS' });
    out('without FOUND_ROWS', ok(await this.query(changed, "UPDATE ticket SET name = 'a' WHERE name = 'a'")));
    await this.call(changed, 'end');
  }

  streaming(connection) {
    return new Promise((resolve, reject) => {
      let count = 0;
      let total = 0;
      connection.query('SELECT n, s FROM many ORDER BY n')
        .on('error', reject)
        .on('result', (row) => {
          count += 1;
          total = (total * 31 + Number(row.n) + row.s.length) % 1000000007;
          if (count % 40000 === 0) {
            connection.pause();
            setTimeout(() => connection.resume(), 50);
          }
        })
        .on('end', () => resolve(out('streamed with pauses', count, total)));
    });
  }

  async loadData() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidegate-'));
    const file = path.join(folder, 'rows.csv');
    fs.writeFileSync(file, Array.from({ length: 20000 }, (_, n) => `${n};Zürich ${n};${n % 7}\n`).join(''));
    const connection = await this.connect({ infileStreamFactory: (name) => fs.createReadStream(name), flags: '+LOCAL_FILES' });
    const load = { sql: `LOAD DATA LOCAL INFILE '${file}' INTO TABLE loaded CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';'`, infileStreamFactory: (name) => fs.createReadStream(name) };
    out('loaded', (await this.query(connection, load)).affectedRows);
    out('sum', await this.rows(connection, 'SELECT COUNT(*), SUM(a), SUM(LENGTH(b)), SUM(c) FROM loaded'));
    await this.call(connection, 'end');
    fs.rmSync(folder, { recursive: true });
    const refused = await this.connect({ flags: '-LOCAL_FILES' });
    await this.attempt('not allowed', () => this.query(refused, load));
    await this.call(refused, 'end');
  }

  async charsets() {
    for (const charset of ['utf8mb4', 'latin1']) {
      const connection = await this.connect({ charset });
      out(charset, await this.rows(connection, 'SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection'),
        await this.rows(connection, 'SELECT HEX(c_char), HEX(?) FROM every_type WHERE id = 4', ['ASCII']));
      await this.call(connection, 'end');
    }
  }

  async schemas(connection) {
    await this.query(connection, `USE ${OTHER}`);
    out('use', await this.rows(connection, 'SELECT DATABASE()'));
    await this.attempt('unknown', () => this.query(connection, 'USE tidegate_no_such_schema'));
    await this.call(connection, 'ping');
    out('still', await this.rows(connection, 'SELECT DATABASE(), @@autocommit'));
    await this.query(connection, 'SET autocommit = 0');
    out('autocommit', await this.rows(connection, 'SELECT @@autocommit'));
  }

  async logins() {
    const cases = [['wrong password', { password: 'wrong' }], ['no password', { password: '' }], ['unknown user', { user: 'tidegate_nobody' }],
      ['unknown schema', { database: 'tidegate_no_such_schema' }]];
    for (const [what, options] of cases) await this.attempt(what, () => this.connect(options));
  }

  async changeUser(first) {
    // MySQL 5.6 refuses mysql2's packet where connect attributes were agreed on; tidegate asks it for none, and it works.
    if (String((await this.query(first, 'SELECT VERSION() AS version'))[0].version).startsWith('5.6')) return;
    for (const password of [env.TG_PASSWORD, 'wrong']) {
      const connection = await this.connect();
      await this.query(connection, 'SET @a = 1');
      await this.attempt('change', () => this.call(connection, 'changeUser', { user: env.TG_USER, password, database: OTHER })
        .then(() => this.rows(connection, 'SELECT DATABASE(), @a')));
      connection.destroy();
    }
  }

  async kill(connection) {
    const other = await this.connect();
    const runs = 'SELECT COUNT(*) AS running FROM information_schema.processlist WHERE info LIKE ? AND state = "User sleep"';
    const began = Date.now();
    const killed = this.attempt('killed', () => this.query(connection, `SELECT SLEEP(30), '${SCHEMA}'`));
    for (let tries = 0; Number((await this.query(other, runs, [`SELECT SLEEP%${SCHEMA}%`]))[0].running) !== 1; tries++) {
      if (tries > 1000) throw new Error('the statement never began');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await this.query(other, `KILL QUERY ${connection.threadId}`);
    await killed;
    out('at once', Date.now() - began < 15000, await this.rows(connection, "SELECT 'alive'"));
    await this.call(other, 'end');
  }

  async encrypted(connection) {
    const stream = connection.stream || connection._socket;
    out('tls as asked', Boolean(stream.encrypted || connection.config.ssl) === TLS);
  }
}

module.exports = { Session, out, OTHER, SCHEMA };
