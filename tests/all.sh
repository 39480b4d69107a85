#!/bin/bash
# Everything, the quick parts first; stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

part() {
  local started=$SECONDS
  echo "════ $1"
  shift
  "$@"
  echo "──── $((SECONDS - started)) s"
}

part "check" tests/check.sh --hypothesis-profile=default
part "evaluation: what is measured was never learnt; training anew" pytest --quiet tests/evaluation
# What the Vagrantfile holds, not whether this machine could run it.
part "vagrant validate" vagrant validate --ignore-provider
part "integration: real Redis, killed workers, a faulty Spoki" pytest --quiet tests/integration
part "browser: a guest types on the phone page" pytest --quiet tests/browser
part "benchmark: durable accepts" python -m tests.bench.accepts
part "benchmark: webhook to send" python -m tests.bench.latency
part "rehearsal hosts: molecule" tests/rehearsal/molecule.sh
