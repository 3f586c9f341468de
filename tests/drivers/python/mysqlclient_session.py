"""mysqlclient: Python over MariaDB Connector/C, text protocol, with what only the C library has (change_user, compression)."""

import MySQLdb
import MySQLdb.cursors
from MySQLdb.constants import CLIENT

import session
from session import HOST, OTHER, PASSWORD, PORT, SCHEMA, TLS, USER, out


def connect(schema=None, user=USER, password=PASSWORD, **options):
    names = {"database": schema} if schema else {}
    return MySQLdb.connect(host=HOST, port=PORT, user=user, password=password, charset=options.pop("charset", "utf8mb4"),
                           ssl_mode="REQUIRED" if TLS else "DISABLED", **names, **options)


def streaming(connection):
    cursor = connection.cursor(MySQLdb.cursors.SSCursor)
    cursor.execute("SELECT n, s FROM many ORDER BY n")
    out("streamed", *session.checksum(iter(cursor.fetchone, None)))
    cursor.close()


def change_user(connection):
    shared.query(connection, "SET @a = 1")
    connection.change_user(USER, PASSWORD, OTHER)
    out("changed", shared.query(connection, "SELECT DATABASE(), @a"))
    shared.attempt("refused", lambda: connection.change_user(USER, "wrong", SCHEMA))


def compressed(_):
    connection = connect(SCHEMA, compress=True)
    cursor = connection.cursor()
    cursor.execute("SELECT n, s FROM many ORDER BY n")
    out("compressed rows", *session.checksum(cursor.fetchall()))
    text = "z" * 20_000_000
    out("compressed there and back", shared.query(connection, "SELECT %s AS big", (text,)) == ((text,),))
    connection.close()


def information(connection):
    out("info", connection.get_proto_info(), connection.character_set_name(), connection.info())
    shared.query(connection, "UPDATE account SET amount = amount + 1")
    out("info", connection.info(), connection.affected_rows(), connection.warning_count())
    connection.rollback()
    out("stat", connection.stat().startswith("Uptime: "))
    out("field list", connection.field_count())


def set_option(_):
    connection = connect(SCHEMA)
    connection.set_server_option(0)
    cursor = connection.cursor()
    cursor.execute("SELECT 1; SELECT 2")
    out("multi on", cursor.fetchall(), cursor.nextset(), cursor.fetchall())
    cursor.close()
    connection.set_server_option(1)
    shared.attempt("multi off", lambda: shared.query(connection, "SELECT 1; SELECT 2"))
    connection.close()


shared = session.Session(MySQLdb, connect, CLIENT.FOUND_ROWS, CLIENT.MULTI_STATEMENTS)
shared.run([streaming, change_user, compressed, information, set_option])
