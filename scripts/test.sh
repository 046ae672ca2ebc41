#!/usr/bin/env bash
# Runs the tests, with everything they need: makes .venv-tox, sees to the system
# libraries that a window needs, and runs tox, without a screen under Xvfb.
#
#   bash scripts/test.sh                           the short way: lint, with Qt, without Qt
#   bash scripts/test.sh -e headless -- -k store   or what tox is to do instead
#   PYTHON=python3.12 bash scripts/test.sh         with another Python
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=""
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if is_new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "No Python 3.11 or newer among: ${PYTHON:-python3 python3.13 python3.12 python3.11}." \
        "Install one and name it: PYTHON=/path/to/python3.12 bash scripts/test.sh" >&2
    exit 1
fi

if ! .venv-tox/bin/tox --version >/dev/null 2>&1 ||
    [ "$(.venv-tox/bin/python --version)" != "$("$python" --version)" ]; then
    "$python" -m venv --clear .venv-tox
    .venv-tox/bin/python -m pip install --quiet --upgrade pip # --group needs 25.1
    .venv-tox/bin/python -m pip install --quiet --group tox
fi

window_libraries=present
bash scripts/system_libraries.sh || window_libraries=missing

run() {
    # tox itself says nothing but errors, so that the output closes with pytest's own summary.
    if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}" ] && [ $window_libraries = present ]; then
        xvfb-run --auto-servernum --server-args="-screen 0 1600x1000x24" .venv-tox/bin/tox run -qq "$@"
    else
        .venv-tox/bin/tox run -qq "$@"
    fi
}

if [ $# -gt 0 ]; then
    run "$@"
    exit
fi

environments=(lint "$(.venv-tox/bin/python -c 'import sys; print("py%d%d-pyqt6" % sys.version_info[:2])')" headless)
if [ $window_libraries = missing ]; then
    echo "Without them only the tests that need no window can run; here they are." >&2
    environments=(headless)
fi
failed=()
for environment in "${environments[@]}"; do
    echo "== $environment"
    run -e "$environment" || failed+=("$environment")
done
if [ $window_libraries = missing ]; then
    bash scripts/system_libraries.sh
fi
if [ ${#failed[@]} -gt 0 ]; then
    echo "Failed: ${failed[*]}" >&2
    exit 1
fi
