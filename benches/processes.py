"""The processes of a bench: started in a temporary folder, waited for, and ended with it whatever happens."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wire import Connection

LOGIN = ("app", "app", "shop")


class Failed(Exception):
    """A part of the bench did not do what it must."""


class Processes:
    """A folder, and what was started."""

    def __init__(self, prefix):
        self.folder = tempfile.mkdtemp(prefix=prefix)
        self.processes = []

    def start(self, command, log):
        with open(log, "wb") as output:
            process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True)
        self.processes.append(process)
        return process

    def wait_for_login(self, port, process, log):
        for _ in range(150):
            if process.poll() is not None:
                break
            try:
                connection = Connection("127.0.0.1", port, *LOGIN, timeout=5)
                connection.query("SELECT 1")
                connection.close()
                return
            except Exception as error:
                last = error
                time.sleep(0.2)
        else:
            raise Failed(f"no login on port {port}: {last}\n{tail(log)}")
        raise Failed(f"{process.args[0]} ended with status {process.returncode}:\n{tail(log)}")

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.remove(process)

    def clean_up(self):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for process in reversed(list(self.processes)):
            self.end(process)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tail(log):
    return "\n".join(Path(log).read_text(errors="replace").splitlines()[-15:])


def note(text):
    print(text, file=sys.stderr, flush=True)
