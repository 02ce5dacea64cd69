#!/bin/bash
# make lint: every check of test/lint, all of them to the end. The last line is "N passed, N failed".
# usage: test/lint/run.sh [CHECK...]   with CHECK one of the names below
set -u
cd "$(dirname "$0")/../.." || exit 70
export LC_ALL=C.UTF-8

passed=0
failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
jobs=$(nproc)

mapfile -t sources < <(find lib daemon cli test -name '*.[ch]' | sort)
mapfile -t units < <(find lib daemon cli -name '*.c' | sort)
mapfile -t headers < <(find lib daemon cli -name '*.h' | sort)
mapfile -t scripts < <(grep -rlE '^#!/(usr/)?bin/(env )?(ba|da)?sh' .ci test conf systemd 2>/dev/null | sort)
mapfile -t pythons < <(grep -rlE '^#!/usr/bin/python3' test 2>/dev/null; find test -name '*.py')
mapfile -t pages < <(find conf daemon cli -name '*.[158]' | sort)
mapfile -t services < <(find systemd -name '*.service' -o -name '*.timer' | sort)
read -r -a cflags <<<"-std=gnu17 -D_GNU_SOURCE -DDDB_VERSION=\"lint\" -Ilib $(pkg-config --cflags libuv libcurl libcrypto jansson expat inih libmicrohttpd zlib libisal libsystemd)"

need() { # PROGRAM PACKAGE
	command -v "$1" >/dev/null && return
	echo "$1 is missing: it is in the package $2 (make deps)"
	return 1
}

check_format() {
	need clang-format clang-format && clang-format --dry-run -Werror "${sources[@]}"
}

check_includes() {
	test/lint/includes.py
}

check_lengths() {
	test/lint/lengths.py
}

check_headers() { # each compiles alone, so that nobody depends on the order of includes
	local h bad=0
	need clang clang || return 1
	for h in "${headers[@]}"; do
		clang "${cflags[@]}" -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only -x c - <<<"#include \"$PWD/$h\"" || bad=1
	done
	return $bad
}

queue_header() { # cppcheck must know the macros of <sys/queue.h> to read loops made of them
	cc -E -x c - <<<'#include <sys/queue.h>' | sed -nE 's/^# 1 "(.*sys\/queue\.h)".*/\1/p' | head -n 1
}

check_cppcheck() {
	need cppcheck cppcheck &&
		cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr -j "$jobs" \
			--suppressions-list=test/lint/cppcheck.txt --error-exitcode=1 --library=posix -D_GNU_SOURCE \
			-DDDB_VERSION='"lint"' -Ilib --include="$(queue_header)" lib daemon cli
}

check_clang_tidy() { # the list of checks is in .clang-tidy
	need clang-tidy clang-tidy || return 1
	# shellcheck disable=SC2016  # the inner shell expands it
	[ ${#units[@]} -eq 0 ] ||
		printf '%s\0' "${units[@]}" | xargs -0 -n 4 -P "$jobs" sh -c '
			flags=$1; shift
			for f; do
				# What goes to standard error is a count of suppressed warnings.
				clang-tidy --quiet --warnings-as-errors="*" "$f" -- $flags 2>/dev/null || bad=1
			done
			exit ${bad:-0}' sh "${cflags[*]}"
}

check_shell() {
	need shellcheck shellcheck && shellcheck "${scripts[@]}"
}

check_python() {
	local bad=0 p
	for p in "${pythons[@]}"; do
		/usr/bin/python3 -W error -c 'import ast, sys; ast.parse(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1])' "$p" || bad=1
	done
	return $bad
}

check_man() {
	need mandoc mandoc || return 1
	[ ${#pages[@]} -eq 0 ] || mandoc -T lint -W warning "${pages[@]}"
}

check_units() {
	need systemd-analyze systemd || return 1
	[ ${#services[@]} -eq 0 ] && return
	local f dir=$scratch/units out score
	mkdir -p "$dir"
	# The programs need not be installed to have their units checked: any program that exists will do.
	for f in "${services[@]}"; do
		sed 's|@BINDIR@/ddb-stream[a-z]*|/bin/true|; s|@SYSCONFDIR@|/etc|g' "$f" >"$dir/${f##*/}"
	done
	# An unknown key is printed, yet the exit status is 0 for it: what is printed is what counts.
	out=$(systemd-analyze verify --man=no --recursive-errors=no "$dir"/* 2>&1)
	[ -z "$out" ] || {
		echo "$out"
		return 1
	}
	for f in "$dir"/*.service; do
		score=$(systemd-analyze security --offline=true --threshold=15 --no-pager "$f" 2>&1) || {
			echo "$score" | tail -n 3
			return 1
		}
	done
}

check_words() { # left for later, or not for the public
	! grep -nEI '\b(TODO|FIXME|HACK)\b|XXX:' "${sources[@]}" "${scripts[@]}" "${pythons[@]}" Makefile | grep -v 'test/lint/run.sh'
}

run() { # NAME FUNCTION
	local began=$SECONDS
	if "$2" >"$scratch/out" 2>&1; then
		passed=$((passed + 1))
		printf 'ok   lint/%-14s %3d s\n' "$1" $((SECONDS - began))
	else
		failed=$((failed + 1))
		printf 'FAIL lint/%-14s %3d s\n' "$1" $((SECONDS - began))
		tail -n "${LINT_LINES:-60}" "$scratch/out"
	fi
}

all=(format includes lengths headers cppcheck clang_tidy shell python man units words)
[ $# -gt 0 ] || set -- "${all[@]}"
for name; do
	case " ${all[*]} " in
	*" $name "*) run "$name" "check_$name" ;;
	*)
		echo "lint: there is no check '$name'; there are: ${all[*]}" >&2
		exit 64
		;;
	esac
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
