#!/bin/sh
# `make test-next`: `make run` and `make test` on the newest supported Python, and the line of TFX
# that goes with it. Where this machine's C library is too old for that, in a Debian 13 root under
# build/next, made once: it needs mmdebstrap and root, and is skipped by name without them.
set -eu
cd "$(dirname "$0")/.."
version=3.13 needed=2.39
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=
oldest=$(printf '%s\n' "$needed" "${libc#glibc }" | sort -V | head -n 1)
steps="make run WORKSPACE=build/next-workspace PYTHON=$version && make test PYTHON=$version"

skip() {
  echo "SKIPPED test-next: $1"
  [ "${CASEGATE_SKIPS:-}" != fail ]
  exit
}

# A checkout of its own, with what is not committed yet; its environment stays from time to time.
copy_to() {
  mkdir -p "$1"
  find "$1" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .uv ! -name build -exec rm -rf {} +
  git ls-files -z | tar --create --null --files-from=- --ignore-failed-read .git 2>/dev/null |
    tar --extract --directory="$1"
}

if [ -n "$libc" ] && [ "$oldest" = "$needed" ]; then
  copy_to build/next/casegate
  cd build/next/casegate && exec sh -c "$steps"
fi

[ "$(id -u)" -eq 0 ] || skip "the C library is ${libc:-unknown}, and a Debian 13 root needs root"
command -v mmdebstrap >/dev/null || skip "the C library is ${libc:-unknown}, and mmdebstrap is missing"

root=$PWD/build/next/debian
packages=ca-certificates,cron,curl,g++,git,graphviz,jq,libxml2-utils,make,mariadb-server,openssl
packages=$packages,postgresql,procps,python3-dev,python3-venv,sqlite3,systemd,unzip
if [ ! -e "$root/made" ]; then
  rm -rf "$root" && mkdir -p "$root"
  mmdebstrap --quiet --variant=minbase --include="$packages" trixie "$root"
  touch "$root/made"
fi
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
# Where a proxy has a certificate of its own.
cp -RL --remove-destination /etc/ssl/certs/. "$root/etc/ssl/certs/"
copy_to "$root/root/casegate"
export root steps
# Its mounts end with it.
exec unshare --mount sh -c '
  mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" &&
  mount --rbind /sys "$root/sys" &&
  exec chroot "$root" env -u VIRTUAL_ENV HOME=/root TERM=xterm \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c "cd /root/casegate && $steps"'
