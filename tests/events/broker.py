"""A Kafka of one broker, librdkafka's own stand-in, that listens on this machine.

Says its address, then each message it gets as a line of JSON. A line `PRODUCE TOPIC COMPRESSION VALUE` on standard input writes
one; the end of standard input ends it. Arguments: the topics that are read."""

import json
import sys
import threading

from confluent_kafka import Consumer, Producer, TopicPartition

broker = Producer({"test.mock.num.brokers": 1})
metadata = broker.list_topics(timeout=10)
(address,) = [f"{known.host}:{known.port}" for known in metadata.brokers.values()]
topics = sys.argv[1:]


def read():
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "fetch.wait.max.ms": 20})
    partitions = []
    for topic in topics:
        # A producer's question makes the topic, a consumer's does not.
        while not (known := broker.list_topics(topic, timeout=10).topics[topic].partitions):
            pass
        partitions += [TopicPartition(topic, number, 0) for number in known]
    consumer.assign(partitions)
    print(address, flush=True)
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        told = {
            "topic": message.topic(),
            "partition": message.partition(),
            "key": message.key().decode(),
            "id": dict(message.headers())["skywatch-id"].decode(),
            "time": message.timestamp()[1],
            "body": json.loads(message.value()),
        }
        print(json.dumps(told), flush=True)


threading.Thread(target=read, daemon=True).start()
for line in sys.stdin:
    _, topic, compression, value = line.rstrip("\n").split(" ", 3)
    producer = Producer({"bootstrap.servers": address, "compression.type": compression})
    # Long enough to be worth compressing, or it is sent as it is.
    producer.produce(topic, value.ljust(2000), partition=0)
    assert producer.flush(10) == 0
