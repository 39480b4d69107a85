#!/bin/bash
# The deployment on fresh hosts, twice, in check mode before and after, and looked at.
# What is given goes to molecule: `molecule.sh --destroy=never` leaves the hosts up
# (`PORTIERE_REHEARSAL=molecule tests/rehearsal/ctl status`), `molecule.sh converge` does one step.
set -euo pipefail
cd "$(dirname "$0")/../.."

export PATH="$PWD/.venv/bin:$PATH"
export MOLECULE_GLOB='tests/rehearsal/molecule/*/molecule.yml'
case ${1:-} in
'' | -*) set -- test "$@" ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
molecule "$@" 2>&1 | tee "$log" && exit
# What failed is far up by now, before the hosts were taken away: say it again at the end.
echo "════ molecule $1 failed:"
grep -aE '(FAILED|ERROR|fatal:|failed=[1-9])' "$log" -A 2 | tail -n 40
exit 1
