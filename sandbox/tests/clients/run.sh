#!/bin/sh
# Runs published clients of the banks and of QPay, written by others and unchanged, against the sandbox.
#
# Needs node 18 or newer, npm and pip with their registries, python 3, and cargo. Only the clients' base address is set to the sandbox's.
# Ends with an error if a client could not be installed, did not run, or did not get what it should.
#
#   sandbox/tests/clients/run.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
sandbox=
stop() {
  if [ -n "$sandbox" ]; then kill "$sandbox" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT INT TERM

cd "$here/../../.."
cargo build --quiet --package tulbur-cli --bin tulbur
target=$(cargo metadata --no-deps --format-version 1 | node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).target_directory')
"$target/debug/tulbur" sandbox --port 0 --json >"$work/ready.json" &
sandbox=$!
tries=0
until [ -s "$work/ready.json" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ]; then echo "the sandbox did not get ready" >&2; exit 1; fi
  sleep 0.1
done

cp "$here"/*.mjs "$work/"
cd "$work"
npm install --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
  @mongolian-payment/golomt@1.0.0 @mongolian-payment/socialpay@1.0.0
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$work/python" \
  mongolian-payment-socialpay==1.0.0 qpay-client==2.0.5 httpx==0.28.1

# The line is written last, so a script that ended early is noticed even if it ended quietly.
run() {
  name=$1
  shift
  "$@" ready.json | tee out.txt
  grep -q "^$name: done$" out.txt
}
run golomt-js node golomt-js.mjs
run socialpay-js node socialpay-js.mjs
run socialpay-py env PYTHONPATH="$work/python" python3 "$here/socialpay_py.py"
run qpay-client-py env PYTHONPATH="$work/python" python3 "$here/qpay_client_py.py"
