<?php
// PHP mysqli over mysqlnd: text, prepared, multi-query, unbuffered, async, change_user, compression.
declare(strict_types=1);
require __DIR__ . '/lines.php';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function connect(array $o = []): mysqli {
    $o += ['user' => env('TG_USER'), 'password' => env('TG_PASSWORD'), 'schema' => SCHEMA, 'flags' => 0, 'charset' => 'utf8mb4', 'infile' => 0];
    $c = mysqli_init();
    $c->options(MYSQLI_OPT_LOCAL_INFILE, $o['infile']);
    $c->options(MYSQLI_OPT_CONNECT_TIMEOUT, 10);
    $tls = TLS ? MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT : 0;
    $c->real_connect(env('TG_HOST'), $o['user'], $o['password'], $o['schema'], (int) env('TG_PORT'), null, $o['flags'] | $tls);
    $c->set_charset($o['charset']);
    return $c;
}

function rows(mysqli $c, string $sql): mixed {
    $result = $c->query($sql);
    return $result instanceof mysqli_result ? $result->fetch_all() : [$c->affected_rows, $c->info, $c->warning_count];
}

function attempt(string $what, callable $action): void {
    try {
        out($what, $action());
    } catch (mysqli_sql_exception $e) {
        out($what, $e->getCode(), $e->getSqlState(), $e->getMessage());
    }
}

function prepare(): void {
    $c = connect(['schema' => '']);
    out('no schema', rows($c, 'SELECT DATABASE()'));
    foreach ([SCHEMA, OTHER] as $name) {
        $c->query("DROP DATABASE IF EXISTS $name");
        $c->query("CREATE DATABASE $name DEFAULT CHARACTER SET utf8mb4");
    }
    $c->select_db(SCHEMA);
    foreach (setup() as $sql) { $c->query($sql); }
    out('server', $c->server_info, $c->server_version, $c->protocol_version, rows($c, 'SELECT VERSION()'));
    $c->close();
}

function types(mysqli $c): void {
    $result = $c->query('SELECT * FROM every_type ORDER BY id');
    foreach ($result->fetch_fields() as $f) { out('column', $f->name, $f->type, $f->flags, $f->length, $f->charsetnr, $f->decimals); }
    foreach ($result as $row) { out('row', $row); }
    out('empty', rows($c, 'SELECT * FROM every_type WHERE id < 0'));
}

function prepared(mysqli $c): void {
    $every = implode('', array_map('chr', range(0, 255)));
    $insert = $c->prepare('INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    $i = -1; $u = '18446744073709551615'; $d = 1.5; $x = '-12.34567'; $s = "Zürich 日本語 😀 ' \" \\ end"; $b = null; $dt = '2024-02-29 12:34:56.000789'; $da = '1999-12-31'; $ti = '-30:00:00.000005';
    $insert->bind_param('isdssbsss', $i, $u, $d, $x, $s, $b, $dt, $da, $ti);
    foreach (str_split($every, 100) as $piece) { $insert->send_long_data(5, $piece); }
    $insert->execute();
    out('inserted', $insert->affected_rows, $insert->insert_id);
    $i = $u = $d = $x = $s = $dt = $da = $ti = null;
    $insert->execute();
    out('inserted', $insert->affected_rows, $insert->insert_id);
    foreach ($c->execute_query('SELECT * FROM param ORDER BY id', [])->fetch_all() as $row) { out('binary row', $row); }
    foreach ($c->execute_query('SELECT * FROM every_type WHERE id > ? ORDER BY id', [0])->fetch_all() as $row) { out('binary row', $row); }
    attempt('syntax', fn() => $c->prepare('SELEKT ?'));
    attempt('duplicate', fn() => $c->execute_query('INSERT INTO digit VALUES (?)', [1]));
    $cursor = $c->prepare('SELECT n FROM digit ORDER BY n');
    $cursor->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    $cursor->execute();
    $cursor->bind_result($n);
    while ($cursor->fetch()) { out('cursor', $n); }
    $cursor->close();
    $call = $c->prepare('CALL three_results(?, @b)');
    $call->bind_param('i', $i);
    $i = 5;
    $call->execute();
    do {
        $result = $call->get_result();
        out('call', $result ? $result->fetch_all() : null);
    } while ($call->more_results() && $call->next_result());
    $call->close();
    out('alive', rows($c, 'SELECT @b'));
}

function many_and_big(mysqli $c): void {
    out('stored', rolling($c->query('SELECT n, s FROM many ORDER BY n')));
    out('unbuffered', rolling($c->query('SELECT n, s FROM many ORDER BY n', MYSQLI_USE_RESULT)));
    if (rows($c, 'SELECT @@max_allowed_packet')[0][0] < BIG + 1024 * 1024) { out('max_allowed_packet is too small'); return; }
    $text = str_repeat('0123456789abcdef', intdiv(BIG, 16));
    $back = rows($c, "SELECT '$text'")[0][0];
    out('17 MiB there and back', strlen($back), $back === $text);
    $back = $c->execute_query('SELECT ?', [$text])->fetch_row()[0];
    out('17 MiB prepared', strlen($back), $back === $text);
    foreach ([FULL_PACKET - 1, FULL_PACKET, FULL_PACKET + 1] as $size) {
        out('edge of a packet', strlen(rows($c, "SELECT REPEAT('x', $size)")[0][0]));
    }
}

function results(mysqli $c): void {
    foreach (['SELECT 1; UPDATE account SET amount = amount WHERE id = 1; SELECT 2, 3; DO 1; SELECT n FROM digit WHERE n < 2 ORDER BY n',
        'CALL three_results(7, @b)', 'SELECT @b', 'SELECT 1; SELECT * FROM missing; SELECT 2', 'CALL fails_half_way()', "SELECT 'alive'"] as $sql) {
        attempt($sql, function () use ($c, $sql) {
            $c->multi_query($sql);
            do {
                $result = $c->store_result();
                out('result', $result ? $result->fetch_all() : [$c->affected_rows, $c->info]);
            } while ($c->more_results() && $c->next_result());
            return 'done';
        });
    }
}

function transactions(mysqli $c): void {
    $other = connect();
    $amount = 'SELECT amount FROM account WHERE id = 1';
    $c->begin_transaction();
    $c->query('UPDATE account SET amount = 150 WHERE id = 1');
    out('seen', rows($c, $amount), rows($other, $amount));
    $other->query('SET innodb_lock_wait_timeout = 1');
    attempt('lock wait', fn() => rows($other, 'UPDATE account SET amount = 6 WHERE id = 1'));
    $c->savepoint('a');
    $c->query('UPDATE account SET amount = 170 WHERE id = 1');
    $c->query('ROLLBACK TO SAVEPOINT a');
    attempt('no such savepoint', fn() => $c->query('ROLLBACK TO SAVEPOINT nowhere'));
    $c->commit();
    out('committed', rows($other, $amount));
    $c->begin_transaction(MYSQLI_TRANS_START_READ_ONLY);
    attempt('read only', fn() => $c->query('DELETE FROM account'));
    $c->rollback();
    foreach (['REPEATABLE READ', 'READ COMMITTED'] as $level) {
        $c->query("SET SESSION TRANSACTION ISOLATION LEVEL $level");
        $c->begin_transaction();
        $before = rows($c, $amount);
        $other->query('UPDATE account SET amount = amount + 1 WHERE id = 1');
        out($level, $before, rows($c, $amount));
        $c->rollback();
    }
    $c->autocommit(false);
    $c->query('UPDATE account SET amount = 0 WHERE id = 1');
    out('autocommit', rows($c, 'SELECT @@autocommit'));
    $c->close();
    out('a close rolls back', rows($other, $amount . ' FOR UPDATE'));
}

function wrong(mysqli $c): void {
    foreach (WRONG as $sql) { attempt($sql, fn() => rows($c, $sql)); }
    foreach (["SELECT 'abc' + 0, 1/0", 'DROP TABLE IF EXISTS missing'] as $sql) {
        out($sql, rows($c, $sql), $c->warning_count);
        for ($w = $c->get_warnings(), $more = (bool) $w; $more; $more = $w->next()) { out('warning', $w->errno, $w->sqlstate, $w->message); }
    }
}

function counts(mysqli $c): void {
    $c->query("INSERT INTO ticket (name) VALUES ('a'), ('b'), ('c')");
    out('inserted', $c->affected_rows, $c->info, rows($c, "SELECT LAST_INSERT_ID() = {$c->insert_id}"));
    $c->query("INSERT INTO ticket (id, name) VALUES (1000, 'd')");
    out('own id', $c->insert_id);
    out('same value', rows($c, "UPDATE ticket SET name = 'a' WHERE name = 'a'"));
    out('found rows', rows(connect(['flags' => MYSQLI_CLIENT_FOUND_ROWS]), "UPDATE ticket SET name = 'a' WHERE name = 'a'"));
}

function load(): void {
    $file = infile();
    $sql = "LOAD DATA LOCAL INFILE '$file' INTO TABLE loaded CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';'";
    $c = connect(['infile' => 1]);
    out('loaded', rows($c, $sql), rows($c, 'SELECT COUNT(*), SUM(a), SUM(LENGTH(b)), SUM(c) FROM loaded'));
    attempt('no such file', fn() => @rows($c, "LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE loaded"));
    attempt('not allowed', fn() => rows(connect(), str_replace($file, '/nowhere/at/all', $sql)));
}

function state(mysqli $c): void {
    $charset = 'SELECT @@character_set_client, @@character_set_results, @@collation_connection';
    $latin = connect(['charset' => 'latin1']);
    out('latin1', $latin->character_set_name(), rows($latin, $charset), bin2hex(rows($latin, 'SELECT c_char FROM every_type WHERE id = 4')[0][0]));
    $c->set_charset('latin1');
    out('set_charset', rows($c, $charset));
    $c->query('USE ' . OTHER);
    out('use', rows($c, 'SELECT DATABASE()'));
    attempt('unknown', fn() => $c->select_db('tidegate_no_such_schema'));
    out('ping', @$c->ping(), str_starts_with($c->stat(), 'Uptime: '));
    $c->query('SET @a = 1');
    out('change_user', $c->change_user(env('TG_USER'), env('TG_PASSWORD'), SCHEMA), rows($c, 'SELECT DATABASE(), @a'));
    attempt('refused', fn() => $c->change_user(env('TG_USER'), 'wrong', SCHEMA));
    attempt('after the refusal', fn() => rows($c, 'SELECT 1'));
    $z = connect(['flags' => MYSQLI_CLIENT_COMPRESS]);
    out('compressed', rolling($z->query('SELECT n, s FROM many ORDER BY n')), strlen(rows($z, "SELECT '" . str_repeat('z', 1000000) . "'")[0][0]));
}

function logins(): void {
    foreach ([['password' => 'wrong'], ['password' => ''], ['user' => 'tidegate_nobody'], ['schema' => 'tidegate_no_such_schema']] as $o) {
        attempt(array_key_first($o), fn() => connect($o));
    }
}

function kill_query(mysqli $c): void {
    $other = connect();
    $began = microtime(true);
    $c->query("SELECT SLEEP(30), '" . SCHEMA . "'", MYSQLI_ASYNC);
    wait_until(fn() => rows($other, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%" . SCHEMA . "%' AND state = 'User sleep'")[0][0] == 1);
    $other->query("KILL QUERY {$c->thread_id}");
    attempt('killed', fn() => $c->reap_async_query()->fetch_all());
    out('at once', microtime(true) - $began < 15, rows($c, "SELECT 'alive'"));
}

try {
    prepare();
    foreach (['types', 'prepared', 'many_and_big', 'results', 'transactions', 'wrong', 'counts', 'load', 'state', 'logins', 'kill_query'] as $step) {
        out("== $step");
        $step(connect());
    }
} finally {
    $c = connect(['schema' => '']);
    $c->query('DROP DATABASE IF EXISTS ' . SCHEMA);
    $c->query('DROP DATABASE IF EXISTS ' . OTHER);
}
