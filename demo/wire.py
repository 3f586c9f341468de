"""A MySQL client in a page: log in with mysql_native_password, run a text query, quit. Only what the demo and the benches need."""

import hashlib
import socket
import struct

LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41 = 0x1, 0x8, 0x200
TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH = 0x2000, 0x8000, 0x80000
CAPABILITIES = LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH
UTF8MB4_GENERAL_CI = 45
COM_QUIT, COM_QUERY = 1, 3


class ServerError(Exception):
    """The server's ERR packet."""

    def __init__(self, packet):
        self.code = struct.unpack_from("<H", packet, 1)[0]
        text = packet[9:] if packet[3:4] == b"#" else packet[3:]
        super().__init__(f"ERROR {self.code}: {text.decode(errors='replace')}")


def native_answer(password, salt):
    """SHA1(password) XOR SHA1(salt + SHA1(SHA1(password))); empty for an empty password."""
    if not password:
        return b""
    once = hashlib.sha1(password.encode()).digest()
    mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, mask))


class Connection:
    """One logged-in session. Raises ServerError for an ERR, OSError (ConnectionError, TimeoutError) for a lost peer."""

    def __init__(self, host, port, user, password, schema, timeout=90):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.seq = 0
        try:
            self._login(user, password, schema)
        except BaseException:
            self.sock.close()
            raise

    def query(self, sql):
        """All rows of all results of one text query, as tuples of bytes or None; [] for a statement without rows."""
        self.seq = 0
        self._send(bytes([COM_QUERY]) + sql.encode())
        rows = []
        while self._one_result(rows) & 0x0008:  # MORE_RESULTS
            pass
        return rows

    def close(self):
        """Say COM_QUIT and close."""
        try:
            self.seq = 0
            self._send(bytes([COM_QUIT]))
        except OSError:
            pass
        self.sock.close()

    def _login(self, user, password, schema):
        greeting = self._receive()
        if greeting[0] == 0xFF:
            raise ServerError(greeting)
        at = greeting.index(b"\0", 1) + 1 + 4
        salt = greeting[at:at + 8] + greeting[at + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10:][:12]
        answer = native_answer(password, salt)
        self._send(struct.pack("<IIB23x", CAPABILITIES, 1 << 24, UTF8MB4_GENERAL_CI)
                   + user.encode() + b"\0" + bytes([len(answer)]) + answer
                   + schema.encode() + b"\0" + b"mysql_native_password\0")
        reply = self._receive()
        if reply[0] == 0xFE:
            plugin, _, salt = reply[1:].partition(b"\0")
            if plugin != b"mysql_native_password":
                raise ConnectionError(f"the server asks for {plugin.decode()}; only mysql_native_password is spoken here")
            self._send(native_answer(password, salt[:20]))
            reply = self._receive()
        if reply[0] == 0xFF:
            raise ServerError(reply)
        if reply[0] != 0x00:
            raise ConnectionError(f"unexpected reply to the login: 0x{reply[0]:02x}")

    def _one_result(self, rows):
        head = self._receive()
        if head[0] == 0xFF:
            raise ServerError(head)
        if head[0] == 0x00:
            return ok_status(head)
        for _ in range(length_encoded(head, 0)[0] + 1):  # the columns and their EOF
            self._receive()
        while True:
            packet = self._receive()
            if packet[0] == 0xFF:
                raise ServerError(packet)
            if packet[0] == 0xFE and len(packet) < 9:
                return struct.unpack_from("<H", packet, 3)[0]
            rows.append(tuple(fields(packet)))

    def _send(self, payload):
        self.sock.sendall(struct.pack("<I", len(payload))[:3] + bytes([self.seq]) + payload)
        self.seq += 1

    def _receive(self):
        header = self._exactly(4)
        self.seq = (header[3] + 1) & 0xFF
        packet = self._exactly(int.from_bytes(header[:3], "little"))
        if not packet:
            raise ConnectionError("an empty packet")
        return packet

    def _exactly(self, count):
        while len(self.buffer) < count:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError("the server closed the connection")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken


def ok_status(packet):
    """The status flags of an OK packet."""
    at = length_encoded(packet, length_encoded(packet, 1)[1])[1]
    return struct.unpack_from("<H", packet, at)[0]


def fields(packet):
    """The values of one text row."""
    at = 0
    while at < len(packet):
        if packet[at] == 0xFB:
            at += 1
            yield None
            continue
        size, at = length_encoded(packet, at)
        yield packet[at:at + size]
        at += size


def length_encoded(packet, at):
    """A length-encoded integer and the place behind it."""
    first = packet[at]
    if first < 0xFB:
        return first, at + 1
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[at + 1:at + 1 + width], "little"), at + 1 + width
