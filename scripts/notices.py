"""Metrics that become anomalous on request, and the web server that takes what is said of them."""

import http.server
import json
import socket
import threading
import time

PATIENCE = 60.0


class Sink(http.server.ThreadingHTTPServer):
    """The web server that takes notices: what was said of each metric, in order, and how often a notice came again."""

    def __init__(self):
        sink = self
        self.ids, self.said, self.repeats, self.lock = set(), {}, 0, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with sink.lock:
                    sink.take(self.headers["idempotency-key"], body)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, key, body):
        if key in self.ids:
            self.repeats += 1
            return
        self.ids.add(key)
        for item in (body.get("incidents") or {}).get("items") or []:
            self.said.setdefault(item["subject"]["name"], []).append(item["what"])

    def take_repeats(self):
        with self.lock:
            repeats, self.repeats = self.repeats, 0
        return repeats

    def said_of(self, names):
        with self.lock:
            return {name: list(self.said.get(name, [])) for name in names}

    def wait_for(self, names, said):
        """Waits until this was said of each, and fails if it was anything else."""
        begun = time.time()
        while True:
            wrong = {name: other for name, other in self.said_of(names).items() if other != said}
            if not wrong:
                return
            if time.time() - begun > PATIENCE or any(len(other) > len(said) for other in wrong.values()):
                raise SystemExit(f"nodes: {said} should have been said of each of {len(names)} metrics, and was not: {wrong}")
            time.sleep(0.2)


class Incidents:
    """Metrics that become anomalous and well again on request."""

    STEP = 10

    def __init__(self, nodes, sink):
        self.nodes, self.sink, self.ends, self.count = nodes, sink, {}, 0

    def send(self, values):
        """A list of values for each metric, ten seconds apart, behind those it has."""
        lines = []
        for name, new in values.items():
            for value in new:
                self.ends[name] += self.STEP
                lines.append(f"{name} {value} {self.ends[name]}\n")
        for node in sorted(self.nodes, key=lambda node: not node.lives):
            try:
                with socket.create_connection(("127.0.0.1", node.carbon), 2) as link:
                    link.sendall("".join(lines).encode())
                return
            except OSError:
                continue
        raise SystemExit("nodes: no node takes points")

    def begin(self):
        """A dozen metrics that are well."""
        self.count += 1
        names = [f"round{self.count}.m{n}.load" for n in range(12)]
        self.ends |= dict.fromkeys(names, int(time.time()) - 1500)
        self.send({name: [100 + (n * 7919 % 101) / 10 for n in range(120)] for name in names})
        return names

    def bad(self, names):
        self.send({name: [500.0] * 3 for name in names})

    def well(self, names):
        self.send({name: [100 + (n * 7919 % 101) / 10 for n in range(6)] for name in names})
