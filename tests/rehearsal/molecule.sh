#!/bin/bash
# The deployment on fresh hosts, twice, in check mode before and after, and looked at.
# What is given goes to molecule: `molecule.sh --destroy=never` leaves the hosts up
# (`PORTIERE_REHEARSAL=molecule tests/rehearsal/ctl status`), `molecule.sh converge` does one step.
set -euo pipefail
cd "$(dirname "$0")/../.."

export PATH="$PWD/.venv/bin:$PATH"
export MOLECULE_GLOB='tests/rehearsal/molecule/*/molecule.yml'
case ${1:-} in
'' | -*) exec molecule test "$@" ;;
*) exec molecule "$@" ;;
esac
