#!/usr/bin/env bash
# Runs the steps of deploy/Dockerfile in an empty folder, without a Docker daemon, and starts the result there as the image
# would: a service that finds no configuration must say which of its settings are missing, and end by itself.
# deploy/prove-image.sh [app ...]   names below apps/: transformer, ingestors/shopify, writers/postgres; default: all services
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
node=$root/node_modules/.bin/node
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
apps=("$@")
[ ${#apps[@]} -gt 0 ] || apps=(transformer ingestors/shopify ingestors/easypost writers/shopify writers/easypost writers/postgres)

(cd "$root" && node_modules/.bin/tsc -b)
for app in "${apps[@]}"; do
  target=$work/${app//\//-}
  PATH="$root/node_modules/.bin:$PATH" "$node" "$root/deploy/stage.mjs" "apps/$app" "$target"
  [ ! -e "$target/node_modules/typescript" ] && [ ! -e "$target/node_modules/jest" ] || { echo "$app: development packages are in the image"; exit 1; }
  if find "$target/apps" "$target/libs" -name node_modules -prune -o -name '*.ts' -print | grep -q .; then echo "$app: sources are in the image"; exit 1; fi
  # Nothing of this shell's environment; nothing of the checkout within reach of module resolution.
  code=0
  said=$(cd "$target" && env -i PATH="$PATH" NODE_ENV=production timeout 60 "$node" "apps/$app/dist/main.js" 2>&1) || code=$?
  if [ "$code" -eq 0 ] || [ "$code" -eq 124 ] || ! grep -q KAFKA_BROKERS <<<"$said" || grep -q ERR_MODULE_NOT_FOUND <<<"$said"; then
    echo "$app: did not start as expected (exit code $code):"
    echo "$said" | tail -20
    exit 1
  fi
  echo "$app: $(du -sm "$target" | cut -f1) MB, starts and names what it needs"
done
