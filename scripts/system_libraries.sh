#!/usr/bin/env bash
# Sees to the system libraries that a Qt window needs, and to Xvfb where there is no
# screen: on Debian and Ubuntu root gets them installed, others are told what to run.
# Status 0: all of them are there.
set -euo pipefail
[ "$(uname)" = Linux ] || exit 0

# The package, and the file by which it is known to be there (names of packages differ between releases).
needed="
libgl1              libGL.so.1
libegl1             libEGL.so.1
libdbus-1-3         libdbus-1.so.3
libfontconfig1      libfontconfig.so.1
libglib2.0-0        libglib-2.0.so.0
libxkbcommon0       libxkbcommon.so.0
libxkbcommon-x11-0  libxkbcommon-x11.so.0
libxcb-cursor0      libxcb-cursor.so.0
libxcb-icccm4       libxcb-icccm.so.4
libxcb-keysyms1     libxcb-keysyms.so.1
libxcb-shape0       libxcb-shape.so.0
"
[ -n "${DISPLAY:-}" ] || needed+="
xvfb                xvfb-run
xauth               xauth
"

missing_packages() {
    local libraries package file
    libraries=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p)
    while read -r package file; do
        case $file in
        '') ;;
        *.so.*) grep -qF "$file" <<<"$libraries" || echo "$package" ;;
        *) command -v "$file" >/dev/null || echo "$package" ;;
        esac
    done <<<"$needed"
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "System libraries are missing, here by their names in Debian: ${missing[*]}." \
        "Install what your system calls them." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "System libraries are missing. Install them with:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "Installing system libraries: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null </dev/null
