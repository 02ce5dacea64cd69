#!/usr/bin/python3
"""Writes sigv4_vectors.tsv: requests as they are sent, and the Authorization header that botocore gives them.

Usage: /usr/bin/python3 make_sigv4_vectors.py > sigv4_vectors.tsv     (needs Debian's python3-botocore)

One request a line, fields separated by tabs:
  name, service, region, access key, secret, x-amz-date, method, path, query, headers, payload hash, Authorization
Headers are NAME=VALUE joined by '&', values percent-encoded, in the order in which they are given to the signer.
The output is the same on every run.
"""
import datetime
import hashlib
import random
import sys
from unittest import mock
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ==" * 4

rng = random.Random(20150830)
lines = []


class FrozenClock:
    """Stands in for the module `datetime` inside botocore.auth."""

    def __init__(self, now):
        frozen = now

        class Frozen(datetime.datetime):
            @classmethod
            def utcnow(cls):
                return frozen

        self.datetime = Frozen


def sign(name, service, method, host, path, sent_query="", params=None, headers=(), body=b"", token=None,
         region="us-east-1", access=ACCESS, secret=SECRET, now=datetime.datetime(2015, 8, 30, 12, 36, 0),
         scheme="https"):
    """`path` and `sent_query` are what goes over the wire; botocore gets `params` where it would not decode them."""
    url = f"{scheme}://{host}{path}"
    if params is None and sent_query:
        url += "?" + sent_query
    request = AWSRequest(method=method, url=url, data=body, params=params)
    for key, value in headers:
        request.headers[key] = value
    before = [(key.lower(), value) for key, value in headers]
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    with mock.patch("botocore.auth.datetime", FrozenClock(now)):
        signer(Credentials(access, secret, token), service, region).add_auth(request)

    given = dict(before)
    sent = list(before)
    for key, value in request.headers.items():
        key = key.lower()
        if key not in given and key != "authorization":
            sent.append((key, value))
    if "host" not in given:
        default = {"https": ":443", "http": ":80"}[scheme]
        sent.append(("host", host[:-len(default)] if host.endswith(default) else host))
    rng.shuffle(sent)
    # Values of one name keep their order, since it is part of what is signed.
    for key in {key for key, _ in sent}:
        values = iter([v for k, v in before if k == key] or [v for k, v in sent if k == key])
        sent = [(k, next(values)) if k == key else (k, v) for k, v in sent]

    lines.append("\t".join([
        name, service, region, access, secret, now.strftime("%Y%m%dT%H%M%SZ"), method, path, sent_query,
        "&".join(f"{k}={quote(v, safe='')}" for k, v in sent),
        hashlib.sha256(body).hexdigest(), request.headers["Authorization"]]))


def odd_keys():
    keys = ["a", "with space", " lead", "trail ", "two  spaces", "a|b", "a | b", "a+b", "100%", "%", "%%", "%41", "%2F",
            "a=b", "a&b", "a?b", "a#b", "//", "a//b", "/lead", "trail/", "//lead", "trail//", ".", "..", "a/./b",
            "a/../b", "../a", "./a", "a/.", "a/..", "...", ".a", "a.", "~", "~a", "a~b", "a:b", "a;b", "a,b", "a@b",
            "a$b", "a!b", "a'b", 'a"b', "a(b)c", "a*b", "a[b]c", "a{b}c", "a\\b", "a^b", "a`b", "a<b>c",
            "\u00e9", "\u00fc/\u00df", "\u07ff", "\u0800", "\u20ac", "\u65e5\u672c\u8a9e", "\ufffd", "\uffff",
            "\U00010000", "\U0001f600", "\U0010ffff", "e\u0301", "\u200b", "\u202e", "x" * 1024, "\u00e9" * 512,
            "%" * 1024, " " * 1024, "/" * 1024, "\U0001f600" * 256]
    keys += [f"c{chr(c)}d" for c in list(range(0x20)) + [0x7f]]
    keys += [f"p{chr(c)}q" for c in range(0x20, 0x7f)]
    for _ in range(40):
        keys.append("".join(rng.choice(["a", "/", ".", "..", "%", "+", " ", "=", "|", "~", "\u00e9", "\u20ac",
                                        "\U0001f600", "\x01", "&", "?"]) for _ in range(rng.randint(1, 24))))
    return keys


def s3_objects():
    for i, key in enumerate(odd_keys()):
        body = b"" if i % 3 == 0 else b'{"id":{"S":"%d"}}' % i
        headers = [("Content-Type", "application/json")] if i % 2 else []
        sign(f"s3 key {i}", "s3", ["GET", "PUT", "HEAD", "DELETE"][i % 4], "b.s3.amazonaws.com",
             "/" + quote(key, safe="/-_.~"), headers=headers, body=body, token=TOKEN if i % 5 == 0 else None)


def s3_queries():
    plain = ["versions", "versioning", "versions&prefix=a", "prefix=a&versions", "versions&key-marker=k&prefix=p",
             "versions&prefix=&key-marker=", "b=2&a=1", "a=2&a=1", "a=&a=1", "a-b=1&a=2", "a=1&a-b=2&a%20b=3",
             "encoding-type=url&versions&max-keys=1000&version-id-marker=x&key-marker=a%2Fb", "versionId=null",
             "A=1&a=2&B=3", "x=%3D&x=%26", "z&y&x", "z=&y=1&x", "a1=1&a=1&a.=1&a_=1&a~=1", "prefix=%E2%82%AC",
             "acl", "lifecycle"]
    for i, query in enumerate(plain):
        sign(f"s3 query {query}", "s3", "GET", "b.s3.amazonaws.com", "/", sent_query=query,
             token=TOKEN if i % 4 == 0 else None)
    # What is sent in another spelling of the same bytes is signed in AWS's spelling.
    respelled = [("prefix=%7ea%2fb", {"prefix": "~a/b"}), ("%70refix=x", {"prefix": "x"}),
                 ("prefix=a|b", {"prefix": "a|b"}), ("prefix=a/b:c", {"prefix": "a/b:c"}),
                 ("prefix=a%2bb", {"prefix": "a+b"}), ("prefix=a=b", {"prefix": "a=b"}),
                 ("b=%c3%a9&a=%e2%82%ac", {"b": "\u00e9", "a": "\u20ac"}), ("x=%25&w=%00", {"x": "%", "w": "\0"}),
                 ("versions&prefix=%41", {"versions": "", "prefix": "A"}), ("k=!*'()", {"k": "!*'()"})]
    for query, params in respelled:
        sign(f"s3 respelled {query}", "s3", "GET", "b.s3.amazonaws.com", "/", sent_query=query, params=params)
    for i in range(40):
        params = [(rng.choice(["versions", "prefix", "key-marker", "version-id-marker", "delimiter", "a", "a-b"]),
                   "".join(rng.choice("aZ0-._~ /+=&%|\u00e9\u20ac") for _ in range(rng.randint(0, 8))))
                  for _ in range(rng.randint(1, 6))]
        sign(f"s3 random query {i}", "s3", "GET", "s3.eu-west-1.amazonaws.com", "/bucket", params=params,
             sent_query="&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in params), region="eu-west-1")


def s3_headers():
    cases = [
        [("x-amz-meta-a", "1"), ("x-amz-meta-a-b", "2")],
        [("x-amz-meta-a-b", "2"), ("x-amz-meta-a", "1"), ("x-amz-meta-ab", "3"), ("x-amz-meta-a.b", "4")],
        [("x-amz-meta-empty", ""), ("x-amz-meta-blank", "   ")],
        [("x-amz-meta-fold", "  a   b \t c  "), ("content-type", "text/plain;  charset=utf-8")],
        [("x-amz-meta-twice", "b"), ("x-amz-meta-twice", "a"), ("x-amz-meta-twice", "  c  c ")],
        [("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="), ("content-type", "application/json")],
        [("range", "bytes=0-9")], [("if-none-match", "*")], [("if-match", '"d41d8cd98f00b204e9800998ecf8427e"')],
        [("x-amz-meta-quoted", 'a "b  c" d')],
        [("x-amz-meta-ddb-event", "INSERT"), ("x-amz-meta-ddb-seq", "000000000000000000001"),
         ("x-amz-meta-ddb-time", "2026-11-23T12:40:35.195Z"), ("x-amz-meta-ddb-stream", "2026-11-23T12:00:00.000"),
         ("x-amz-meta-ddb-shard", "shardId-00000001795435320000-12345678"), ("content-type", "application/json"),
         ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")],
    ]
    for i, headers in enumerate(cases):
        for token in (None, TOKEN):
            sign(f"s3 headers {i}{' token' if token else ''}", "s3", "PUT", "b.s3.amazonaws.com", "/k",
                 headers=headers, body=b"{}", token=token)


def hosts_and_days():
    for i, (scheme, host) in enumerate([("http", "127.0.0.1:8000"), ("http", "localhost:80"),
                                        ("https", "localhost:443"), ("https", "s3.local:8443"), ("http", "[::1]:9000"),
                                        ("https", "b.s3.dualstack.eu-central-1.amazonaws.com")]):
        sign(f"host {host}", "s3", "PUT", host, "/bucket/key", body=b"x", scheme=scheme)
    for day in [datetime.datetime(2024, 2, 29, 23, 59, 59), datetime.datetime(2024, 3, 1),
                datetime.datetime(2026, 11, 23, 12, 40, 35), datetime.datetime(2099, 12, 31, 23, 59, 59)]:
        for region in ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"]:
            sign(f"day {day:%Y%m%d} {region}", "s3", "GET", "b.s3.amazonaws.com", "/k", now=day, region=region)
    for secret in ["s", "S" * 60, "S" * 61, "S" * 200, "a/+=b"]:
        sign(f"secret of {len(secret)}", "s3", "GET", "b.s3.amazonaws.com", "/k", secret=secret, access="A" * 20)


def dynamodb():
    for service, prefix in [("dynamodb", "DynamoDB_20120810"), ("dynamodb", "DynamoDBStreams_20120810")]:
        for i, operation in enumerate(["GetRecords", "DescribeStream", "GetShardIterator", "PutItem"]):
            for token in (None, TOKEN):
                sign(f"{prefix}.{operation}{' token' if token else ''}", service, "POST",
                     "streams.dynamodb.eu-west-1.amazonaws.com", "/",
                     headers=[("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", f"{prefix}.{operation}")],
                     body=b'{"n":%d}' % i, token=token, region="eu-west-1")
    for path in ["", "/", "//", "/a", "/a/", "/a b", "/a%20b", "/a//b", "/./a", "/a/../b", "/a/./b/", "/../a", "/a/b/../..",
                 "/%E2%82%AC", "/~a", "/a=b&c", "/*"]:
        sent = path.replace(" ", "%20")
        sign(f"dynamodb path {path}", "dynamodb", "POST", "dynamodb.us-east-1.amazonaws.com", sent, body=b"{}")
    sign("sts", "sts", "POST", "sts.amazonaws.com", "/", body=b"Action=GetCallerIdentity&Version=2011-06-15",
         headers=[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")])


s3_objects()
s3_queries()
s3_headers()
hosts_and_days()
dynamodb()
sys.stdout.write("\n".join(lines) + "\n")
