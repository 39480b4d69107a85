#!/bin/bash
# The inner loop: lint, types, unit tests. Every part runs, then the failures are named.
# What is given goes to pytest; without it property-based tests take a quick look only, and what is
# marked as thorough is left to `make test`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

# In memory, where there is room (a container may have 64 MB): each test has databases of its own,
# which sync to the disk.
room=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')
if ((${room:-0} > 1000000)); then export TMPDIR=/dev/shm; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=()

run() {
  local name=$1 started=$SECONDS
  shift
  "$@" || failed+=("$name: $*")
  echo "── $name: $((SECONDS - started)) s"
}

# The slowest of all, on a core of its own meanwhile.
ansible-lint -q --nocolor >"$scratch/ansible" 2>&1 &
ansible=$!

run "ruff" ruff check --quiet .
run "format" ruff format --quiet --check .
run "types" mypy --no-error-summary
run "role pages" python ansible/generate_role_readmes.py --check
run "yaml" yamllint --strict .
if command -v shellcheck >/dev/null; then
  mapfile -t scripts < <(git ls-files -co --exclude-standard ':!*.j2' ':!*.py' | xargs grep -lE '^#!/bin/(ba)?sh' --)
  run "shell" shellcheck --severity=warning "${scripts[@]}"
fi
if command -v ruby >/dev/null; then
  run "Vagrantfile" ruby -c Vagrantfile
fi
[[ $# -gt 0 ]] || set -- --hypothesis-profile=quick -m "not thorough"
# What pytest makes of the tests' modules is kept, whatever the environment says.
run "unit tests" env PYTHONDONTWRITEBYTECODE= \
  pytest --quiet --numprocesses 2 --basetemp "$scratch/tests" \
  -o tmp_path_retention_policy=failed "$@" tests/unit
wait "$ansible" || { cat "$scratch/ansible"; failed+=("ansible-lint"); }

[[ ${#failed[@]} -eq 0 ]] && exit 0
printf 'failed: %s\n' "${failed[@]}" >&2
exit 1
