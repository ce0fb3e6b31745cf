"""A redis-server of our own on a free loopback port, for scripts that break it, what is asked of it, and the form of its points."""

import signal
import socket
import struct
import subprocess
import time


def point(at, value):
    """A point as the store has it: msgpack, whole Unix seconds and a double."""
    return b"\x92\xce" + struct.pack(">I", int(at)) + b"\xcb" + struct.pack(">d", value)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisRefusal(Exception):
    """A server's answer that is an error."""


class LocalRedis:
    """A server with its data in a folder; further words of its command line may be given, a file of settings first."""

    def __init__(self, folder, *options):
        self.port = free_port()
        files = [word for word in options[:1] if not str(word).startswith("--")]
        self.command = ["redis-server", *files, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
                        *options[len(files):]]
        self.start()

    def start(self, *options):
        """Starts it, with words that hold for this once behind the others."""
        self.process = subprocess.Popen([*self.command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                if self.ask("PING") == b"PONG":
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("redis-server does not start")

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def ask(self, *words):
        return self.ask_all([words])[0]

    def ask_all(self, commands, patience=10):
        """The replies: bytes, None, or lists of them. Each call has a connection of its own, so that a restart is no matter."""
        with socket.create_connection(("127.0.0.1", self.port), patience) as link:
            packed = b""
            for words in commands:
                packed += b"*%d\r\n" % len(words)
                for word in words:
                    word = word if isinstance(word, bytes) else str(word).encode()
                    packed += b"$%d\r\n%s\r\n" % (len(word), word)
            link.sendall(packed)
            replies = link.makefile("rb")
            return [self.reply(replies) for _ in commands]

    def reply(self, replies):
        line = replies.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server has gone")
        line = line.rstrip()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return None if rest == b"-1" else replies.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply(replies) for _ in range(int(rest))]
        if kind == b"-":
            raise RedisRefusal(rest.decode())
        return rest
