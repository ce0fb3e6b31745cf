"""Sends a trace, and a metric of each kind, by one of OpenTelemetry's own exporters.

  exporters.py grpc|http ADDRESS [TOKEN]

Prints the id of the trace. Ends with 1 if an exporter says that it has failed.
"""

import sys

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

protocol, address, *token = sys.argv[1:]
headers = {"authorization": f"Bearer {token[0]}"} if token else {}
if protocol == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    options = {"endpoint": address, "insecure": True, "headers": headers, "compression": Compression.Gzip, "timeout": 10}
    spans, metrics = OTLPSpanExporter(**options), OTLPMetricExporter(**options)
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    options = {"headers": headers, "compression": Compression.Gzip, "timeout": 10}
    spans = OTLPSpanExporter(endpoint=f"http://{address}/v1/traces", **options)
    metrics = OTLPMetricExporter(endpoint=f"http://{address}/v1/metrics", **options)

failures = []


class Watched(SpanExporter):
    """Notes what the exporter says became of its spans."""

    def export(self, batch):
        result = spans.export(batch)
        if result is not SpanExportResult.SUCCESS:
            failures.append("spans")
        return result

    def shutdown(self):
        spans.shutdown()


def provider(service):
    made = TracerProvider(resource=Resource.create({"service.name": service}))
    made.add_span_processor(SimpleSpanProcessor(Watched()))
    return made


front, back = provider("front"), provider("back")
with front.get_tracer("test").start_as_current_span("GET /cart", kind=trace.SpanKind.SERVER) as root:
    with front.get_tracer("test").start_as_current_span("call", kind=trace.SpanKind.CLIENT):
        with back.get_tracer("test").start_as_current_span(
            "GET", kind=trace.SpanKind.SERVER, attributes={"http.route": "/items/{id}"}
        ) as served:
            served.set_status(trace.Status(trace.StatusCode.ERROR, "no such item"))
identity = root.get_span_context().trace_id

result = []
export = metrics.export
metrics.export = lambda *given, **more: result.append(export(*given, **more)) or result[-1]
meters = MeterProvider(
    resource=Resource.create({"service.name": "front"}),
    metric_readers=[PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)],
)
meter = meters.get_meter("test")
meter.create_counter("orders").add(7, {"shop": "a b"})
meter.create_up_down_counter("carts").add(-2)
meter.create_gauge("temperature").set(21.5)
latency = meter.create_histogram("latency")
latency.record(700.0)
meters.force_flush()
latency.record(7.0)
# It exports once more.
meters.shutdown()
if not result or any(said is not MetricExportResult.SUCCESS for said in result):
    failures.append("metrics")
print(f"{identity:032x}")
sys.exit(bool(failures))
