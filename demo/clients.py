"""The demo's own clients: short-lived ones (connect, a few queries, quit), a few that ask slow questions, many that are mostly idle.

Runs until SIGTERM, then says goodbye with every client. Writes `logins=`, `queries=` and `errors=` to the report; exit 1 on any error.
"""

import argparse
import random
import signal
import sys
import threading

from wire import Connection

PAGE = [
    "SELECT id, name FROM customers WHERE id = {n}",
    "SELECT o.id, o.total FROM orders o WHERE o.customer_id = {n} ORDER BY o.id DESC LIMIT 10",
    "UPDATE customers SET seen = seen + 1 WHERE id = {n}",
]
SLOW = [
    "SELECT SLEEP(0.7)",
    "SELECT COUNT(*) FROM orders o JOIN customers c ON c.email = o.email WHERE o.note LIKE '%gift%'",
    "SELECT c.city, SUM(o.total) FROM orders o JOIN customers c ON c.email = o.email GROUP BY c.city ORDER BY 2 DESC",
]


class Crowd:
    """All clients, and what they lived through."""

    def __init__(self, host, port):
        self.where = (host, port, "app", "app", "shop")
        self.lock = threading.Lock()
        self.leave = threading.Event()
        self.logins = self.queries = self.errors = 0

    def connect(self):
        connection = Connection(*self.where)
        with self.lock:
            self.logins += 1
        return connection

    def ask(self, connection, sql):
        connection.query(sql)
        with self.lock:
            self.queries += 1

    def failed(self, who, error):
        with self.lock:
            self.errors += 1
            if self.errors <= 20:
                print(f"{who}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)

    def short_lived(self, dice):
        """A web request: connect, three statements, quit."""
        while not self.leave.wait(dice.uniform(0.2, 1.0)):
            try:
                connection = self.connect()
                for sql in PAGE:
                    self.ask(connection, sql.format(n=dice.randint(1, 3000)))
                connection.close()
            except Exception as error:
                self.failed("short-lived client", error)

    def slow(self, dice):
        """A report page: keeps its connection and asks what no index answers."""
        try:
            connection = self.connect()
            while not self.leave.wait(dice.uniform(0.5, 2.0)):
                self.ask(connection, dice.choice(SLOW))
            connection.close()
        except Exception as error:
            self.failed("slow client", error)

    def idle(self, dice, count):
        """Workers with a connection each that they seldom use; one thread plays them all."""
        held = []
        try:
            for _ in range(count):
                if self.leave.is_set():
                    break
                held.append(self.connect())
            while not self.leave.wait(0.1):
                self.ask(dice.choice(held), PAGE[0].format(n=dice.randint(1, 3000)))
        except Exception as error:
            self.failed("idle client", error)
        for connection in held:
            connection.close()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--short-lived", type=int, default=60)
    options.add_argument("--slow", type=int, default=4)
    options.add_argument("--idle", type=int, default=200)
    options.add_argument("--report", required=True)
    given = options.parse_args()

    crowd = Crowd(given.host, given.port)
    signal.signal(signal.SIGTERM, lambda *_: crowd.leave.set())
    threads = [threading.Thread(target=crowd.idle, args=(random.Random(0), given.idle))]
    threads += [threading.Thread(target=crowd.short_lived, args=(random.Random(n + 1),)) for n in range(given.short_lived)]
    threads += [threading.Thread(target=crowd.slow, args=(random.Random(1000 + n),)) for n in range(given.slow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(given.report, "w") as report:
        report.write(f"logins={crowd.logins}\nqueries={crowd.queries}\nerrors={crowd.errors}\n")
    return 1 if crowd.errors else 0


if __name__ == "__main__":
    sys.exit(main())
