#!/bin/sh
# Install the real parts that tests and demo run on. As root or with sudo; otherwise say what to install, and go on:
# tests whose part is missing skip with that reason (and fail where CI is set).
set -eu

missing=""
for pair in rabbitmq-server:rabbitmq-server haproxy:haproxy "$@"; do
  program=${pair%%:*}
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo"
else
  echo "Missing, and this user may not install:$missing" >&2
  echo "Next: sudo apt-get install$missing" >&2
  exit 0
fi
command -v apt-get >/dev/null 2>&1 || { echo "Missing:$missing. Next: install them by hand." >&2; exit 0; }
echo "Installing$missing" >&2
# RUNLEVEL=1 keeps Debian from starting the services it installs: ours are private ones.
$as_root env RUNLEVEL=1 apt-get update -qq
# shellcheck disable=SC2086
$as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
