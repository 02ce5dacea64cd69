"""test/fakeaws: faults by rule, what control refuses, and clients that send garbage."""
import datetime
import http.client
import time
import zlib

import fake
import harness
from fakeaws_case import Case, ClientError, TransportError


class Faults(Case):
    def setUp(self):
        super().setUp()
        self.bucket = self.fake.new_bucket()

    def put(self, key="a"):
        return self.fake.s3.put_object(Bucket=self.bucket, Key=key, Body=b"x" * 1000)

    def give_up(self, key):
        """A PUT whose answer the client does not wait for."""
        with self.assertRaises(TimeoutError):
            self.signed("s3", "PUT", f"/{self.bucket}/{key}", b"x", seconds=0.3)

    def stored(self, key="a"):
        return len(self.fake.writes(key=key))

    def test_error(self):
        self.fake.fault(service="s3", op="PutObject", status=503, code="SlowDown", count=2, retry_after_s=7)
        answer = self.refused("SlowDown", self.put, 503)
        self.assertEqual(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"], "7")
        self.refused("SlowDown", self.put, 503)
        self.put()
        self.assertEqual(self.stored(), 1)

    def test_error_of_streams(self):
        table = self.fake.new_table(shards=2)
        shard = self.fake.shards(table)[1]["id"]
        self.fake.fault(op="GetRecords", shard=shard, status=400, code="ProvisionedThroughputExceededException")
        self.refused("ProvisionedThroughputExceededException", self.read, 400, iterator=self.iterator(table, 1))
        self.read(self.iterator(table, 0))
        self.fake.fault(op="GetShardIterator", iterator="LATEST", status=500, code="InternalServerError")
        self.iterator(table, 0)
        with self.assertRaises(ClientError) as caught:
            self.iterator(table, 0, "LATEST")
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 500)

    def test_nth_skip_and_key(self):
        self.fake.fault(op="PutObject", key="special", nth=2, status=500, code="InternalError")
        rule = self.fake.fault(op="PutObject", key="other", skip=1, count=1, status=500, code="InternalError")
        done = []
        for key in ("special", "plain", "special", "special", "other", "other", "other"):
            try:
                self.put(key)
                done.append(True)
            except ClientError:
                done.append(False)
        self.assertEqual(done, [True, True, False, True, True, False, True])
        self.assertEqual(self.fake.hits(rule), 1)
        with self.assertRaises(fake.Refused):
            self.fake.fault(opp="PutObject", status=500)

    def test_probability_by_seed(self):
        def pattern():
            rule = self.fake.fault(op="PutObject", p=0.5, seed=42, status=500, code="InternalError")
            done = []
            for _ in range(20):
                try:
                    self.put()
                    done.append(True)
                except ClientError:
                    done.append(False)
            self.fake.do("clear_faults", id=rule)
            return done
        first = pattern()
        self.assertEqual(first, pattern())
        self.assertTrue(3 < sum(first) < 17)

    def test_reset_before_and_after(self):
        self.fake.fault(op="PutObject", key="before", reset="before", count=1)
        self.fake.fault(op="PutObject", key="after", reset="after", count=1)
        for key in ("before", "after"):
            with self.assertRaises(TransportError):
                self.put(key)
        self.assertEqual((self.stored("before"), self.stored("after")), (0, 1))
        noted = [(r["status"], r["effect"]) for r in self.fake.requests(op="PutObject")]
        self.assertEqual(noted, [(0, False), (200, True)])

    def test_delays(self):
        self.fake.fault(op="PutObject", delay_ms=600, count=1)
        began = time.monotonic()
        self.put()
        self.assertGreaterEqual(time.monotonic() - began, 0.6)

    def test_late_effect_of_a_request_that_was_given_up(self):
        self.fake.fault(op="PutObject", delay_ms=500, when="before", count=1)
        self.give_up("late")
        self.assertEqual(self.stored("late"), 0)
        harness.wait_until(lambda: self.stored("late") == 1, 5, "the effect came")

    def test_never_answered(self):
        self.fake.fault(op="PutObject", key="with", never="after", count=1)
        self.fake.fault(op="PutObject", key="out", never="before", count=1)
        for key, stored in (("with", 1), ("out", 0)):
            self.give_up(key)
            self.assertEqual(self.stored(key), stored)

    def test_bodies(self):
        self.put()
        path = f"/{self.bucket}/a"
        self.fake.fault(op="GetObject", truncate=100, count=1)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.signed("s3", "GET", path)
        self.assertEqual(len(caught.exception.partial), 100)
        self.fake.fault(op="GetObject", garbage=True, count=1)
        status, _, body = self.signed("s3", "GET", path)
        self.assertEqual((status, len(body), body == b"x" * 1000), (200, 1000, False))
        self.fake.fault(op="GetObject", slow_bytes=400, slow_ms=100, count=1)
        began = time.monotonic()
        self.assertEqual(self.signed("s3", "GET", path)[2], b"x" * 1000)
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_date_and_crc(self):
        self.fake.fault(op="ListTables", date_skew_ms=-3600000, crc="wrong", count=1)
        def ask():
            return self.signed("dynamodb", "POST", "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"})
        _, headers, body = ask()
        told = datetime.datetime.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
        self.assertAlmostEqual((datetime.datetime.utcnow() - told).total_seconds(), 3600, delta=5)
        self.assertNotEqual(int(headers["x-amz-crc32"]), zlib.crc32(body))
        self.assertEqual(int(ask()[1]["x-amz-crc32"]), zlib.crc32(b'{"TableNames":[]}'))

    def test_garbage_from_clients(self):
        for text in (b"\0\1\2\3", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                     b"GET /%zz?%q HTTP/1.1\r\nHost: x\r\n\r\n"):
            connection = http.client.HTTPConnection("127.0.0.1", self.fake.port, timeout=5)
            connection.connect()
            connection.sock.sendall(text)
            connection.sock.shutdown(1)
            while connection.sock.recv(4096):
                pass
            connection.close()
        with self.assertRaises(fake.Refused):
            self.fake.do("nonsense")
        with self.assertRaises(fake.Refused):
            self.fake.options(nonsense=1)
        self.put()


if __name__ == "__main__":
    harness.main()
