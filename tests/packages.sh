#!/bin/bash
# Installs the Debian packages that the tests and the rehearsal need; quick when they are there.
set -euo pipefail

packages=(
  # real parts in tests
  redis-server chromium dovecot-imapd postgresql restic rclone
  apertium apertium-spa-ita cg3 # without cg3, which the pair only recommends, it says nothing
  spin gcc libc6-dev # the model of lease and takeover
  # rehearsal hosts
  systemd-container mmdebstrap debian-archive-keyring iproute2 nftables openssh-client dpkg-dev
  e2fsprogs apt-utils netcat-openbsd rsync curl
  # checks of the Vagrantfile and the shell scripts
  vagrant ruby shellcheck
)

missing=()
for package in "${packages[@]}"; do
  [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ "$(id -u)" != 0 ]]; then
  echo "As root, please: apt-get install ${missing[*]}" >&2
  exit 1
fi
echo "Installing Debian packages: ${missing[*]} …"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
