"""
What the tests of test/fakeaws itself share. They hold its answers, as boto3 reads them, against what AWS's API references
say.
"""
import http.client
import json
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions

import fake

ClientError = botocore.exceptions.ClientError
TransportError = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)


class Case(fake.TestCase):
    def refused(self, code, call, status=None, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code)
        if status:
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return answer

    def signed(self, service, method, path, body=b"", headers=None, when=None, seconds=10, **query):
        """A request signed by botocore, sent as it is: (status, headers, body)."""
        url = self.fake.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        request = botocore.awsrequest.AWSRequest(method, url, data=body, headers=headers or {})
        signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
        auth = signer(botocore.credentials.Credentials(fake.KEY_ID, fake.SECRET), service, "us-east-1")
        real = botocore.auth.datetime.datetime
        if when:
            class Frozen(real):
                @classmethod
                def utcnow(cls):
                    return when
            botocore.auth.datetime.datetime = Frozen
        try:
            auth.add_auth(request)
        finally:
            botocore.auth.datetime.datetime = real
        return self.send(method, url, body, dict(request.headers), seconds)

    def send(self, method, url, body=b"", headers=None, seconds=10):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def streams_call(self, op, headers=None, **arguments):
        return self.signed("dynamodb", "POST", "/", json.dumps(arguments).encode(),
                           {"X-Amz-Target": f"DynamoDBStreams_20120810.{op}",
                            "Content-Type": "application/x-amz-json-1.0", **(headers or {})})

    def iterator(self, table, shard=0, kind="TRIM_HORIZON", **more):
        arn = self.fake.stream_arn(table)
        return self.fake.streams.get_shard_iterator(
            StreamArn=arn, ShardId=self.fake.shards(table)[shard]["id"], ShardIteratorType=kind, **more)["ShardIterator"]

    def read(self, iterator, **more):
        return self.fake.streams.get_records(ShardIterator=iterator, **more)

    def read_all(self, iterator):
        records, pages = [], 0
        while iterator:
            page = self.read(iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator")
            pages += 1
            if not page["Records"] and pages > 20:
                break
        return records

    def seqs(self, records):
        return [r["dynamodb"]["SequenceNumber"] for r in records]
