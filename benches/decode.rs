//! Decoding a stored stream: our reader beside rmp-serde, which it must beat to be worth having.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize as _;
use skywatch::store::codec;
use skywatch_algorithms::Series;

/// The stream as our writer and carbon's integers make it, or with float times as a pickle client makes it.
fn stream(points: u32, float_times: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 0..points {
        let time = 1.7e9 + 60.0 * f64::from(index) + if float_times { 0.5 } else { 0.0 };
        codec::encode(time, f64::from(index * 7919 % 101) + 0.1, &mut bytes);
    }
    bytes
}

fn decode(criterion: &mut Criterion) {
    for (kind, float_times) in [("usual", false), ("float-times", true)] {
        let mut group = criterion.benchmark_group(format!("decode/{kind}"));
        for points in [288, 1_440, 8_640] {
            let bytes = stream(points, float_times);
            group.throughput(Throughput::Elements(u64::from(points)));
            let mut series = Series::default();
            group.bench_function(BenchmarkId::new("ours", points), |bencher| {
                bencher.iter(|| {
                    series.clear();
                    codec::decode(&bytes, &mut series)
                });
            });
            group.bench_function(BenchmarkId::new("rmp-serde", points), |bencher| {
                bencher.iter(|| {
                    series.clear();
                    let mut rest = bytes.as_slice();
                    while !rest.is_empty() {
                        let mut reader = rmp_serde::Deserializer::new(&mut rest);
                        let (time, value) = <(f64, f64)>::deserialize(&mut reader).expect("a point");
                        series.push(time, value);
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
