"""PyMySQL on tidegate's console: rows with their types, KILL, errors. Input: TG_HOST TG_PORT TG_USER TG_PASSWORD."""

import os

import pymysql

console = pymysql.connect(host=os.environ["TG_HOST"], port=int(os.environ["TG_PORT"]), user=os.environ["TG_USER"],
                          password=os.environ["TG_PASSWORD"], cursorclass=pymysql.cursors.DictCursor)
with console.cursor() as cursor:
    cursor.execute("SHOW PINS")
    pins = cursor.fetchall()
    print("pins", len(pins), pins[0]["reason"], pins[0]["user"], type(pins[0]["held_seconds"]).__name__)
    cursor.execute("KILL %s", (pins[0]["client"],))
    print("killed")
    try:
        cursor.execute("DROP TABLE t")
    except pymysql.err.ProgrammingError as error:
        print("error", error.args[0])
    cursor.execute("SHOW STATS LIKE %s", ("pool_size",))
    print("stats", cursor.fetchone()["value"])
console.ping()
console.close()
