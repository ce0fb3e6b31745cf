"""Reports what a program sees of what it depends on to a health plane (Skywatch's, or one of Panorama): one file, Python 3.8 and grpcio.

    observer = Observer("127.0.0.1:6688", "shop@web1")
    writes = observer.metric("postgres:main", "write")
    with writes.pending():           # an exception is a failure, a call that hangs is told while it hangs
        database.execute(order)
    writes.failed()                  # or in so many words
    observer.close()

Nobody who observes ever waits for the plane: a thread sends. A change is sent at once; what stays as it is, each REPEAT seconds,
once a subject; a request that takes longer than PENDING_AFTER is told as pending since its beginning, and the plane says after a
deadline of its own that it is overdue, also if this program hangs. While the plane is away the newest KEPT observations of each
subject wait for it. At most SUBJECTS subjects are observed; what is seen of more is counted in `Observer.refused`.

It behaves as `src/observer` does, which Skywatch itself observes with. The messages are written by hand, so that no stubs are needed.
"""

import collections
import contextlib
import struct
import threading
import time

import grpc

HEALTHY, PENDING, MAYBE_UNHEALTHY, UNHEALTHY, DYING, DEAD = range(2, 8)

PENDING_AFTER = 0.5
REPEAT = 10.0
KEPT = 10
SUBJECTS = 1000
# How often it is looked for requests that hang; how long an answer may take; and the pauses after a failure, all in seconds.
LOOK_EACH = 0.25
DEADLINE = 2.0
PAUSES = (0.25, 5.0)


class Observer:
    """Reports as `name` to the plane at `address` (host:port), with its token if it has one; over TLS with a file of authorities."""

    def __init__(self, address, name, module="python", token=None, ca_file=None):
        self.name, self.module = name, module
        self.refused = 0
        self._lock = threading.Lock()
        self._subjects, self._aliases = {}, {}
        self._changed, self._closed = threading.Event(), False
        self._handle, self._pause, self._try_at = None, PAUSES[0], 0.0
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        if ca_file:
            with open(ca_file, "rb") as file:
                trusted = grpc.ssl_channel_credentials(file.read())
            self._channel = grpc.secure_channel(address, trusted)
        else:
            self._channel = grpc.insecure_channel(address)
        call = self._channel.unary_unary
        self._register = call("/idl.HealthService/Register", _raw, _raw)
        self._submit = call("/idl.HealthService/SubmitReport", _raw, _raw)
        self._thread = threading.Thread(target=self._run, name="health-reports", daemon=True)
        self._thread.start()

    def map_subject(self, name, subject):
        """From now on `name`, an address for instance, stands for this subject."""
        with self._lock:
            self._aliases[name] = subject

    def metric(self, subject, metric):
        """A handle on one metric of a subject; all handles on one metric speak for the same vote."""
        with self._lock:
            subject = self._aliases.get(subject, subject)
            if subject not in self._subjects:
                if len(self._subjects) >= SUBJECTS:
                    self.refused += 1
                    return ObservedMetric(self, _Subject(), metric)
                self._subjects[subject] = _Subject()
            return ObservedMetric(self, self._subjects[subject], metric)

    def close(self):
        """Sends what is there, if the plane takes it, and ends."""
        self._closed = True
        self._changed.set()
        self._thread.join(3 * DEADLINE)
        self._channel.close()

    def _call(self, method, request):
        return method(request, timeout=DEADLINE, metadata=self._metadata)

    def _run(self):
        while not self._closed:
            self._changed.wait(LOOK_EACH)
            self._changed.clear()
            if time.monotonic() >= self._try_at:
                self._send()
        self._send()

    def _send(self):
        with self._lock:
            subjects = list(self._subjects.items())
        for subject, seen in subjects:
            seen.look(time.monotonic())
            while True:
                observation = seen.next()
                if observation is None:
                    break
                try:
                    if self._handle is None:
                        request = _text(1, self.module) + _text(2, self.name)
                        self._handle = _first_number(self._call(self._register, request))
                    report = _report(self.name, subject, observation)
                    self._call(self._submit, _number(1, self._handle) + _bytes(2, report))
                    seen.sent(observation)
                except grpc.RpcError as error:
                    if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                        # It will never be taken.
                        seen.sent(observation)
                        continue
                    # Also a plane that has lost its file, and knows us no longer.
                    self._handle = None
                    self._try_at = time.monotonic() + self._pause
                    self._pause = min(2 * self._pause, PAUSES[1])
                    return
        self._pause = PAUSES[0]


class ObservedMetric:
    """One metric of one subject as this program sees it."""

    def __init__(self, observer, subject, metric):
        self._observer, self._subject, self._metric = observer, subject, metric

    @contextlib.contextmanager
    def pending(self):
        """A request that may hang: what it raises is a failure."""
        number = self._subject.begin(self._metric, time.monotonic())
        try:
            yield
        except Exception:
            self._subject.end(self._metric, number)
            self.failed()
            raise
        except BaseException:
            # Withdrawn: the program is told to end, and nothing is known of the request.
            self._subject.end(self._metric, number)
            raise
        self._subject.end(self._metric, number)
        self.healthy()

    def healthy(self):
        self.inform(HEALTHY, 100.0)

    def failed(self):
        self.inform(UNHEALTHY, 0.0)

    def doubtful(self):
        self.inform(MAYBE_UNHEALTHY, 50.0)

    def inform(self, status, score):
        """What was seen of it: a status and a score, 0 (worst) to 100."""
        if self._subject.inform(self._metric, status, score, time.monotonic()):
            self._observer._changed.set()


class _Metric:
    def __init__(self):
        self.told = None
        # What was seen and not told, as it says no other thing: status, score, time.
        self.again = None
        # Requests under way by number: when begun, and whether that was told.
        self.under_way = {}

    def hangs(self):
        return self.told == PENDING and any(told for _, told in self.under_way.values())


class _Subject:
    """What is seen of one subject. Times are of the monotonic clock."""

    def __init__(self):
        self._lock = threading.Lock()
        self._metrics = collections.defaultdict(_Metric)
        self._unsent = collections.deque(maxlen=KEPT)
        self._repeated, self._requests = time.monotonic(), 0

    def begin(self, metric, now):
        with self._lock:
            self._requests += 1
            self._metrics[metric].under_way[self._requests] = (now, False)
            return self._requests

    def end(self, metric, number):
        with self._lock:
            self._metrics[metric].under_way.pop(number, None)

    def inform(self, metric, status, score, now):
        with self._lock:
            return self._inform(metric, status, score, now)

    def _inform(self, metric, status, score, now):
        seen = self._metrics[metric]
        # That others are answered says nothing of the one that hangs.
        if seen.told == status or (status == HEALTHY and seen.hangs()):
            seen.again = (status, score, now)
            return False
        seen.told, seen.again = status, None
        self._unsent.append((now, [(metric, status, score)]))
        return True

    def look(self, now):
        with self._lock:
            for metric, seen in self._metrics.items():
                self._look_at_requests(metric, seen, now)
            if now - self._repeated >= REPEAT:
                self._repeated = now
                self._repeat(now)

    def _look_at_requests(self, metric, seen, now):
        late = {n: begun for n, (begun, told) in seen.under_way.items() if not told and now - begun >= PENDING_AFTER}
        seen.under_way.update({number: (begun, True) for number, begun in late.items()})
        if late and seen.told != PENDING:
            seen.told, seen.again = PENDING, None
            self._unsent.append((min(late.values()), [(metric, PENDING, 50.0)]))
        elif seen.told == PENDING and not seen.hangs() and seen.again:
            # The one that hung was withdrawn; what others saw meanwhile counts.
            self._inform(metric, *seen.again)

    def _repeat(self, now):
        at, metrics = now, []
        for metric, seen in self._metrics.items():
            if seen.hangs():
                metrics.append((metric, PENDING, 50.0))
            elif seen.again:
                status, score, when = seen.again
                seen.again, at = None, min(at, when)
                metrics.append((metric, status, score))
        if metrics:
            self._unsent.append((at, metrics))

    def next(self):
        with self._lock:
            return self._unsent[0] if self._unsent else None

    def sent(self, observation):
        with self._lock:
            # It may have had to give way meanwhile.
            if self._unsent and self._unsent[0] is observation:
                self._unsent.popleft()


# Messages: `health.proto` and `service.proto` of the package `idl`.


def _raw(message):
    return message


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _number(field, number):
    return _varint(field << 3) + _varint(number)


def _bytes(field, content):
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field, text):
    return _bytes(field, text.encode())


def _first_number(message):
    """The number in field 1, with which every message begins that is read here; 0 is left out."""
    number, shift = 0, 0
    for byte in message[1:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return number


def _report(observer, subject, observation):
    at, metrics = observation
    wall = time.time_ns() - int((time.monotonic() - at) * 1e9)
    seen = _bytes(1, _number(1, wall // 10**9) + _number(2, wall % 10**9))
    for name, status, score in metrics:
        value = _number(1, status) + _varint(2 << 3 | 5) + struct.pack("<f", score)
        seen += _bytes(2, _text(1, name) + _bytes(2, _text(1, name) + _bytes(2, value)))
    return _text(1, observer) + _text(2, subject) + _bytes(3, seen)
