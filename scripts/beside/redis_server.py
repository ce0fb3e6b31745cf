"""A Redis of our own on a free loopback port, and the few commands that are asked of it.

The client speaks just enough of the protocol to fill and to append; both sides that are measured use their own clients.
"""

import shutil
import socket
import subprocess
import time


class Missing(Exception):
    """There is no Redis to be started."""


class RedisServer:
    def __init__(self, folder):
        if not shutil.which("redis-server"):
            raise Missing("`redis-server` is not on the PATH\nhint: `apt-get install redis-server`")
        self.log = folder / "redis.log"
        self.socket_path = str(folder / "redis.sock")
        # The port may be taken between being found free and Redis taking it; then Redis ends, and another is tried.
        for _ in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port)]
                + ["--unixsocket", self.socket_path, "--unixsocketperm", "700"]
                + ["--save", "", "--appendonly", "no", "--dir", str(folder), "--logfile", str(self.log)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            if self._connected():
                break
            self.stop()
        else:
            words = self.log.read_text().strip().splitlines() if self.log.is_file() else []
            raise Missing(f"Redis does not start: {words[-1] if words else 'no word'}")
        self.version = next(
            line.split(":", 1)[1].strip()
            for line in self.call("INFO", "server").decode().splitlines()
            if line.startswith("redis_version:")
        )

    def _connected(self):
        due = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < due:
            # By the socket in our own folder: what is emptied and filled is surely not somebody else's Redis.
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.settimeout(60)
            try:
                self.connection.connect(self.socket_path)
            except OSError:
                self.connection.close()
                time.sleep(0.02)
                continue
            self.reader = self.connection.makefile("rb")
            return True
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)

    def call(self, *words):
        return self.pipeline([words])[0]

    def pipeline(self, commands):
        """The replies of many commands sent at once; an error reply is an exception."""
        self.connection.sendall(b"".join(_encode(words) for words in commands))
        return [self._reply() for _ in commands]

    def _reply(self):
        line = self.reader.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(f"Redis answers `{rest.decode()}`")
        if kind in b"+:":
            return rest if kind == b"+" else int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.reader.read(size + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        raise RuntimeError(f"Redis closed the connection or answers `{line!r}`")


def _encode(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)
