<?php
// PHP PDO over mysqlnd: emulated and server-side prepared statements, unbuffered rows, rowsets.
declare(strict_types=1);
require __DIR__ . '/lines.php';

function connect(array $options = [], string $schema = SCHEMA, ?string $user = null, ?string $password = null, string $charset = 'utf8mb4'): PDO {
    $dsn = 'mysql:host=' . env('TG_HOST') . ';port=' . env('TG_PORT') . ";charset=$charset" . ($schema === '' ? '' : ";dbname=$schema");
    $tls = TLS ? [PDO::MYSQL_ATTR_SSL_CA => '/etc/ssl/certs/ca-certificates.crt', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false] : [];
    return new PDO($dsn, $user ?? env('TG_USER'), $password ?? env('TG_PASSWORD'), $options + $tls + [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}

function rows(PDO $c, string $sql, array $values = []): array {
    $statement = $c->prepare($sql);
    $statement->execute($values);
    return $statement->columnCount() ? $statement->fetchAll(PDO::FETCH_NUM) : [$statement->rowCount()];
}

function attempt(string $what, callable $action): void {
    try {
        out($what, $action());
    } catch (PDOException $e) {
        out($what, $e->errorInfo ?? $e->getCode(), $e->getMessage());
    }
}

function prepare(): void {
    $c = connect(schema: '');
    foreach ([SCHEMA, OTHER] as $name) {
        $c->exec("DROP DATABASE IF EXISTS $name");
        $c->exec("CREATE DATABASE $name DEFAULT CHARACTER SET utf8mb4");
    }
    $c->exec('USE ' . SCHEMA);
    foreach (setup() as $sql) { $c->exec($sql); }
    out('server', $c->getAttribute(PDO::ATTR_SERVER_VERSION), rows($c, 'SELECT VERSION()'));
}

function statements(): void {
    foreach ([true, false] as $emulated) {
        $c = connect([PDO::ATTR_EMULATE_PREPARES => $emulated]);
        out('emulated', $emulated);
        foreach (rows($c, 'SELECT * FROM every_type WHERE id > ? ORDER BY id', [0]) as $row) { out('row', $row); }
        $every = implode('', array_map('chr', range(0, 255)));
        $insert = 'INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)';
        out('insert', rows($c, $insert, [-1, '18446744073709551615', 1.5, '-12.34567', 'Zürich 日本語 😀', $every, '2024-02-29 12:34:56.000789', '1999-12-31', '-30:00:00.000005']));
        out('insert', rows($c, $insert, array_fill(0, 9, null)));
        out('id', $c->lastInsertId() > 0, rows($c, 'SELECT * FROM param ORDER BY id'));
        out('named', rows($c, 'SELECT n FROM digit WHERE n > :low AND n < :high ORDER BY n', ['low' => 2, 'high' => 5]));
        out('stored', rolling(rows($c, 'SELECT n, s FROM many ORDER BY n')));
        foreach (WRONG as $sql) { attempt($sql, fn() => rows($c, $sql)); }
    }
}

function unbuffered(): void {
    $c = connect([PDO::MYSQL_ATTR_USE_BUFFERED_QUERY => false]);
    $statement = $c->query('SELECT n, s FROM many ORDER BY n', PDO::FETCH_NUM);
    out('streamed', rolling($statement));
    $statement = $c->query('SELECT n, s FROM many ORDER BY n', PDO::FETCH_NUM);
    out('first', $statement->fetch());
    attempt('busy', fn() => rows($c, 'SELECT 1'));
    $statement->closeCursor();
    out('free', rows($c, 'SELECT 1'));
}

function rowsets(): void {
    $c = connect([PDO::MYSQL_ATTR_MULTI_STATEMENTS => true]);
    foreach (['SELECT 1; SELECT 2, 3; DO 1; SELECT n FROM digit WHERE n < 2 ORDER BY n', 'CALL three_results(7, @b)', 'SELECT 1; SELECT * FROM missing'] as $sql) {
        attempt($sql, function () use ($c, $sql) {
            $statement = $c->query($sql);
            do {
                out('rowset', $statement->columnCount() ? $statement->fetchAll(PDO::FETCH_NUM) : $statement->rowCount());
            } while ($statement->nextRowset());
            return 'done';
        });
    }
    attempt('one only', fn() => connect([PDO::MYSQL_ATTR_MULTI_STATEMENTS => false])->exec('SELECT 1; SELECT 2'));
}

function transactions(): void {
    $c = connect();
    $other = connect();
    $amount = 'SELECT amount FROM account WHERE id = 1';
    $c->beginTransaction();
    $c->exec('UPDATE account SET amount = 150 WHERE id = 1');
    out('inside', $c->inTransaction(), rows($c, $amount), rows($other, $amount));
    $other->exec('SET innodb_lock_wait_timeout = 1');
    attempt('lock wait', fn() => $other->exec('UPDATE account SET amount = 6 WHERE id = 1'));
    $c->rollBack();
    out('rolled back', $c->inTransaction(), rows($other, $amount));
    $c->beginTransaction();
    $c->exec('UPDATE account SET amount = 160 WHERE id = 1');
    $c->exec('CREATE TABLE implicit (a INT)');
    out('an implicit commit is seen', $c->inTransaction(), rows($other, $amount));
    attempt('nothing to commit', fn() => $c->commit());
    $c->setAttribute(PDO::ATTR_AUTOCOMMIT, 0);
    out('autocommit', rows($c, 'SELECT @@autocommit'), $c->inTransaction());
}

function others(): void {
    out('same value', rows(connect(), 'UPDATE account SET amount = amount WHERE id = 1'));
    out('found rows', rows(connect([PDO::MYSQL_ATTR_FOUND_ROWS => true]), 'UPDATE account SET amount = amount WHERE id = 1'));
    out('init command', rows(connect([PDO::MYSQL_ATTR_INIT_COMMAND => 'SET @a = 5']), 'SELECT @a'));
    out('latin1', rows(connect(charset: 'latin1'), 'SELECT HEX(c_char), @@character_set_results FROM every_type WHERE id = 4'));
    out('compressed', rolling(rows(connect([PDO::MYSQL_ATTR_COMPRESS => true]), 'SELECT n, s FROM many ORDER BY n')));
    $file = infile();
    $load = "LOAD DATA LOCAL INFILE '$file' INTO TABLE loaded CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';'";
    $c = connect([PDO::MYSQL_ATTR_LOCAL_INFILE => true]);
    out('loaded', $c->exec($load), rows($c, 'SELECT COUNT(*), SUM(a), SUM(LENGTH(b)) FROM loaded'));
    attempt('not allowed', fn() => connect()->exec(str_replace($file, '/nowhere/at/all', $load)));
    $persistent = connect([PDO::ATTR_PERSISTENT => true]);
    $again = connect([PDO::ATTR_PERSISTENT => true]);
    $persistent->exec('SET @kept = 1');
    out('persistent', rows($again, 'SELECT @kept'), str_starts_with($again->getAttribute(PDO::ATTR_SERVER_INFO), 'Uptime: '));
    attempt('wrong password', fn() => connect(password: 'wrong'));
    attempt('unknown user', fn() => connect(user: 'tidegate_nobody'));
    attempt('unknown schema', fn() => connect(schema: 'tidegate_no_such_schema'));
}

try {
    prepare();
    foreach (['statements', 'unbuffered', 'rowsets', 'transactions', 'others'] as $step) {
        out("== $step");
        $step();
    }
} finally {
    $c = connect(schema: '');
    $c->exec('DROP DATABASE IF EXISTS ' . SCHEMA);
    $c->exec('DROP DATABASE IF EXISTS ' . OTHER);
}
