# Perl DBD::mysql: text and server-side prepared statements, stored and streamed rows, transactions by DBI.
use strict;
use warnings;
use utf8;
use DBI qw(:sql_types);
use Digest::MD5 qw(md5_hex);
use Encode qw(encode_utf8 is_utf8);
use File::Basename qw(dirname);
use File::Temp;
use Time::HiRes qw(sleep time);

binmode STDOUT, ':utf8';
$| = 1;
my ($schema, $other, $tls) = ($ENV{TG_SCHEMA}, "$ENV{TG_SCHEMA}_other", $ENV{TG_TLS});
my $big = 17 * 1024 * 1024;
my $full_packet = 0xFFFFFF - 4;

sub out {
    my ($what, @values) = @_;
    my $line = "$what: " . join(' | ', map { show($_) } @values);
    $line =~ s/'[^']*'\@'[^']*'/'USER'\@'HOST'/g;
    $line =~ s/\Q$schema\E/SCHEMA/g;
    print "$line\n";
}

sub show {
    my $value = shift;
    return 'undef' unless defined $value;
    return '[' . join(', ', map { show($_) } @$value) . ']' if ref $value eq 'ARRAY';
    my $bytes = is_utf8($value) ? encode_utf8($value) : $value;
    return sprintf('bytes(%d) %s %s', length $bytes, unpack('H40', $bytes), substr(md5_hex($bytes), 0, 12)) if length $bytes > 300 || (!is_utf8($value) && $value =~ /[^\x20-\x7e\n]/);
    return $value =~ s/\n/\\n/gr;
}

sub connection {
    my %o = (schema => $schema, user => $ENV{TG_USER}, password => $ENV{TG_PASSWORD}, options => '', @_);
    my $dsn = "DBI:mysql:host=$ENV{TG_HOST};port=$ENV{TG_PORT};mysql_enable_utf8mb4=1$o{options}";
    $dsn .= ";database=$o{schema}" if $o{schema};
    $dsn .= ';mysql_ssl=1;mysql_ssl_optional=1' if $tls;
    return DBI->connect($dsn, $o{user}, $o{password}, { RaiseError => 1, PrintError => 0, AutoCommit => 1, PrintWarn => 0 });
}

sub attempt {
    my ($what, $action) = @_;
    my @result = eval { $action->() };
    return out($what, @result) unless $@;
    my ($code, $state, $text) = ($DBI::err, $DBI::state, $DBI::errstr);
    out($what, $code, $state, $text);
}

sub rows {
    my ($db, $sql, @values) = @_;
    return $db->selectall_arrayref($sql, undef, @values);
}

sub rolling {
    my $statement = shift;
    my ($count, $total) = (0, 0);
    while (my $row = $statement->fetchrow_arrayref) {
        $total = ($total * 31 + $row->[0] + length $row->[1]) % 1000000007;
        $count++;
    }
    return ($count, $total);
}

sub prepare {
    my $db = connection(schema => '');
    out('no schema', rows($db, 'SELECT DATABASE()'));
    for my $name ($schema, $other) {
        $db->do("DROP DATABASE IF EXISTS $name");
        $db->do("CREATE DATABASE $name DEFAULT CHARACTER SET utf8mb4");
    }
    $db->do("USE $schema");
    open my $file, '<:encoding(UTF-8)', dirname(__FILE__) . '/../tables.sql' or die $!;
    local $/ = ";;\n";
    while (my $sql = <$file>) {
        chomp $sql;
        $db->do($sql) if $sql =~ /\S/;
    }
    out('server', $db->{mysql_serverinfo}, $db->{mysql_serverversion}, $db->{mysql_protoinfo}, rows($db, 'SELECT VERSION()'));
    $db->disconnect;
}

sub types {
    my $db = shift;
    for my $server_side (0, 1) {
        $db->{mysql_server_prepare} = $server_side;
        my $statement = $db->prepare('SELECT * FROM every_type WHERE id > ? ORDER BY id');
        $statement->execute(0);
        out('columns', map { $statement->{$_} } qw(NAME TYPE NULLABLE PRECISION SCALE mysql_type mysql_is_blob mysql_table));
        while (my $row = $statement->fetchrow_arrayref) { out('row', @$row) }
        out('empty', rows($db, 'SELECT * FROM every_type WHERE id < ?', 0));
    }
}

sub parameters {
    my $db = shift;
    for my $server_side (0, 1) {
        $db->{mysql_server_prepare} = $server_side;
        my $insert = $db->prepare('INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
        my @values = (-1, '18446744073709551615', 1.5, '-12.34567', "Zürich 日本語 😀 ' \" \\ end", join('', map { chr } 0 .. 255), '2024-02-29 12:34:56.000789', '1999-12-31', '-30:00:00.000005');
        my @types = (SQL_BIGINT, SQL_VARCHAR, SQL_DOUBLE, SQL_VARCHAR, SQL_VARCHAR, SQL_BLOB, SQL_VARCHAR, SQL_VARCHAR, SQL_VARCHAR);
        $insert->bind_param($_ + 1, $values[$_], $types[$_]) for 0 .. 8;
        out('inserted', $insert->execute, $db->{mysql_insertid} > 0);
        out('inserted', $insert->execute((undef) x 9));
        out('row', @$_) for @{ rows($db, 'SELECT i, u, d, x, s, b, dt, da, ti FROM param ORDER BY id') };
        for my $sql ('SELEKT ?', 'SELECT * FROM missing WHERE a = ?', 'INSERT INTO digit VALUES (?)') {
            attempt($sql, sub { $db->do($sql, undef, 1) });
        }
        out('alive', rows($db, 'SELECT ?', 'alive'));
    }
}

sub many_and_big {
    my $db = shift;
    for my $streamed (0, 1) {
        $db->{mysql_use_result} = $streamed;
        my $statement = $db->prepare('SELECT n, s FROM many ORDER BY n');
        $statement->execute;
        out('rows', rolling($statement));
    }
    $db->{mysql_use_result} = 0;
    return out('max_allowed_packet is too small') if rows($db, 'SELECT @@max_allowed_packet')->[0][0] < $big + 1024 * 1024;
    my $text = '0123456789abcdef' x ($big / 16);
    for my $server_side (0, 1) {
        $db->{mysql_server_prepare} = $server_side;
        my $statement = $db->prepare('SELECT LENGTH(?)');
        $statement->execute($text);
        out('17 MiB sent', $statement->fetchall_arrayref);
    }
    $db->{mysql_server_prepare} = 0;
    for my $size ($full_packet - 1, $full_packet, $full_packet + 1, $big) {
        out('a long row', length rows($db, "SELECT REPEAT('x', $size)")->[0][0]);
    }
}

sub results {
    my $db = connection(options => ';mysql_multi_statements=1');
    for my $sql ('SELECT 1; SELECT 2, 3; SELECT n FROM digit WHERE n < 2 ORDER BY n', 'CALL three_results(7, @b)', 'SELECT @b', 'CALL fails_half_way()', "SELECT 'alive'") {
        attempt($sql, sub {
            my $statement = $db->prepare($sql);
            $statement->execute;
            do {
                out('result', $statement->{NUM_OF_FIELDS} ? $statement->fetchall_arrayref : $statement->rows);
            } while ($statement->more_results);
            return 'done';
        });
    }
    $db->disconnect;
}

sub transactions {
    my $db = shift;
    my $two = connection();
    my $amount = 'SELECT amount FROM account WHERE id = 1';
    $db->begin_work;
    $db->do('UPDATE account SET amount = 150 WHERE id = 1');
    out('seen', rows($db, $amount), rows($two, $amount));
    $two->do('SET innodb_lock_wait_timeout = 1');
    attempt('lock wait', sub { $two->do('UPDATE account SET amount = 6 WHERE id = 1') });
    $db->rollback;
    out('rolled back', rows($two, $amount));
    $db->{AutoCommit} = 0;
    $db->do('UPDATE account SET amount = 160 WHERE id = 1');
    $db->do('SAVEPOINT a');
    $db->do('UPDATE account SET amount = 170 WHERE id = 1');
    $db->do('ROLLBACK TO SAVEPOINT a');
    attempt('no such savepoint', sub { $db->do('ROLLBACK TO SAVEPOINT nowhere') });
    out('autocommit', rows($db, 'SELECT @@autocommit'));
    $db->commit;
    out('committed', rows($two, $amount));
    $db->do('UPDATE account SET amount = 0 WHERE id = 1');
    $db->disconnect;
    out('a close rolls back', rows($two, "$amount FOR UPDATE"));
    for my $level ('REPEATABLE READ', 'READ COMMITTED') {
        my $reader = connection();
        $reader->do("SET SESSION TRANSACTION ISOLATION LEVEL $level");
        $reader->begin_work;
        my $before = rows($reader, $amount);
        $two->do('UPDATE account SET amount = amount + 1 WHERE id = 1');
        out($level, $before, rows($reader, $amount));
        $reader->rollback;
    }
}

sub errors {
    my $db = shift;
    for my $sql ('SELEKT 1', 'SELECT * FROM missing', 'SELECT missing FROM digit', 'INSERT INTO digit VALUES (1)', "INSERT INTO digit VALUES ('not a number')",
        'SELECT no_function(1)', 'DROP TABLE missing', 'SELECT (SELECT n FROM digit)', 'KILL 999999999', 'CALL nothing()', "SELECT 'abc' + 0, 1/0", 'DROP TABLE IF EXISTS missing') {
        attempt($sql, sub {
            my $statement = $db->prepare($sql);
            $statement->execute;
            return ($statement->{NUM_OF_FIELDS} ? $statement->fetchall_arrayref : $statement->rows, $statement->{mysql_warning_count}, rows($db, 'SHOW WARNINGS'));
        });
    }
}

sub counts {
    my $db = shift;
    out('inserted', $db->do("INSERT INTO ticket (name) VALUES ('a'), ('b'), ('c')"), $db->{mysql_info}, rows($db, 'SELECT LAST_INSERT_ID() = ?', $db->{mysql_insertid}));
    $db->do("INSERT INTO ticket (id, name) VALUES (1000, 'd')");
    out('own id', $db->{mysql_insertid}, $db->last_insert_id(undef, undef, 'ticket', 'id'));
    out('found rows, the default here', $db->do("UPDATE ticket SET name = 'a' WHERE name = 'a'"));
    out('changed only', connection(options => ';mysql_client_found_rows=0')->do("UPDATE ticket SET name = 'a' WHERE name = 'a'"));
}

sub load_data {
    my $file = File::Temp->new(SUFFIX => '.csv');
    print $file encode_utf8("$_;Zürich $_;" . $_ % 7 . "\n") for 0 .. 19999;
    close $file;
    my $sql = "LOAD DATA LOCAL INFILE '$file' INTO TABLE loaded CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';'";
    my $db = connection(options => ';mysql_local_infile=1');
    out('loaded', $db->do($sql), rows($db, 'SELECT COUNT(*), SUM(a), SUM(LENGTH(b)), SUM(c) FROM loaded'));
    attempt('no such file', sub { $db->do("LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE loaded") });
    $sql =~ s/\Q$file\E/FILE/;
    attempt('not allowed', sub { connection(options => ';mysql_local_infile=0')->do($sql) });
}

sub state {
    my $db = shift;
    $db->do('SET NAMES latin1');
    out('latin1', rows($db, 'SELECT @@character_set_client, @@character_set_results, HEX(c_char) FROM every_type WHERE id = 4'));
    $db->do("USE $other");
    out('use', rows($db, 'SELECT DATABASE()'), $db->ping, $db->{mysql_stat} =~ /^Uptime: /);
    attempt('unknown', sub { $db->do('USE tidegate_no_such_schema') });
    my $compressed = connection(options => ';mysql_compression=1');
    my $statement = $compressed->prepare('SELECT n, s FROM many ORDER BY n');
    $statement->execute;
    out('compressed', rolling($statement));
    out('init command', rows(connection(options => ';mysql_init_command=SET @a = 5'), 'SELECT @a'));
}

sub logins {
    attempt('wrong password', sub { connection(password => 'wrong'); 1 });
    attempt('no password', sub { connection(password => ''); 1 });
    attempt('unknown user', sub { connection(user => 'tidegate_nobody'); 1 });
    attempt('unknown schema', sub { connection(schema => 'tidegate_no_such_schema'); 1 });
}

sub kill_query {
    my $db = shift;
    my $two = connection();
    my $began = time;
    my $statement = $db->prepare("SELECT SLEEP(30), '$schema'", { async => 1 });
    $statement->execute;
    my $tries = 0;
    until (rows($two, "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%$schema%' AND state = 'User sleep'")->[0][0] == 1) {
        die 'the statement never began' if ++$tries > 1000;
        sleep 0.02;
    }
    $two->do("KILL QUERY $db->{mysql_thread_id}");
    attempt('killed', sub { $statement->mysql_async_result; $statement->fetchall_arrayref });
    out('at once', time - $began < 15 ? 1 : 0, rows($db, "SELECT 'alive'"));
}

prepare();
for my $step (qw(types parameters many_and_big results transactions errors counts load_data state logins kill_query)) {
    no strict 'refs';
    out("== $step");
    $step->(connection());
}

END {
    my $status = $?;
    my $db = connection(schema => '');
    $db->do("DROP DATABASE IF EXISTS $_") for $schema, $other;
    $? = $status;
}
