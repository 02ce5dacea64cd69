"""test/fakeaws: signatures, session tokens and the credentials of a role (STS, IMDS)."""
import datetime
import json

import botocore.auth
import botocore.awsrequest
import botocore.credentials

import fake
import harness
from fakeaws_case import Case


class Signatures(Case):
    def test_wrong_secret(self):
        bucket = self.fake.new_bucket()
        other = {"secret": "wrong"}
        self.refused("SignatureDoesNotMatch", self.fake.client("s3", **other).list_object_versions, 403, Bucket=bucket)
        self.refused("InvalidSignatureException", self.fake.client("dynamodb", **other).list_tables, 400)
        self.refused("SignatureDoesNotMatch", self.fake.client("sts", **other).get_caller_identity, 403)

    def test_unknown_key(self):
        other = {"key_id": "nobody"}
        self.refused("InvalidAccessKeyId", self.fake.client("s3", **other).list_buckets, 403)
        self.refused("UnrecognizedClientException", self.fake.client("dynamodb", **other).list_tables, 400)
        self.refused("InvalidClientTokenId", self.fake.client("sts", **other).get_caller_identity, 403)

    def test_missing(self):
        status, _, body = self.send("GET", self.fake.url + "/some-bucket?versions")
        self.assertEqual(status, 403)
        self.assertIn(b"<Code>AccessDenied</Code>", body)
        status, _, body = self.send("POST", self.fake.url + "/", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"})
        self.assertEqual(status, 400)
        self.assertIn(b"MissingAuthenticationTokenException", body)

    def test_clock_skew(self):
        for minutes, good in ((-16, False), (-14, True), (14, True), (16, False)):
            when = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
            status, _, body = self.signed("s3", "GET", "/", when=when)
            self.assertEqual(status, 200 if good else 403, minutes)
            self.assertEqual(b"RequestTimeTooSkewed" in body, not good)

    def test_skew_of_the_virtual_clock_on_request(self):
        self.fake.advance(3600)
        self.fake.s3.list_buckets()
        self.fake.do("clock", virtual_auth=True)
        self.refused("RequestTimeTooSkewed", self.fake.s3.list_buckets, 403)

    def test_changed_on_the_way(self):
        bucket = self.fake.new_bucket()
        url = f"{self.fake.url}/{bucket}/key"
        request = botocore.awsrequest.AWSRequest("PUT", url, data=b"one", headers={"x-amz-meta-a": "1"})
        botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(fake.KEY_ID, fake.SECRET), "s3",
                                  "us-east-1").add_auth(request)
        good = dict(request.headers)
        for body, headers, path, code in ((b"two", good, "", b"XAmzContentSHA256Mismatch"),
                                          (b"one", {**good, "x-amz-meta-a": "2"}, "", b"SignatureDoesNotMatch"),
                                          (b"one", {**good, "x-amz-meta-b": "2"}, "", b"AccessDenied"),
                                          (b"one", good, "2", b"SignatureDoesNotMatch"),
                                          (b"one", good, "?versionId=1", b"SignatureDoesNotMatch")):
            status, _, answer = self.send("PUT", url + path, body, headers)
            self.assertIn(code, answer)
            self.assertIn(status, (400, 403))
        self.assertEqual(self.send("PUT", url, b"one", good)[0], 200)

    def test_odd_keys(self):
        bucket = self.fake.new_bucket()
        for key in ("a b", "a+b", "a%20b", "ä/€/😀", "../x", "./", "a//b", "~x", "=&?#", "a;b,c", "-_.!*'()"):
            self.fake.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
            self.assertEqual(self.fake.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), key.encode(), key)
            self.assertEqual(self.fake.s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"][0]["Key"], key)

    def test_session_token(self):
        self.fake.do("credentials", id="temp", secret="s", token="t", expires_ms=self.fake.now_ms() + 60000)
        self.fake.client("s3", "temp", "s", "t").list_buckets()
        self.refused("InvalidToken", self.fake.client("s3", "temp", "s").list_buckets)
        self.refused("InvalidToken", self.fake.client("s3", "temp", "s", "other").list_buckets)
        self.fake.advance(61)
        self.refused("ExpiredToken", self.fake.client("s3", "temp", "s", "t").list_buckets)
        self.refused("ExpiredTokenException", self.fake.client("dynamodb", "temp", "s", "t").list_tables)

    def test_denied_operations(self):
        self.fake.do("credentials", id="poor", secret="s", denied="PutObject,GetRecords")
        bucket = self.fake.new_bucket()
        s3 = self.fake.client("s3", "poor", "s")
        self.refused("AccessDenied", s3.put_object, 403, Bucket=bucket, Key="a", Body=b"")
        s3.list_object_versions(Bucket=bucket)


class Metadata(Case):
    def ask(self, method, path, headers=None):
        status, _, body = self.send(method, self.fake.url + path, b"", headers)
        return status, body.decode()

    def test_role(self):
        base = "/latest/meta-data/iam/security-credentials/"
        self.assertEqual(self.ask("GET", base)[0], 401)
        status, token = self.ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        self.assertEqual(status, 200)
        headers = {"X-aws-ec2-metadata-token": token}
        self.assertEqual(self.ask("GET", base, headers)[0], 404)
        self.fake.do("imds", role="backup", id="ASIA1", secret="s1", token="t1", expires_in_s=100)
        self.assertEqual(self.ask("GET", base, headers), (200, "backup"))
        told = json.loads(self.ask("GET", base + "backup", headers)[1])
        self.assertEqual((told["Code"], told["AccessKeyId"], told["Token"]), ("Success", "ASIA1", "t1"))
        role = self.fake.client("s3", told["AccessKeyId"], told["SecretAccessKey"], told["Token"])
        role.list_buckets()
        self.fake.advance(101)
        self.refused("ExpiredToken", role.list_buckets, 400)

    def test_caller(self):
        self.assertEqual(self.fake.sts.get_caller_identity()["Account"], "123456789012")


if __name__ == "__main__":
    harness.main()
