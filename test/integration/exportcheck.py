"""
Holds an export against AWS's documents, rule by rule: Amazon DynamoDB Developer Guide, "DynamoDB table export output
format", "Amazon S3 import formats for DynamoDB", "Import format quotas and validation", and jsonlines.org. Where the
guide and the service differ, both are asked for (it writes .md5 where the guide says .checksum), or the service's way
(whole keys, where the guide's example leaves out the prefix).
"""
import base64
import gzip
import hashlib
import io
import json
import os
import re
import zlib

SUMMARY = {"version", "exportArn", "startTime", "endTime", "tableArn", "tableId", "exportTime", "s3Bucket", "s3Prefix",
           "s3SseAlgorithm", "s3SseKmsKeyId", "manifestFilesS3Key", "billedSizeBytes", "itemCount", "outputFormat"}
ENTRY = {"itemCount", "md5Checksum", "etag", "dataFileS3Key"}
BESIDE = {"_started", "manifest-summary.json", "manifest-summary.checksum", "manifest-summary.md5",
          "manifest-files.json", "manifest-files.checksum", "manifest-files.md5"}
ID = re.compile(r"\d{14}-[0-9a-f]{8}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
IMPORT_OBJECTS = 50_000


def base64_md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def load(text):
    """JSON without a member that stands twice."""
    def members(pairs):
        assert len({k for k, _ in pairs}) == len(pairs), f"a member stands twice: {pairs}"
        return dict(pairs)
    return json.loads(text, object_pairs_hook=members)


def json_lines(data):
    """Bytes of each line. UTF-8 without a byte order mark, "\\n" behind every line, no empty line."""
    data.decode("utf-8")
    assert not data.startswith(b"\xef\xbb\xbf"), "a byte order mark"
    if not data:
        return []
    assert data.endswith(b"\n"), "the last line has no end"
    lines = data[:-1].split(b"\n")
    assert all(lines), "an empty line"
    assert b"\r" not in data, "a carriage return"
    return lines


def gunzip(data):
    """What the bytes are without compression: whole members with right check sums, and nothing behind."""
    reader = gzip.GzipFile(fileobj=io.BytesIO(data))
    plain = reader.read()
    unpack = zlib.decompressobj(31)
    unpack.decompress(data)
    assert unpack.eof and not unpack.unused_data, "not one member of gzip to the end"
    return plain


class Folder:
    """An export in a folder: names below it are what keys are in a bucket."""

    bucket = prefix = None

    def __init__(self, path):
        self.path = path

    def names(self):
        return sorted(os.path.relpath(os.path.join(folder, name), self.path)
                      for folder, _, files in os.walk(self.path) for name in files)

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as f:
            return f.read()

    def etag(self, name):
        """What S3 gives for the file put as a whole."""
        return hashlib.md5(self.read(name)).hexdigest()

    def sse(self, _):
        return None


class Place:
    """An export in a bucket, below a prefix without a slash at its end."""

    def __init__(self, s3, bucket, prefix=""):
        self.s3, self.bucket, self.prefix = s3, bucket, prefix or None

    def names(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, **({"Prefix": self.prefix + "/"} if self.prefix else {}))
        return sorted(o["Key"] for page in pages for o in page.get("Contents", []))

    def read(self, name):
        return self.s3.get_object(Bucket=self.bucket, Key=name)["Body"].read()

    def etag(self, name):
        return self.s3.head_object(Bucket=self.bucket, Key=name)["ETag"].strip('"')

    def sse(self, name):
        return {"aws:kms": "KMS"}.get(algorithm := self.s3.head_object(
            Bucket=self.bucket, Key=name).get("ServerSideEncryption"), algorithm)


class Export:
    """
    One export, found below `place`, for which every rule holds (AssertionError otherwise). `lines` are the bytes of its
    items, file by file; `keys` the keys of its files.
    """

    def __init__(self, place, export_id=None, others=False):
        self.place = place
        self.names = place.names()
        root = (place.prefix + "/" if place.prefix else "") + "AWSDynamoDB/"
        inside = [n for n in self.names if n.startswith(root)]
        assert others or inside == self.names, f"beside AWSDynamoDB/: {set(self.names) - set(inside)}"
        ids = {n[len(root):].split("/")[0] for n in inside}
        self.id = export_id or (ids.pop() if len(ids) == 1 else None)
        assert self.id, f"exports: {ids}"
        assert ID.fullmatch(self.id), f"the export's id is {self.id}"
        self.root = f"{root}{self.id}/"
        own = {n[len(self.root):] for n in inside if n.startswith(self.root)}
        data = {n for n in own if n.startswith("data/")}
        assert own - data == BESIDE, f"beside data/: {own - data}, expected {BESIDE}"
        assert all(re.fullmatch(r"data/[a-z2-7]{26}\.json\.gz", n) for n in data), f"names of data files: {data}"
        self.keys = {self.root + n for n in data}
        assert place.read(self.root + "_started") == b"", "_started is not empty"
        self.read_summary()
        self.read_entries()
        self.lines = [self.read_file(entry) for entry in self.entries]
        assert self.summary["itemCount"] == sum(len(f) for f in self.lines), "itemCount of the summary"

    def manifest(self, name):
        data = self.place.read(f"{self.root}{name}.json")
        for checksum in ("checksum", "md5"):
            told = self.place.read(f"{self.root}{name}.{checksum}")
            assert told == base64_md5(data).encode(), f"{name}.{checksum}: {told}"
        return data

    def read_summary(self):
        data = self.manifest("manifest-summary")
        s = self.summary = load(data.decode("utf-8"))
        assert set(s) == SUMMARY, f"members of the summary: {set(s) ^ SUMMARY}"
        assert s["version"] == "2020-06-30" and s["outputFormat"] == "DYNAMODB_JSON", s
        for name in ("startTime", "endTime", "exportTime"):
            assert TIME.fullmatch(s[name]), f"{name} is {s[name]}"
        assert s["startTime"] <= s["endTime"], s
        for name in ("billedSizeBytes", "itemCount"):
            assert type(s[name]) is int and s[name] >= 0, f"{name} is {s[name]}"
        assert s["exportArn"] == (s["tableArn"] and f"{s['tableArn']}/export/{self.id}"), s["exportArn"]
        assert (s["s3Bucket"], s["s3Prefix"]) == (self.place.bucket, self.place.prefix), s
        assert s["manifestFilesS3Key"] == self.root + "manifest-files.json", s["manifestFilesS3Key"]
        assert s["s3SseAlgorithm"] == self.place.sse(self.root + "manifest-files.json"), s["s3SseAlgorithm"]
        assert s["s3SseAlgorithm"] == "KMS" or s["s3SseKmsKeyId"] is None, s["s3SseKmsKeyId"]

    def read_entries(self):
        self.entries = [load(line) for line in json_lines(self.manifest("manifest-files"))]
        assert all(set(e) == ENTRY for e in self.entries), f"members of an entry: {self.entries[:3]}"
        named = [e["dataFileS3Key"] for e in self.entries]
        assert len(set(named)) == len(named) and set(named) == self.keys, "data files are not those of the manifest"
        # "For partitions that are empty, your export request will create an empty file": there is always one.
        assert 1 <= len(named) <= IMPORT_OBJECTS, f"{len(named)} data files"

    def read_file(self, entry):
        stored = self.place.read(entry["dataFileS3Key"])
        where = f"{entry}: "
        assert entry["md5Checksum"] == base64_md5(stored), where + "its MD5"
        assert entry["etag"] == self.place.etag(entry["dataFileS3Key"]), where + "its ETag"
        lines = json_lines(gunzip(stored))
        assert type(entry["itemCount"]) is int and entry["itemCount"] == len(lines), where + f"{len(lines)} lines"
        items = []
        for line in lines:
            value = load(line.decode("utf-8"))
            assert set(value) == {"Item"} and isinstance(value["Item"], dict), where + "a line is no item"
            assert line.startswith(b'{"Item":') and line.endswith(b"}"), where + "a line has white space"
            items.append(line[len(b'{"Item":'):-1])
        return items

    def items(self):
        """In the order of the files."""
        return [item for f in self.lines for item in f]


def neighbours(lines, order):
    """How many of a file's items stand right behind the one that precedes them in `order`."""
    place = {item: n for n, item in enumerate(order)}
    return sum(place[b] == place[a] + 1 for f in lines for a, b in zip(f, f[1:]))
