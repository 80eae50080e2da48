#!/bin/sh
# A webhook that Tulbur sends is believed by an implementation that others wrote: PyPI's `standardwebhooks`, unchanged.
#
# Needs python3 with venv, pip with its registry, openssl and cargo. Ends with an error if the package could not be
# installed, or did not believe what it should, or believed what it should not.
#
#   payments/tests/clients/run.sh
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
receiver=
stop() {
  if [ -n "$receiver" ]; then kill "$receiver" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT INT TERM

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0

TULBUR_WEBHOOK_NEW="whsec_$(openssl rand -base64 32)"
TULBUR_WEBHOOK_OLD="whsec_$(openssl rand -base64 24)"
export TULBUR_WEBHOOK_NEW TULBUR_WEBHOOK_OLD
"$work/venv/bin/python" "$here/receiver.py" "$work/port" "$work/out" "$TULBUR_WEBHOOK_NEW" "$TULBUR_WEBHOOK_OLD" &
receiver=$!
tries=0
until [ -s "$work/port" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ]; then echo "the receiver did not get ready" >&2; exit 1; fi
  sleep 0.1
done

cd "$here/../../.."
TULBUR_WEBHOOK_RECEIVER="http://127.0.0.1:$(cat "$work/port")/hook" \
  cargo test --quiet --package tulbur-payments --features sqlite,store-suite --test it -- --ignored --exact webhook::another_implementation_believes_it
# Both were believed: a test that did not run, or a receiver that nobody called, is noticed.
sort "$work/out" | tr '\n' ' ' | grep -qx 'payment.canceled payment.paid '
echo "standardwebhooks: done"
