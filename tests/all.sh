#!/bin/bash
# Everything. The quick look first, and nothing more if that fails; then every part runs, and what
# failed is named at the end. Deploying to the rehearsal hosts takes longest and mostly waits, so it
# goes on beside the tests; its words come when it is done. Benchmarks have the machine to themselves.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=()
hosts_log=$(mktemp)
hosts=

clean_up() {
  # Its whole process group: molecule's children would deploy on. The next run takes the hosts away.
  [[ -z "$hosts" ]] || kill -- "-$hosts" 2>/dev/null || true
  rm -f "$hosts_log"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

part() {
  local name=$1 started=$SECONDS
  echo "════ $name"
  shift
  "$@" || failed+=("$name")
  echo "──── $((SECONDS - started)) s"
}

look_at_hosts() {
  local status=0
  wait "$hosts" || status=$?
  hosts=
  cat "$hosts_log"
  return "$status"
}

part "check" tests/check.sh --hypothesis-profile=default
[[ ${#failed[@]} -eq 0 ]] || exit 1

set -m # a process group of its own
{ time tests/rehearsal/molecule.sh; } >"$hosts_log" 2>&1 &
hosts=$!
set +m

part "integration: real Redis, killed workers, a faulty Spoki" \
  pytest --quiet --numprocesses 2 --dist loadfile --durations 15 tests/integration
# What is of the store; the rest is the same on either.
part "the cloud layer on Postgres" env PORTIERE_TEST_STORE=postgres \
  pytest --quiet --numprocesses 2 --hypothesis-profile=quick --ignore tests/unit/cloud_jobs/mail \
  tests/unit/cloud_jobs
part "model: every state of lease and takeover" pytest --quiet --numprocesses 2 tests/model
part "browser: a guest types on the phone page" pytest --quiet tests/browser
part "evaluation: what is measured was never learnt; training anew" pytest --quiet tests/evaluation
# What the Vagrantfile holds, not whether this machine could run it.
part "vagrant validate" vagrant validate --ignore-provider
part "rehearsal hosts: molecule" look_at_hosts
part "benchmark: durable accepts" python -m tests.bench.accepts
part "benchmark: webhook to send" python -m tests.bench.latency
part "benchmark: the cloud layer's queue and lists" python -m tests.bench.cloud_queue

[[ ${#failed[@]} -eq 0 ]] && exit 0
printf 'failed: %s\n' "${failed[@]}" >&2
exit 1
