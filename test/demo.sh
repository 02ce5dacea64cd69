#!/bin/bash
# make demo: a DynamoDB table, a versioned bucket and the daemon between them, all on this machine, from the first write
# to a restore. Nothing stays behind. Set KEEP=1 to leave everything running until Enter is pressed.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(cd "${BUILD:-build}" && pwd)
table=orders
bucket=demo-backup

work=$(mktemp -d "${TMPDIR:-/tmp}/ddb-streamd-demo.XXXXXX")
daemon=
owner=$$:$(awk '{print $22}' /proc/$$/stat)
export DDB_TEST_OWNER=$owner

clean_up() {
	local status=$?
	trap '' INT TERM HUP
	[ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null || true
	test/servers/rgw stop "$work/rgw"
	test/servers/dynamodb-local stop "$work/dynamodb"
	if [ $status -ne 0 ]; then
		[ ! -s "$work/daemon.log" ] || tail -n 20 "$work/daemon.log" >&2
		echo "demo: it did not work (status $status); the end of the daemon's log, if any, is above" >&2
	fi
	rm -rf "$work"
	exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { # prints a command, and runs it
	local shown="$*"
	shown=${shown//$build/build}
	printf '%s$ %s%s\n' "$dim" "${shown//$work\//}" "$plain"
	"$@"
}

say "1. A DynamoDB and an S3 on this machine (DynamoDB Local, Ceph RADOS Gateway)"
test/servers/rgw start "$work/rgw" &
rgw=$!
test/servers/dynamodb-local start "$work/dynamodb"
wait $rgw
# shellcheck source=/dev/null
. "$work/rgw/env"
# shellcheck source=/dev/null
. "$work/dynamodb/env"
# The daemon asks who it is; the gateway answers for the Security Token Service, too.
AWS_ENDPOINT_URL_STS=${AWS_ENDPOINT_URL_S3:?}
export AWS_ENDPOINT_URL_STS no_proxy='*'
echo "DynamoDB at $AWS_ENDPOINT_URL_DYNAMODB, S3 at $AWS_ENDPOINT_URL_S3"

cat >"$work/client.py" <<'PYTHON'
import json
import os
import sys
import time

import boto3

table, bucket = sys.argv[2], sys.argv[3]
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
dynamodb = boto3.client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL_DYNAMODB"])


def create():
    dynamodb.create_table(
        TableName=table, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
    put("order-0", "3.75", "old")
    dynamodb.update_table(TableName=table, StreamSpecification={
        "StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def put(name, total, state):
    dynamodb.put_item(TableName=table, Item={"id": {"S": name}, "total": {"N": total}, "state": {"S": state}})
    print(f"  put     {name}  total={total}  state={state}")


def write():
    put("order-1", "19.95", "new")
    put("order-2", "250", "new")
    put("order-3", "7.25", "new")
    put("order-1", "19.95", "paid")


def mishap():
    put("order-2", "0", "lost")
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "order-1"}})
    print("  delete  order-1")


def versions():
    page = s3.list_object_versions(Bucket=bucket, Prefix=table + "/")
    found = [(v["Key"], v["LastModified"], "version", v["VersionId"]) for v in page.get("Versions", [])]
    found += [(m["Key"], m["LastModified"], "delete marker", None) for m in page.get("DeleteMarkers", [])]
    return sorted(found)


def wait():
    count, until = int(sys.argv[4]), time.monotonic() + 30
    began = time.monotonic()
    while len(versions()) < count:
        if time.monotonic() > until:
            sys.exit(f"{len(versions())} of {count} changes are in the bucket after 30 s")
        time.sleep(0.05)
    print(f"  all of them are in the bucket ({time.monotonic() - began:.1f} s later)")


def show():
    for key, when, kind, version in versions():
        body = s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read().decode() if version else ""
        print(f"  {when:%H:%M:%S}.{when.microsecond // 1000:03}  {key}  {kind:<13}  {body}")


def check():
    if sys.argv[4] == "table":
        items = dynamodb.scan(TableName=sys.argv[5], ConsistentRead=True)["Items"]
    else:
        with open(sys.argv[4], encoding="utf-8") as f:
            items = [json.loads(line)["Item"] for line in f if line.startswith("{")]
    for item in items:
        print("  " + json.dumps(item))
    got = sorted((i["id"]["S"], i["total"]["N"], i["state"]["S"]) for i in items)
    want = [("order-0", "3.75", "old"), ("order-1", "19.95", "paid"), ("order-2", "250", "new"), ("order-3", "7.25", "new")]
    if got != want:
        sys.exit(f"the restore gave {got}, and should have given {want}")
    print("  all four orders are as they were")


{f.__name__: f for f in (create, write, mishap, wait, show, check)}[sys.argv[1]]()
PYTHON
client() { /usr/bin/python3 -B "$work/client.py" "$1" "$table" "$bucket" "${@:2}"; }

say "2. A table that has an item before its stream is turned on, and a bucket with versioning"
client create
echo "table $table, bucket $bucket"

say "3. The daemon"
cat >"$work/ddb-streamd.conf" <<CONF
[daemon]
state_dir = $work/state
listen = 127.0.0.1:0

[s3]
bucket = $bucket

[table "$table"]
start = trim_horizon
CONF
mkdir -m 700 "$work/state"
sed 's/^/  /' "$work/ddb-streamd.conf"
printf '%s$ build/ddb-streamd -c ddb-streamd.conf &%s\n' "$dim" "$plain"
DDB_TEST_SERVER=$work "$build/ddb-streamd" -c "$work/ddb-streamd.conf" 2>"$work/daemon.log" &
daemon=$!
address=
for _ in $(seq 300); do
	kill -0 $daemon 2>/dev/null || exit 1
	address=$(sed -nE 's/.*msg="health endpoint listening".* address=([0-9.:]+).*/\1/p' "$work/daemon.log")
	if [ -n "$address" ] && /usr/bin/python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' \
		"http://$address/readyz" 2>/dev/null; then
		break
	fi
	sleep 0.1
done
echo "running and ready, and its baseline has the item that no stream tells of; http://$address/status tells more"

say "4. An application writes"
client write
client wait 5

say "5. Somebody makes a mistake"
wait_s=$((61 - $(date +%s) % 60))
[ $wait_s -ge 12 ] || wait_s=$((wait_s + 60)) # the minute that is restored must lie behind the baseline
echo "  (waiting $wait_s s: DynamoDB Local tells the time of a change in whole minutes only)"
sleep $wait_s
before=$(date -u -d "@$(($(date +%s) / 60 * 60 - 1))" +%Y-%m-%dT%H:%M:%SZ)
client mishap
client wait 7

say "6. What the bucket holds: one key per item, one version per change"
client show

say "7. The history of an item"
show "$build/ddb-streamctl" -c "$work/ddb-streamd.conf" history --table "$table" --key-value order-1 --diff

if [ -n "${KEEP:-}" ]; then
	say "All of it runs until you press Enter. Environment: . $work/rgw/env; . $work/dynamodb/env"
	read -r _ || true
fi

say "8. A clean stop"
kill -TERM $daemon
wait $daemon
daemon=
echo "the daemon drained, saved its checkpoint and ended with status 0"

say "9. The table as it was before the mistake, from the bucket alone: a new table"
ctl=("$build/ddb-streamctl" -c "$work/ddb-streamd.conf")
show "${ctl[@]}" restore --table "$table" --at "$before" --to-table "$table-before"
client check table "$table-before"

say "10. The same in place: what differs is put, the rest is left alone"
show "${ctl[@]}" diff --table "$table" --at "$before" --with now --force || [ $? -eq 1 ]
show "${ctl[@]}" restore --table "$table" --at "$before" --in-place --yes
client check table "$table"
