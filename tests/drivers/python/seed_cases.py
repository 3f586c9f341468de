"""An application on SQLAlchemy as it is often found: pool_size 25, max_overflow 50, pool_recycle 280, pool_pre_ping, and a
server whose wait_timeout is 300. One second here stands for 150 there. Each case prints what became of its requests:
`done N, errors {code: count}`.
"""

import collections
import contextlib
import os
import sys
import threading
import time

import sqlalchemy
from sqlalchemy import text
from sqlalchemy.pool import QueuePool

# The server's, in seconds; the test starts it so.
WAIT_TIMEOUT = 2
RECYCLE = WAIT_TIMEOUT * 280 / 300
LONG_QUERY = WAIT_TIMEOUT * 11 / 300
# Processes of the application, each with a pool of its own.
PROCESSES = 3

URL = sqlalchemy.URL.create("mysql+pymysql", os.environ["TG_USER"], os.environ["TG_PASSWORD"], os.environ["TG_HOST"],
                            int(os.environ["TG_PORT"]), os.environ["TG_SCHEMA"])
lock = threading.Lock()
errors, done = collections.Counter(), 0


def engine(**options):
    settings = dict(pool_size=25, max_overflow=50, pool_recycle=RECYCLE, pool_pre_ping=True, pool_timeout=20, poolclass=QueuePool)
    return sqlalchemy.create_engine(URL, **{**settings, **options})


def request(action):
    """One request of the application: an error is counted by the server's or the driver's code."""
    global done
    try:
        action()
    except sqlalchemy.exc.DBAPIError as error:
        with lock:
            errors[error.orig.args[0]] += 1
    except sqlalchemy.exc.TimeoutError:
        with lock:
            errors["pool"] += 1
    else:
        with lock:
            done += 1


def together(count, action):
    threads = [threading.Thread(target=request, args=(lambda number=number: action(number),)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def crowd():
    """A peak: every process fills its pool, all have a connection at once, and the server's max_connections is passed."""
    engines = [engine() for _ in range(PROCESSES)]
    everybody = threading.Barrier(PROCESSES * 60, timeout=60)

    def handler(number):
        with engines[number % PROCESSES].connect() as connection:
            connection.execute(text("SELECT SLEEP(:s)"), {"s": LONG_QUERY})
            connection.execute(text("INSERT INTO visits (who) VALUES (:who)"), {"who": number})
            connection.commit()
            everybody.wait()

    def or_wait(number):
        try:
            handler(number)
        except sqlalchemy.exc.SQLAlchemyError:
            everybody.wait()
            raise

    together(PROCESSES * 60, or_wait)


def idle():
    """Quiet hours: pool_recycle is longer than the wait_timeout that somebody has lowered, and nobody pings."""
    pool = engine(pool_pre_ping=False, pool_recycle=10 * WAIT_TIMEOUT)
    for _ in range(3):
        with contextlib.ExitStack() as busy:
            connections = [busy.enter_context(pool.connect()) for _ in range(20)]
            for connection in connections:
                request(lambda: connection.execute(text("SELECT SLEEP(:s)"), {"s": LONG_QUERY / 20}))
        time.sleep(1.4 * WAIT_TIMEOUT)


def held():
    """Threads that take a connection and then do something else for too long: no ping at checkout helps them."""
    pool = engine(isolation_level="AUTOCOMMIT")

    def handler(number):
        with pool.connect() as connection:
            connection.execute(text("SET @who = :who"), {"who": number})
            time.sleep(1.8 * WAIT_TIMEOUT)
            assert connection.execute(text("SELECT @who")).scalar() == number
            connection.execute(text("INSERT INTO visits (who) VALUES (:who)"), {"who": number})

    together(20, handler)


forgotten = []


def forgets(number, engines):
    connection = engines[number % PROCESSES].connect()
    forgotten.append(connection)
    connection.execute(text("SELECT COUNT(*) FROM visits /* forgotten */"))


def never_closed():
    """Handlers that forget to close their sessions, in autocommit: connections pile up until the server has no more."""
    engines = [engine(isolation_level="AUTOCOMMIT") for _ in range(PROCESSES)]
    together(PROCESSES * 30, lambda number: forgets(number, engines))
    together(20, lambda number: engines[0].connect().close())


def never_committed():
    """The same with SQLAlchemy's own transactions, which nobody ends: somebody else has to."""
    engines = [engine() for _ in range(PROCESSES)]
    together(PROCESSES * 30, lambda number: forgets(number, engines))


CASES = {case.__name__: case for case in (crowd, idle, held, never_closed, never_committed)}
CASES[sys.argv[1]]()
print(f"done {done}, errors {dict(errors)}", flush=True)
os._exit(0)
