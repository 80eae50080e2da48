#!/usr/bin/env bash
# Copies this workspace out of the repository, points it at the crates by path, and runs its tests there: it must not
# need to be where it is. Arguments are passed on to `cargo test`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tulbur=$(cd "$here/../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

mkdir "$copy/khur"
(cd "$here" && tar --exclude=./target -cf - .) | tar -xmf - -C "$copy/khur"
# The four lines that say where Tulbur is.
sed -i "s|path = \"\.\./\.\./|path = \"$tulbur/|" "$copy/khur/Cargo.toml"
test "$(grep -c "path = \"$tulbur/" "$copy/khur/Cargo.toml")" = 4

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$here/target}
cd "$copy/khur"
cargo test --locked "$@"
