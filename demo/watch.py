"""The demo's live line, and its peaks: how many clients tidegate holds against how many connections the server counts.

Clients are the established sockets on tidegate's port (/proc/net/tcp); the server's side is its own SHOW GLOBAL STATUS,
asked directly, not through tidegate. Runs until SIGTERM or for --seconds; writes what it saw to the report.
"""

import argparse
import signal
import sys
import threading
import time

from wire import Connection

ESTABLISHED = "01"


def clients_of(port):
    """How many established sockets the local port has."""
    wanted = f":{port:04X}"
    with open("/proc/net/tcp") as table:
        next(table)
        rows = (line.split() for line in table)
        return sum(1 for row in rows if row[1].endswith(wanted) and row[3] == ESTABLISHED)


def server_status(connection):
    """The server's own counters."""
    return {name.decode(): int(value) for name, value in connection.query(
        "SHOW GLOBAL STATUS WHERE Variable_name IN"
        " ('Threads_connected', 'Max_used_connections', 'Connections', 'Questions')")}


def live_line(seconds, clients, servers, rate):
    return f"  {seconds:4.0f} s   {clients:5d} clients   {servers:5d} server connections   {rate:8,.0f} queries/s"


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--server-port", type=int, required=True)
    options.add_argument("--seconds", type=float, default=0)
    options.add_argument("--report", required=True)
    given = options.parse_args()

    leave = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leave.set())
    server = Connection("127.0.0.1", given.server_port, "monitor", "monitor", "shop")
    server.query("FLUSH STATUS")
    first = last = server_status(server)
    open(given.report, "w").close()  # says that the watch has begun
    began = shown = time.monotonic()
    peak, seen, tty = 0, last, sys.stdout.isatty()

    while not leave.wait(0.1):
        now = time.monotonic()
        clients = clients_of(given.port)
        peak = max(peak, clients)
        if given.seconds and now - began >= given.seconds:
            break
        if now - shown < 2:
            continue
        seen = server_status(server)
        line = live_line(now - began, clients, seen["Threads_connected"] - 1, (seen["Questions"] - last["Questions"]) / (now - shown))
        print(line, end="\r" if tty else "\n", flush=True)
        last, shown = seen, now
    if tty:
        print()

    seen = server_status(server)
    server.close()
    with open(given.report, "w") as report:
        report.write(f"peak_clients={peak}\npeak_servers={seen['Max_used_connections'] - 1}\n")
        report.write(f"server_logins={seen['Connections'] - first['Connections']}\n")
        report.write(f"server_queries={seen['Questions'] - first['Questions']}\n")
        report.write(f"watched_seconds={time.monotonic() - began:.0f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
