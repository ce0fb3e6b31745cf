"""A broker that asks who is there: SASL PLAIN and SCRAM (RFC 4616, 5802, 7677), TLS.

Written for this test from the protocol's description, as librdkafka's stand-in knows neither. It holds its own arithmetic
against the example of RFC 7677 first. Arguments: port, mechanism, user, password, largest message in bytes, and for TLS the
files of a certificate and its key. Says `ready`, then a line a message: the key, then its body."""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import sys
import threading

PRODUCE, METADATA, HANDSHAKE, VERSIONS, AUTHENTICATE = 0, 3, 17, 18, 36
TOPICS = ["gala_anteater_hybrid_model", "gala_cause_inference"]
MESSAGE_TOO_LARGE, SASL_FAILED = 10, 58


def salted(digest, password, salt, rounds):
    return hashlib.pbkdf2_hmac(digest, password, salt, rounds)


def scram(digest, password, salt, rounds, text):
    """Proof and signature over the three messages without the proof."""
    key = salted(digest, password, salt, rounds)
    mac = lambda key, message: hmac.new(key, message, digest).digest()
    client, server = mac(key, b"Client Key"), mac(key, b"Server Key")
    signature = mac(hashlib.new(digest, client).digest(), text)
    return bytes(a ^ b for a, b in zip(client, signature)), mac(server, text)


def check_example():
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    text = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}".encode()
    proof, signature = scram("sha256", b"pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096, text)
    assert base64.b64encode(proof) == b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def array(parts):
    return struct.pack(">i", len(parts)) + b"".join(parts)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


class Connection:
    def __init__(self, stream, port, mechanism, user, password, largest):
        self.stream, self.port, self.mechanism = stream, port, mechanism
        self.user, self.password, self.largest = user, password, largest
        self.known = mechanism == "none"
        self.first = None

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.stream.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def run(self):
        while True:
            request = self.exactly(struct.unpack(">i", self.exactly(4))[0])
            api, _, correlation, length = struct.unpack(">hhih", request[:10])
            body = request[10 + max(length, 0) :]
            answer = struct.pack(">i", correlation) + self.answer(api, body)
            self.stream.sendall(struct.pack(">i", len(answer)) + answer)

    def answer(self, api, body):
        if api == VERSIONS:
            offered = {PRODUCE: (3, 3), METADATA: (1, 1), HANDSHAKE: (1, 1), VERSIONS: (0, 0), AUTHENTICATE: (0, 0)}
            return struct.pack(">h", 0) + array([struct.pack(">hhh", key, *of) for key, of in offered.items()])
        if api == HANDSHAKE:
            return struct.pack(">h", 0) + array([string(self.mechanism)])
        if api == AUTHENTICATE:
            return self.authenticate(body[4:])
        assert self.known, "a request of somebody unknown"
        return self.metadata(body) if api == METADATA else self.produce(body)

    def authenticate(self, message):
        said, reason = b"", None
        if self.mechanism == "PLAIN":
            self.known = message == b"\0" + self.user + b"\0" + self.password
        elif self.first is None:
            bare = message.split(b",", 2)[2]
            nonce = bare.split(b"r=", 1)[1] + base64.b64encode(os.urandom(12))
            self.salt = os.urandom(16)
            said = b"r=%s,s=%s,i=4096" % (nonce, base64.b64encode(self.salt))
            self.first = bare + b"," + said
            return struct.pack(">hh", 0, -1) + struct.pack(">i", len(said)) + said
        else:
            without, proof = message.split(b",p=")
            digest = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}[self.mechanism]
            right, signature = scram(digest, self.password, self.salt, 4096, self.first + b"," + without)
            self.known = hmac.compare_digest(right, base64.b64decode(proof)) and b"n=" + self.user in self.first
            said = b"v=" + base64.b64encode(signature)
        if not self.known:
            return struct.pack(">h", SASL_FAILED) + string("who are you?") + struct.pack(">i", 0)
        return struct.pack(">hh", 0, -1) + struct.pack(">i", len(said)) + said

    def metadata(self, body):
        asked, at = [], 4
        for _ in range(struct.unpack(">i", body[:4])[0]):
            length = struct.unpack(">h", body[at : at + 2])[0]
            asked.append(body[at + 2 : at + 2 + length].decode())
            at += 2 + length
        broker = struct.pack(">i", 1) + string("localhost") + struct.pack(">ih", self.port, -1)
        partition = struct.pack(">hii", 0, 0, 1) + array([struct.pack(">i", 1)]) * 2
        named = [name for name in TOPICS if not asked or name in asked]
        topics = [struct.pack(">h", 0) + string(name) + b"\0" + array([partition]) for name in named]
        return array([broker]) + struct.pack(">i", 1) + array(topics)

    def produce(self, body):
        assert struct.unpack(">h", body[:2])[0] == -1, "no transaction"
        at = 2 + 2 + 4 + 4
        length = struct.unpack(">h", body[at : at + 2])[0]
        topic = body[at + 2 : at + 2 + length].decode()
        at += 2 + length + 4 + 4
        size = struct.unpack(">i", body[at : at + 4])[0]
        batch = body[at + 4 : at + 4 + size]
        code = MESSAGE_TOO_LARGE if size > self.largest else 0
        if code == 0:
            for key, value in records(batch):
                print(key, value, flush=True)
        partition = struct.pack(">ihqq", 0, code, 0, -1)
        return array([string(topic) + array([partition])]) + struct.pack(">i", 0)


def records(batch):
    count, at = struct.unpack(">i", batch[57:61])[0], 61
    for _ in range(count):
        length, at = varint(batch, at)
        end = at + length
        at += 1
        _, at = varint(batch, at)
        _, at = varint(batch, at)
        size, at = varint(batch, at)
        key, at = batch[at : at + size].decode(), at + size
        size, at = varint(batch, at)
        yield key, batch[at : at + size].decode()
        at = end


def serve(stream, tls, arguments):
    try:
        if tls:
            stream = tls.wrap_socket(stream, server_side=True)
        Connection(stream, *arguments).run()
    except (EOFError, OSError):
        pass


def main():
    check_example()
    port, mechanism, user, password, largest = sys.argv[1:6]
    tls = None
    if sys.argv[6:]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*sys.argv[6:8])
    listener = socket.create_server(("127.0.0.1", int(port)))
    print("ready", flush=True)
    while True:
        stream, _ = listener.accept()
        arguments = (int(port), mechanism, user.encode(), password.encode(), int(largest))
        threading.Thread(target=serve, args=(stream, tls, arguments), daemon=True).start()


main()
