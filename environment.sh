#!/bin/sh
# Makes .venv by uv.lock, on the newest Python that the lock file knows, that this machine has and
# that its C library can carry; says which and why. Each thing that is missing is one line, with
# how to get it.
#
#     sh environment.sh uv UV               a uv at the path UV: the machine's, or a private one
#     sh environment.sh sync UV [PYTHON]    PYTHON: a version (3.12), or a path to an interpreter
set -eu
mode=$1 uv=$2 chosen=${3:-}

# TFX of the newer line needs ml-metadata and tensorflow-data-validation, whose wheels are built for
# that C library; the older line runs on any.
newer="3.13 3.12 3.11" older="3.10" needed=2.39
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=
libc=${libc#glibc }
here=${libc:-another C library}

fail() {
  echo "casegate: $1" >&2
  exit 2
}

carries_newer() {
  [ -n "$libc" ] && [ "$(printf '%s\n' "$needed" "$libc" | sort -V | head -n 1)" = "$needed" ]
}

# The interpreter of a version: what uv finds, or one of pyenv's that is not switched on.
find_python() {
  "$uv" python find --system --no-project --no-python-downloads "$1" 2>/dev/null && return
  for path in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    if [ -x "$path" ]; then echo "$path" && return; fi
  done
  return 1
}

choose() {
  if [ -n "$chosen" ]; then
    why="as PYTHON asks"
    python=$(find_python "$chosen") || python=$chosen
    return
  fi
  if carries_newer; then
    versions="$newer $older" why="the newest supported one here"
  else
    versions=$older why="newer ones need glibc $needed, here is $here"
  fi
  for version in $versions; do
    if python=$(find_python "$version"); then return; fi
  done
  fetch "${versions%% *}"
}

fetch() {
  echo "No Python $(echo "$versions" | sed 's/ / or /g') on this machine; uv tries to fetch $1"
  if "$uv" python install --quiet "$1" 2>/dev/null && python=$(find_python "$1"); then return; fi
  packages="Debian 13: apt install python3-dev; Ubuntu 24.04: apt install python3-dev; \
Fedora: dnf install python3.13-devel; elsewhere: pyenv install $1"
  carries_newer || packages="pyenv install $1 (newer ones need glibc $needed, here is $here)"
  fail "no supported Python, and uv could not fetch one; get one and run make again: $packages"
}

check_supported() {
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
    fail "PYTHON=$chosen: no such interpreter; give a version (PYTHON=3.12) or a path, or leave it out"
  case " $newer " in
  *" $version "*)
    carries_newer || fail "Python $version needs glibc $needed or newer, here is $here; \
use PYTHON=$older"
    ;;
  *)
    [ "$version" = "$older" ] || fail "Python $version is not supported; use one of $newer $older"
    ;;
  esac
}

# One dependency is built from source; its compiler's own words tell a newcomer little.
name_missing() {
  headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
  if ! command -v c++ >/dev/null || [ ! -e "$headers/Python.h" ]; then
    fail "a C++ compiler or Python's headers are missing; get them and run make again: \
Debian and Ubuntu: apt install g++ python3-dev; Fedora: dnf install gcc-c++ python$version-devel"
  fi
  fail "the environment could not be made; the lines above are uv's"
}

case $mode in
uv)
  mkdir -p "$(dirname "$uv")"
  if found=$(command -v uv); then ln -sf "$found" "$uv" && exit; fi
  folder=$(dirname "$(dirname "$uv")")
  # Not `python3` alone: `make altinstall` leaves none.
  for version in $newer $older 3; do
    "python$version" -m venv --clear "$folder" >/dev/null 2>&1 || continue
    "$folder/bin/python" -m pip install --quiet "uv>=0.5,<1" && exit
    break
  done
  fail "uv could not be installed; it needs a Python 3 with venv, and a way to a package index: \
Debian and Ubuntu: apt install python3-venv; Fedora: dnf install python3"
  ;;
sync)
  choose
  check_supported
  echo "Python $version ($python): $why"
  "$uv" sync --frozen --compile-bytecode --python "$python" || name_missing
  ;;
esac
