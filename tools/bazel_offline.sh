#!/usr/bin/env bash
# Runs Bazel without a network, from Debian's packages:
#   apt-get install bazel-bootstrap bazel-platforms bazel-rules-java bazel-rules-proto bazel-skylib
#   tools/bazel_offline.sh test //...
# The first python3 on the PATH runs the tests, so activate the environment before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ours="$PWD/third_party/bazel"
debian=/usr/share/bazel
command="${1:?usage: tools/bazel_offline.sh COMMAND [ARGUMENTS], for example: test //...}"
shift
exec bazel "$command" \
  --override_repository=rules_cc="$ours/rules_cc" \
  --override_repository=remote_coverage_tools="$ours/remote_coverage_tools" \
  --override_repository=rules_java="$debian/rules/java" \
  --override_repository=rules_proto="$debian/rules/proto" \
  --override_repository=bazel_skylib="$debian/tools/skylib" \
  --override_repository=platforms="$debian/tools/platforms" \
  "$@"
