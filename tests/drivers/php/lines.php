<?php
// What both PHP drivers print with: masked, deterministic lines, and the statements that set the tables up.
declare(strict_types=1);

function env(string $name): string { return getenv($name) === false ? '' : getenv($name); }

define('SCHEMA', env('TG_SCHEMA'));
define('OTHER', SCHEMA . '_other');
define('TLS', env('TG_TLS') === '1');
const BIG = 17 * 1024 * 1024;
const FULL_PACKET = 0xFFFFFF - 4;

const WRONG = ['SELEKT 1', 'SELECT * FROM missing', 'SELECT missing FROM digit', "INSERT INTO digit VALUES (1)",
    "INSERT INTO digit VALUES ('not a number')", 'SELECT no_function(1)', 'DROP TABLE missing', 'SELECT (SELECT n FROM digit)',
    'KILL 999999999', 'CALL nothing()', "SELECT 'alive'"];

function out(string $what, ...$values): void {
    $line = $what . ': ' . implode(' | ', array_map('show', $values));
    $line = preg_replace("/'[^']*'@'[^']*'/", "'USER'@'HOST'", $line);
    echo str_replace(SCHEMA, 'SCHEMA', $line), "\n";
}

function show($value): string {
    if (is_array($value)) {
        return '[' . implode(', ', array_map(fn($k) => "$k=" . show($value[$k]), array_keys($value))) . ']';
    }
    if (is_string($value) && (strlen($value) > 300 || !mb_ok($value))) {
        return 'string(' . strlen($value) . ') ' . bin2hex(substr($value, 0, 20)) . ' ' . substr(md5($value), 0, 12);
    }
    return is_string($value) ? json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES) : var_export($value, true);
}

function mb_ok(string $value): bool { return preg_match('//u', $value) === 1 && strpos($value, "\0") === false; }

function setup(): array {
    return array_filter(explode(";;\n", file_get_contents(__DIR__ . '/../tables.sql')), fn($s) => trim($s) !== '');
}

function rolling(iterable $rows): array {
    $total = $count = 0;
    foreach ($rows as $row) {
        $row = array_values($row);
        $total = ($total * 31 + (int) $row[0] + strlen($row[1])) % 1000000007;
        $count++;
    }
    return [$count, $total];
}

function wait_until(callable $ready): void {
    for ($tries = 0; !$ready(); $tries++) {
        if ($tries > 1000) { throw new RuntimeException('the statement never began'); }
        usleep(20000);
    }
}

function infile(): string {
    $file = tempnam(sys_get_temp_dir(), 'tidegate');
    $lines = '';
    for ($n = 0; $n < 20000; $n++) { $lines .= "$n;Zürich $n;" . $n % 7 . "\n"; }
    file_put_contents($file, $lines);
    register_shutdown_function(fn() => @unlink($file));
    return $file;
}
