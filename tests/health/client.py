"""Speaks every call of the health plane with grpcio, by stubs that are made from our own .proto files.

Arguments: a folder for the stubs, and the server's address; for a server with TLS the certificate of who vouches for it, and
the token it asks for. Fails at the first answer that is not as it should be.
"""

import sys
import time

import grpc

sys.path.insert(0, sys.argv[1])
import health_pb2  # noqa: E402
import service_pb2  # noqa: E402
import service_pb2_grpc  # noqa: E402
import verdicts_pb2  # noqa: E402
import verdicts_pb2_grpc  # noqa: E402



def channel_with(token):
    if len(sys.argv) == 3:
        return grpc.insecure_channel(sys.argv[2])
    proof = grpc.ssl_channel_credentials(open(sys.argv[3], "rb").read())
    if token:
        proof = grpc.composite_channel_credentials(proof, grpc.access_token_call_credentials(token))
    return grpc.secure_channel(sys.argv[2], proof)


channel = channel_with(sys.argv[-1])
plane = service_pb2_grpc.HealthServiceStub(channel)
ours = verdicts_pb2_grpc.VerdictsStub(channel)
empty = service_pb2.Empty()


def report(observer, subject, **metrics):
    made = health_pb2.Report(observer=observer, subject=subject)
    made.observation.ts.FromNanoseconds(time.time_ns())
    for name, (status, score) in metrics.items():
        made.observation.metrics[name].name = name
        made.observation.metrics[name].value.status = status
        made.observation.metrics[name].value.score = score
    return made


def refused(code, call, request):
    try:
        call(request)
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error.details()
    raise AssertionError(f"{request} was not refused")


assert plane.Observe(service_pb2.ObserveRequest(subject="s")).success
assert not plane.Observe(service_pb2.ObserveRequest(subject="s")).success
handle = plane.Register(service_pb2.RegisterRequest(module="test", observer="peer@2")).handle
assert handle > 10000
assert handle == plane.Register(service_pb2.RegisterRequest(module="test", observer="peer@2")).handle
seen = report("peer@2", "s", snapshot=(health_pb2.UNHEALTHY, 30))
reply = plane.SubmitReport(service_pb2.SubmitReportRequest(handle=handle, report=seen))
assert reply.result == service_pb2.SubmitReportReply.ACCEPTED
learned = service_pb2.LearnReportRequest(
    source=service_pb2.Peer(id="b", addr="b:1"),
    report=report("peer@3", "s", snapshot=(health_pb2.HEALTHY, 90)),
)
assert plane.LearnReport(learned).result == service_pb2.LearnReportReply.ACCEPTED
for kind in (service_pb2.LearnReportRequest.SUBSCRIPTION, service_pb2.LearnReportRequest.UNSUBSCRIPTION):
    learned.kind = kind
    assert plane.LearnReport(learned).result == service_pb2.LearnReportReply.ACCEPTED
assert plane.GetLatestReport(service_pb2.GetReportRequest(subject="s")).observer == "peer@3"
view = plane.GetView(service_pb2.GetViewRequest(subject="s", observer="peer@2"))
assert list(view.observations) == [seen.observation]
panorama = plane.GetPanorama(service_pb2.GetPanoramaRequest(subject="s"))
assert sorted(panorama.views) == ["peer@2", "peer@3"]
inference = plane.GetInference(service_pb2.GetInferenceRequest(subject="s"))
value = inference.observation.metrics["snapshot"].value
assert (value.status, value.score) == (health_pb2.UNHEALTHY, 60)
assert "s" in plane.GetObservedSubjects(empty).subjects
assert plane.DumpPanorama(empty).panoramas["s"] == panorama
assert plane.DumpInference(empty).inferences["s"] == inference
ping = service_pb2.PingRequest()
assert refused(grpc.StatusCode.INVALID_ARGUMENT, plane.Ping, ping) == "timestamp: nil Timestamp"
ping.time.GetCurrentTime()
assert plane.Ping(ping).result == service_pb2.PingReply.GOOD
assert len(plane.GetPeers(empty).peers) == 0
assert plane.GetId(empty).addr == sys.argv[2]
unknown = service_pb2.SubmitReportRequest(handle=5, report=seen)
assert refused(grpc.StatusCode.UNAUTHENTICATED, plane.SubmitReport, unknown) == "Invalid submission handle"
refused(grpc.StatusCode.INVALID_ARGUMENT, plane.SubmitReport, service_pb2.SubmitReportRequest(handle=handle))
refused(grpc.StatusCode.NOT_FOUND, plane.GetPanorama, service_pb2.GetPanoramaRequest(subject="nobody"))

batch = verdicts_pb2.SubmitBatchRequest(handle=handle, reports=[seen, report("x", "s")])
results = ours.SubmitBatch(batch).results
assert [result.status for result in results] == [1, 2], results
verdict = ours.GetVerdict(verdicts_pb2.GetVerdictRequest(subject="s"))
assert verdict.state == verdicts_pb2.UNHEALTHY and verdict.evidence[0].observer == "peer@2", verdict
failing = ours.ListVerdicts(verdicts_pb2.ListVerdictsRequest(at_least=verdicts_pb2.SUSPECTED)).verdicts
assert [found.subject for found in failing] == ["s"]
watch = ours.Watch(verdicts_pb2.WatchRequest(subjects=["s"]))
assert next(watch).current.subject == "s"
for _ in range(2):
    well = report("peer@2", "s", snapshot=(health_pb2.HEALTHY, 90))
    plane.SubmitReport(service_pb2.SubmitReportRequest(handle=handle, report=well))
change = next(watch).change
assert (getattr(change, "from"), change.to) == (verdicts_pb2.UNHEALTHY, verdicts_pb2.HEALTHY), change
watch.cancel()
assert ours.ListTransitions(verdicts_pb2.ListTransitionsRequest()).transitions[0] == change
assert plane.StopObserving(service_pb2.ObserveRequest(subject="s")).success
assert refused(grpc.StatusCode.NOT_FOUND, plane.GetInference, service_pb2.GetInferenceRequest(subject="s"))

is_serving = "/grpc.health.v1.Health/Check", lambda _: b"", bytes
if len(sys.argv) > 3:
    for token in (None, "wrong", sys.argv[-1] + "x"):
        stranger = channel_with(token)
        for stub in (service_pb2_grpc.HealthServiceStub(stranger).GetId, service_pb2_grpc.HealthServiceStub(stranger).GetPeers):
            said = refused(grpc.StatusCode.UNAUTHENTICATED, stub, empty)
            assert "a token is needed" in said, said
        refused(grpc.StatusCode.UNAUTHENTICATED, verdicts_pb2_grpc.VerdictsStub(stranger).ListVerdicts, verdicts_pb2.ListVerdictsRequest())
        assert stranger.unary_unary(*is_serving)(None) == b"\x08\x01"
assert channel.unary_unary(*is_serving)(None) == b"\x08\x01"
print("every call was answered")
