"""The session that the Python drivers share: PEP 249 calls, one line printed per observation, nothing that differs between two runs."""

import datetime
import decimal
import hashlib
import os
import re
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOST, PORT = os.environ["TG_HOST"], int(os.environ["TG_PORT"])
USER, PASSWORD, SCHEMA = os.environ["TG_USER"], os.environ["TG_PASSWORD"], os.environ["TG_SCHEMA"]
TLS = os.environ.get("TG_TLS", "0") == "1"
OTHER = SCHEMA + "_other"
BIG = 17 * 1024 * 1024
FULL_PACKET = 0xFFFFFF - 4


def out(what, *values):
    print(mask(f"{what}: " + " | ".join(show(v) for v in values)), flush=True)


def mask(text):
    text = re.sub(r"'[^']*'@'[^']*'", "'USER'@'HOST'", text)
    return text.replace(SCHEMA, "SCHEMA")


def show(value):
    if isinstance(value, (bytes, bytearray)):
        return f"bytes({len(value)}) {bytes(value[:20]).hex()} {digest(bytes(value))}"
    if isinstance(value, str) and len(value) > 300:
        return f"str({len(value)}) {digest(value.encode())}"
    if isinstance(value, tuple):
        return "(" + ", ".join(show(v) for v in value) + ")"
    return repr(value)


def digest(data):
    return hashlib.md5(data).hexdigest()[:12]


class Session:
    """`connect(**options)` opens a connection in the driver's own way; options: schema, user, password, and what the driver names."""

    def __init__(self, driver, connect, found_rows_flag, multi_flag):
        self.driver = driver
        self.connect = connect
        self.found_rows_flag = found_rows_flag
        self.multi_flag = multi_flag

    def run(self, extra):
        try:
            self.prepare()
            steps = [self.types, self.parameters, self.many_rows, self.big_row, self.results, self.transactions, self.isolation,
                     self.lock_wait, self.errors, self.warnings, self.counts, self.load_data, self.charsets, self.schemas,
                     self.autocommit, self.logins, self.kill]
            for step in steps + extra:
                out("== " + step.__name__)
                connection = self.connect(schema=SCHEMA)
                step(connection)
                connection.close()
        finally:
            connection = self.connect()
            for name in (SCHEMA, OTHER):
                self.query(connection, f"DROP DATABASE IF EXISTS {name}")
            connection.close()

    def prepare(self):
        connection = self.connect()
        out("no schema", self.query(connection, "SELECT DATABASE()"))
        for name in (SCHEMA, OTHER):
            self.query(connection, f"DROP DATABASE IF EXISTS {name}")
            self.query(connection, f"CREATE DATABASE {name} DEFAULT CHARACTER SET utf8mb4")
        connection.select_db(SCHEMA)
        with open(os.path.join(HERE, "..", "tables.sql"), encoding="utf-8") as file:
            for statement in file.read().split(";;\n"):
                if statement.strip():
                    self.query(connection, statement)
        connection.commit()
        out("server", connection.get_server_info(), self.query(connection, "SELECT VERSION()"))
        connection.close()

    def query(self, connection, sql, args=None):
        cursor = connection.cursor()
        cursor.execute(sql, args)
        rows = cursor.fetchall() if cursor.description else cursor.rowcount
        cursor.close()
        return rows

    def attempt(self, what, action):
        try:
            out(what, action())
        except self.driver.Error as error:
            out(what, type(error).__name__, *error.args)

    def types(self, connection):
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM every_type ORDER BY id")
        out("columns", *[column[:7] for column in cursor.description])
        for row in cursor:
            out("row", *row)
        cursor.close()
        out("computed", self.query(connection, "SELECT 1, NULL, -1.50, 1e3, 'a', x'00ff', DATE'2024-02-29', 1=1, 18446744073709551615"))
        out("empty", self.query(connection, "SELECT * FROM every_type WHERE id < 0"))
        out("no columns wanted", self.query(connection, "DO 1"))

    def parameters(self, connection):
        rows = [
            (-1, 2**64 - 1, 1.5, decimal.Decimal("-12.34567"), "Zürich 日本語 😀 ' \" \\ % \0 end", bytes(range(256)),
             datetime.datetime(2024, 2, 29, 12, 34, 56, 789), datetime.date(1999, 12, 31), datetime.timedelta(hours=-30, microseconds=5)),
            (None,) * 9,
            (2**63 - 1, 0, -0.0, decimal.Decimal(0), "", b"", datetime.datetime(1000, 1, 1), datetime.date(9999, 12, 31), datetime.timedelta(0)),
        ]
        cursor = connection.cursor()
        sql = "INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        out("many", cursor.executemany(sql, rows), cursor.lastrowid, cursor.rowcount)
        cursor.execute("SELECT * FROM param ORDER BY id")
        for row in cursor.fetchall():
            out("row", *row)
        out("in list", self.query(connection, "SELECT n FROM digit WHERE n IN %s ORDER BY n", ((1, 3, 5),)))
        self.query(connection, "PREPARE p FROM 'SELECT ? + 1, CONCAT(?, ''!'')'")
        self.query(connection, "SET @a = 41, @b = 'hi'")
        out("sql prepare", self.query(connection, "EXECUTE p USING @a, @b"))
        self.query(connection, "DEALLOCATE PREPARE p")
        connection.commit()

    def many_rows(self, connection):
        cursor = connection.cursor()
        cursor.execute("SELECT n, s FROM many ORDER BY n")
        out("stored", *checksum(cursor.fetchall()))

    def big_row(self, connection):
        if self.query(connection, "SELECT @@max_allowed_packet")[0][0] < BIG + 1024 * 1024:
            return out("max_allowed_packet is too small")
        text = "0123456789abcdef" * (BIG // 16)
        back = self.query(connection, "SELECT %s AS big", (text,))[0][0]
        out("17 MiB there and back", len(back), back == text)
        for size in (FULL_PACKET - 1, FULL_PACKET, FULL_PACKET + 1):
            row = self.query(connection, "SELECT REPEAT('x', %s)", (size,))[0][0]
            out("edge of a packet", len(row), row == type(row)(b"x" * size) if isinstance(row, bytes) else row == "x" * size)
        statement = "SELECT 'x' /* " + "y" * (0xFFFFFF - 1 - len("SELECT 'x' /*  */")) + " */"
        out("a full command packet", len(statement), self.query(connection, statement))

    def results(self, _):
        connection = self.connect(schema=SCHEMA, client_flag=self.multi_flag)
        cursor = connection.cursor()
        for sql in ("SELECT 1; UPDATE account SET amount = amount WHERE id = 1; SELECT 2, 3; DO 1; SELECT n FROM digit WHERE n < 2 ORDER BY n",
                    "CALL three_results(7, @b)", "SELECT @b",
                    "SELECT 1; SELECT * FROM missing; SELECT 2", "CALL fails_half_way()", "SELECT 'alive'"):
            out("statement", sql)
            try:
                cursor.execute(sql)
                while True:
                    out("result", cursor.rowcount, cursor.description and [c[0] for c in cursor.description], cursor.fetchall() if cursor.description else ())
                    if not cursor.nextset():
                        break
            except self.driver.Error as error:
                out("error", type(error).__name__, *error.args)
        cursor.close()
        connection.close()

    def transactions(self, connection):
        other = self.connect(schema=SCHEMA)
        amount = "SELECT amount FROM account WHERE id = 1"
        connection.begin()
        self.query(connection, "UPDATE account SET amount = 150 WHERE id = 1")
        out("seen by me, by the other", self.query(connection, amount), self.query(other, amount))
        connection.rollback()
        out("after rollback", self.query(connection, amount))
        connection.begin()
        self.query(connection, "UPDATE account SET amount = 160 WHERE id = 1")
        self.query(connection, "SAVEPOINT a")
        self.query(connection, "UPDATE account SET amount = 170 WHERE id = 1")
        self.query(connection, "ROLLBACK TO SAVEPOINT a")
        self.attempt("no such savepoint", lambda: self.query(connection, "ROLLBACK TO SAVEPOINT nowhere"))
        out("at the savepoint", self.query(connection, amount))
        connection.commit()
        other.rollback()
        out("after commit", self.query(other, amount))
        self.query(connection, "START TRANSACTION READ ONLY")
        self.attempt("read only", lambda: self.query(connection, "DELETE FROM account"))
        connection.rollback()
        leaving = self.connect(schema=SCHEMA)
        leaving.begin()
        self.query(leaving, "UPDATE account SET amount = 0 WHERE id = 1")
        leaving.close()
        other.rollback()
        out("a close rolls back", self.query(other, amount + " FOR UPDATE"))
        other.close()

    def isolation(self, connection):
        other = self.connect(schema=SCHEMA)
        other.autocommit(True)
        self.query(other, "UPDATE account SET amount = 1 WHERE id = 2")
        for level in ("REPEATABLE READ", "READ COMMITTED"):
            self.query(connection, f"SET SESSION TRANSACTION ISOLATION LEVEL {level}")
            connection.begin()
            first = self.query(connection, "SELECT amount FROM account WHERE id = 2")
            self.query(other, "UPDATE account SET amount = amount + 1 WHERE id = 2")
            out(level, first, self.query(connection, "SELECT amount FROM account WHERE id = 2"))
            connection.rollback()
        self.query(connection, "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        connection.begin()
        self.attempt("inside", lambda: self.query(connection, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
        connection.rollback()
        other.close()

    def lock_wait(self, connection):
        other = self.connect(schema=SCHEMA)
        self.query(other, "SET innodb_lock_wait_timeout = 1")
        connection.begin()
        self.query(connection, "UPDATE account SET amount = 5 WHERE id = 1")
        self.attempt("lock wait", lambda: self.query(other, "UPDATE account SET amount = 6 WHERE id = 1"))
        connection.rollback()
        other.close()

    def errors(self, connection):
        self.query(connection, "INSERT INTO ticket (name) VALUES ('taken')")
        for sql in ("SELEKT 1", "SELECT * FROM missing", "SELECT missing FROM digit", "INSERT INTO ticket (name) VALUES ('taken')",
                    "INSERT INTO digit VALUES ('not a number')", "SELECT no_function(1)", "DROP TABLE missing", "CREATE TABLE digit (n INT)", "",
                    "SELECT (SELECT n FROM digit)", "KILL 999999999", "CALL nothing()", "SELECT 'alive'"):
            self.attempt(sql, lambda: self.query(connection, sql))
        connection.rollback()

    def warnings(self, connection):
        for sql in ("SELECT 'abc' + 0, 1/0", "DROP TABLE IF EXISTS missing", "SELECT 1"):
            cursor = connection.cursor()
            cursor.execute(sql)
            out(sql, cursor.fetchall() if cursor.description else cursor.rowcount, self.query(connection, "SHOW WARNINGS"))
            cursor.close()
        self.query(connection, "DROP TABLE IF EXISTS missing")
        out("count", self.query(connection, "SELECT @@warning_count, @@error_count"))

    def counts(self, connection):
        cursor = connection.cursor()
        cursor.execute("INSERT INTO ticket (name) VALUES ('a'), ('b'), ('c')")
        first = cursor.lastrowid
        out("inserted", cursor.rowcount, first > 0, self.query(connection, "SELECT LAST_INSERT_ID() = %s", (first,)))
        cursor.execute("INSERT INTO ticket (id, name) VALUES (1000, 'd')")
        out("own id", cursor.lastrowid, self.query(connection, "SELECT LAST_INSERT_ID() = %s", (first,)))
        out("changed only", self.query(connection, "UPDATE ticket SET name = 'a' WHERE name = 'a'"), self.query(connection, "SELECT ROW_COUNT()"))
        out("replace", self.query(connection, "REPLACE INTO ticket (id, name) VALUES (1000, 'e')"))
        out("upsert", self.query(connection, "INSERT INTO ticket (id, name) VALUES (1000, 'e') ON DUPLICATE KEY UPDATE name = 'f'"))
        self.query(connection, "SELECT SQL_CALC_FOUND_ROWS n FROM digit LIMIT 2")
        out("found rows", self.query(connection, "SELECT FOUND_ROWS()"))
        connection.commit()
        found = self.connect(schema=SCHEMA, client_flag=self.found_rows_flag)
        out("found", self.query(found, "UPDATE ticket SET name = 'a' WHERE name = 'a'"))
        found.close()

    def load_data(self, _):
        with tempfile.NamedTemporaryFile("wb", suffix=".csv") as file:
            for n in range(20000):
                file.write(f"{n};Zürich {n};{n % 7}\n".encode())
            file.flush()
            connection = self.connect(schema=SCHEMA, local_infile=True)
            load = f"LOAD DATA LOCAL INFILE '{file.name}' INTO TABLE loaded CHARACTER SET utf8mb4 FIELDS TERMINATED BY ';'"
            out("loaded", self.query(connection, load))
            out("sum", self.query(connection, "SELECT COUNT(*), SUM(a), SUM(LENGTH(b)), SUM(c) FROM loaded"))
            missing = "LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE loaded"
            self.attempt("no such file", lambda: self.query(connection, missing))
            connection.close()
            connection = self.connect(schema=SCHEMA)
            self.attempt("not allowed", lambda: self.query(connection, load))
            connection.close()

    def charsets(self, _):
        for charset in ("utf8mb4", "latin1"):
            connection = self.connect(schema=SCHEMA, charset=charset)
            out(charset, self.query(connection, "SELECT @@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection"),
                self.query(connection, "SELECT c_char FROM every_type WHERE id = 4"), self.query(connection, "SELECT HEX(%s)", ("Zürich",)))
            connection.close()
        connection = self.connect(schema=SCHEMA)
        self.query(connection, "SET NAMES latin1")
        out("set names", self.query(connection, "SELECT HEX(c_char), LENGTH(c_char), @@character_set_results FROM every_type WHERE id = 4"))
        connection.close()

    def schemas(self, connection):
        self.query(connection, f"USE {OTHER}")
        out("use", self.query(connection, "SELECT DATABASE()"))
        connection.select_db(SCHEMA)
        out("init db", self.query(connection, "SELECT DATABASE()"))
        self.attempt("unknown", lambda: connection.select_db("tidegate_no_such_schema"))
        out("still", self.query(connection, "SELECT DATABASE()"))

    def autocommit(self, connection):
        for value in (True, False, True):
            connection.autocommit(value)
            out("autocommit", value, connection.get_autocommit(), self.query(connection, "SELECT @@autocommit"))
        connection.ping()

    def logins(self, _):
        for what, options in (("wrong password", {"password": "wrong"}), ("no password", {"password": ""}),
                              ("unknown user", {"user": "tidegate_nobody"}), ("unknown schema", {"schema": "tidegate_no_such_schema"})):
            self.attempt(what, lambda: self.connect(**options))

    def kill(self, connection):
        other = self.connect(schema=SCHEMA)
        other.autocommit(True)
        sleep = f"SELECT SLEEP(30), '{SCHEMA}'"
        runs = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE %s AND state = 'User sleep'"
        mine = connection.thread_id()

        def killer():
            wait_until(lambda: self.query(other, runs, (f"SELECT SLEEP%{SCHEMA}%",))[0][0] == 1)
            self.query(other, f"KILL QUERY {mine}")

        thread = threading.Thread(target=killer)
        began = time.monotonic()
        thread.start()
        self.attempt("killed", lambda: self.query(connection, sleep))
        thread.join()
        out("at once", time.monotonic() - began < 15, self.query(connection, "SELECT 'alive'"))
        other.close()


def checksum(rows):
    total, last = 0, 0
    for n, s in rows:
        total = (total * 31 + n + len(s)) % 1000000007
        last += 1
    return last, total


def wait_until(ready):
    limit = time.monotonic() + 20
    while not ready():
        if time.monotonic() > limit:
            raise TimeoutError("the statement never began")
        time.sleep(0.02)
