#!/bin/sh
# The units as `make install` makes them are free of mistakes, and the service's exposure is 1.5 or less.
# Usage: test/lint/systemd.sh (no argument); exits 1 with what is wrong.
set -eu

cd "$(dirname "$0")/../.."
exposure_max=15 # tenths, as --threshold wants it
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

mkdir "$scratch/bin" "$scratch/etc"
for program in ddb-streamd ddb-streamctl; do
	printf '#!/bin/sh\n' >"$scratch/bin/$program"
	chmod 755 "$scratch/bin/$program"
done

failed=0
for unit in systemd/*.service systemd/*.timer; do
	[ -e "$unit" ] || continue
	# Documentation= is left out: verify looks the man pages up in the system, where they are not installed yet.
	sed "s|@BINDIR@|$scratch/bin|g; s|@SYSCONFDIR@|$scratch/etc|g; /^Documentation=/d" "$unit" \
		>"$scratch/${unit##*/}"
	if grep -n '@[A-Z]*@' "$scratch/${unit##*/}"; then
		echo "$unit: a placeholder that make install does not know" >&2
		failed=1
	fi
done

for unit in "$scratch"/*.service "$scratch"/*.timer; do
	[ -e "$unit" ] || continue
	# Without --recursive-errors an unknown key is a warning and the exit status 0.
	if ! systemd-analyze verify --recursive-errors=yes "$unit"; then
		echo "systemd/${unit##*/}: systemd-analyze verify failed" >&2
		failed=1
	fi
done

for unit in "$scratch"/*.service; do
	[ -e "$unit" ] || continue
	if ! systemd-analyze security --offline=true --no-pager --threshold="$exposure_max" "$unit" \
		>"$scratch/exposure" 2>&1; then
		grep -v '✓' "$scratch/exposure" >&2
		echo "systemd/${unit##*/}: exposure over $exposure_max tenths" >&2
		failed=1
	fi
done
exit "$failed"
