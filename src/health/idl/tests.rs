use prost::Message;

use super::panorama::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().collect();
    let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("hex"))
        .collect()
}

/// A message is these bytes, and these bytes are the message.
fn holds<M: Message + Default + PartialEq + std::fmt::Debug>(message: &M, bytes: &str) {
    assert_eq!(message.encode_to_vec(), hex(bytes), "{message:?}");
    assert_eq!(M::decode(&*hex(bytes)).as_ref(), Ok(message));
}

fn peer(id: &str, addr: &str) -> Peer {
    Peer {
        id: id.to_owned(),
        addr: addr.to_owned(),
    }
}

/// The bytes were made by protoc from the original's files.
#[test]
fn messages_are_the_originals_bytes() {
    let value = Value {
        status: Status::Unhealthy.into(),
        score: 30.0,
    };
    holds(&value, "0805150000f041");
    holds(&peer("a", "b"), "0a0161120162");
    let peers = GetPeerReply {
        peers: vec![peer("a", "b")],
    };
    holds(&peers, "1a060a0161120162");
    holds(&RegisterReply { handle: 10_000 }, "08904e");
    let accepted = SubmitReportReply {
        result: submit_report_reply::Status::Accepted.into(),
    };
    holds(&accepted, "0801");
    let subscription = LearnReportRequest {
        kind: learn_report_request::Kind::Subscription.into(),
        source: Some(peer("a", "b:1")),
        report: Some(Report {
            observer: "a".to_owned(),
            subject: "s".to_owned(),
            observation: None,
        }),
        ..LearnReportRequest::default()
    };
    holds(&subscription, "080112080a01611203623a311a060a0161120173");
    let metric = Metric {
        name: "snapshot".to_owned(),
        value: Some(value),
    };
    let report = Report {
        observer: "peer@2".to_owned(),
        subject: "peer@1".to_owned(),
        observation: Some(Observation {
            ts: Some(prost_types::Timestamp {
                seconds: 1_495_181_595,
                nanos: 385_767_379,
            }),
            metrics: [("snapshot".to_owned(), metric)].into(),
        }),
    };
    holds(
        &report,
        "0a0670656572403212067065657240311a2f0a0c089bd2fac80510d3aff9b701121f0a08736e617073686f7412130a08736e617073686f7412\
         070805150000f041",
    );
}

/// Every rpc of the original, by its path on the wire.
#[test]
fn all_fifteen_calls_are_there() {
    let set = prost_types::FileDescriptorSet::decode(super::DESCRIPTORS).expect("descriptors");
    let services = set
        .file
        .iter()
        .filter(|file| file.package() == "idl")
        .flat_map(|file| &file.service);
    let service: Vec<_> = services.collect();
    assert_eq!(service.len(), 1);
    assert_eq!(service[0].name(), "HealthService");
    let mut methods: Vec<_> = service[0].method.iter().map(|method| method.name()).collect();
    methods.sort_unstable();
    assert_eq!(
        methods,
        [
            "DumpInference",
            "DumpPanorama",
            "GetId",
            "GetInference",
            "GetLatestReport",
            "GetObservedSubjects",
            "GetPanorama",
            "GetPeers",
            "GetView",
            "LearnReport",
            "Observe",
            "Ping",
            "Register",
            "StopObserving",
            "SubmitReport"
        ]
    );
    assert!(
        !service[0]
            .method
            .iter()
            .any(|method| method.client_streaming() || method.server_streaming())
    );
}
