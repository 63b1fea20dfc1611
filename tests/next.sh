#!/bin/sh
# `make test-next`: `make run` and `make test` on the newest supported Python, and the line of TFX
# that goes with it. Where this machine's C library is too old for that, in a Debian 13 root under
# build/next, made once: it needs mmdebstrap and root, and is skipped by name without them. There
# the machine's own line and the newer one go on from each other's workspace, too.
#
#     sh tests/next.sh across WORKSPACE     verify what the other line wrote there, and run on it
set -eu
cd "$(dirname "$0")/.."

verify() {
  .venv/bin/casegate lineage verify --all --workspace "$1"
  .venv/bin/casegate ledger verify --workspace "$1"
}

across() {
  verify "$1"
  .venv/bin/casegate run --data phantom --workspace "$1" > "$1.txt" || { cat "$1.txt"; false; }
  cat "$1.txt"
  grep --quiet "new software platform" "$1.txt"
  verify "$1"
}

if [ "${1:-}" = across ]; then
  across "$2"
  exit
fi

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
  find "$1" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .uv -exec rm -rf {} +
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
packages=ca-certificates,chromium,cron,curl,g++,git,graphviz,jq,libxml2-utils,make,mariadb-server
packages=$packages,openssl,postgresql,procps,python3-dev,python3-venv,sqlite3,systemd,unzip
# Only its data are read; with what it depends on it would be all of R.
data='cd /tmp && apt-get download -qq r-cran-proc && dpkg -x r-cran-proc_*.deb / && rm r-cran-proc_*'
if [ ! -e "$root/made" ]; then
  rm -rf "$root" && mkdir -p "$root"
  mmdebstrap --quiet --variant=minbase --include="$packages" \
    --customize-hook="chroot \"\$1\" sh -c '$data'" trixie "$root"
  touch "$root/made"
fi
cp -L /etc/resolv.conf /etc/hosts "$root/etc"  # this machine's own name is in the latter
# Where a proxy has a certificate of its own.
cp -RL --remove-destination /etc/ssl/certs/. "$root/etc/ssl/certs/"
copy_to "$root/root/casegate"
older=build/next/older newer=build/next/newer
rm -rf "$older" "$newer"
make run WORKSPACE="$older"
mkdir -p "$root/root/casegate/build" && cp -a "$older" "$root/root/casegate/build/older"
steps="$steps && sh tests/next.sh across build/older"
export root steps
# A root of its own and not only another folder for it: some tests make namespaces of their own,
# which a kernel forbids after a mere chroot. Its mounts end with it.
unshare --mount sh -c '
  mount --rbind "$root" "$root" && mount --rbind /dev "$root/dev" &&
  mount -t proc proc "$root/proc" && mount --rbind /sys "$root/sys" &&
  cd "$root" && pivot_root . mnt &&
  exec chroot . env -u VIRTUAL_ENV HOME=/root TERM=xterm \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c "umount -l /mnt && cd /root/casegate && $steps"'
cp -a "$root/root/casegate/build/next-workspace" "$newer"
across "$newer"
