"""PyMySQL: a pure Python driver, text protocol only."""

import pymysql
import pymysql.cursors
from pymysql.constants import CLIENT

import session
from session import HOST, OTHER, PASSWORD, PORT, SCHEMA, TLS, USER, out


def connect(schema=None, user=USER, password=PASSWORD, **options):
    tls = {"ssl": {"check_hostname": False}} if TLS else {"ssl_disabled": True}
    return pymysql.connect(host=HOST, port=PORT, user=user, password=password, database=schema, charset=options.pop("charset", "utf8mb4"),
                           program_name="tidegate-drivers", **tls, **options)


def streaming(connection):
    cursor = connection.cursor(pymysql.cursors.SSCursor)
    cursor.execute("SELECT n, s FROM many ORDER BY n")
    out("streamed", *session.checksum(iter(cursor.fetchone, None)))
    cursor.execute("SELECT n, s FROM many ORDER BY n")
    out("first two", cursor.fetchmany(2))
    cursor.close()
    cursor = connection.cursor(pymysql.cursors.SSDictCursor)
    cursor.execute("SELECT n FROM digit ORDER BY n")
    out("after an early close", cursor.fetchall())
    cursor.close()


def reconnect(connection):
    connection.ping(reconnect=False)
    connection.close()
    connection.ping(reconnect=True)
    out("after ping", shared.query(connection, "SELECT DATABASE()"))


def callproc(connection):
    cursor = connection.cursor()
    out("arguments", cursor.callproc("three_results", (9, 0)))
    out("first", cursor.fetchall())
    while cursor.nextset():
        out("next", cursor.fetchall())
    cursor.execute("SELECT @_three_results_1")
    out("out parameter", cursor.fetchall())


def encrypted(connection):
    out("tls as asked", (getattr(connection._sock, "cipher", None) is not None) == TLS)


shared = session.Session(pymysql, connect, CLIENT.FOUND_ROWS, CLIENT.MULTI_STATEMENTS)
shared.run([streaming, reconnect, callproc, encrypted])
