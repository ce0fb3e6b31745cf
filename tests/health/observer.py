"""Observes with `scripts/skywatch_observer.py` and holds what a plane makes of it against what it should.

Arguments: the folder of the observer, a folder with stubs, the server's address. Fails at the first answer that is not as it should be.
"""

import sys
import threading
import time

import grpc

sys.path[:0] = sys.argv[1:3]
import skywatch_observer  # noqa: E402
import verdicts_pb2  # noqa: E402
import verdicts_pb2_grpc  # noqa: E402

plane = verdicts_pb2_grpc.VerdictsStub(grpc.insecure_channel(sys.argv[3]))


def until(state, within, metrics=0):
    """Waits for a verdict with at least so many metrics in its evidence: they are reported one after the other."""
    begun = time.monotonic()
    while time.monotonic() - begun < within:
        try:
            verdict = plane.GetVerdict(verdicts_pb2.GetVerdictRequest(subject="postgres:main"))
            if verdict.state == state and len({vote.metric for vote in verdict.evidence}) >= metrics:
                return verdict
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
        time.sleep(0.02)
    raise AssertionError(f"not {verdicts_pb2.State.Name(state)} within {within} s")


observer = skywatch_observer.Observer(sys.argv[3], "shop@web1")
observer.map_subject("10.0.0.5:5432", "postgres:main")
pings = observer.metric("postgres:main", "ping")
writes = observer.metric("10.0.0.5:5432", "write")
for _ in range(1000):
    pings.healthy()
    with writes.pending():
        pass
verdict = until(verdicts_pb2.HEALTHY, 10, metrics=2)
assert sorted(vote.metric for vote in verdict.evidence) == ["ping", "write"], verdict

# A call that hangs: the plane says that it is overdue, and that the rest works.
goes_on = threading.Event()


def hang():
    with writes.pending():
        goes_on.wait(60)


hanging = threading.Thread(target=hang)
hanging.start()
verdict = until(verdicts_pb2.GRAY, 7)
assert verdict.evidence[0].metric == "write", verdict
goes_on.set()
hanging.join()
until(verdicts_pb2.HEALTHY, 7)

try:
    with writes.pending():
        raise OSError("refused")
except OSError:
    pass
until(verdicts_pb2.GRAY, 7)
writes.healthy()
observer.close()
until(verdicts_pb2.HEALTHY, 7)
