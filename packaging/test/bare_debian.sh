#!/usr/bin/env bash
# Installs a wheel in a bare Debian as a user would, without a toolchain and without a network, and measures how long the demo takes.
#
#   sudo bare_debian.sh WHEEL [SUITE]
#
# The root is made by debootstrap, from the mirror of this machine where it is a Debian, and removed at the end.
set -euo pipefail

wheel=$(realpath "${1:?the wheel to install}")
suite=${2:-bookworm}
seconds_max=10

mirror=()
if [ "$(. /etc/os-release && echo "$ID")" = debian ]; then
    # shellcheck disable=SC2016 # apt fills it in
    mirror=("$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Release: $suite" 'Component: main')")
fi

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
debootstrap --variant=minbase --include=python3,python3-venv "$suite" "$root" "${mirror[@]}" > "$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 1; }
chroot "$root" useradd --create-home fox
install -m 644 "$wheel" "$root/home/fox/"

cat > "$root/home/fox/walk.sh" << 'WALK'
set -eu
cd ~
for tool in cc gcc c++ cargo rustc git curl; do
    ! command -v "$tool" || { echo "error: the root is not bare, it has $tool"; exit 1; }
done
python3 -m venv env
env/bin/pip install --quiet --no-index --disable-pip-version-check ./*.whl
env/bin/python - "$1" << 'PYTHON'
import subprocess, sys, time
from pathlib import Path

def demo(*options):
    """The seconds until the demo has ended, with its files saved."""
    begun = time.monotonic()
    subprocess.run(["env/bin/clipia-queue", "demo", *options], check=True)
    return time.monotonic() - begun

picture = demo("--no-video")
assert Path("clipia-demo/lighthouse.png").read_bytes().startswith(b"\x89PNG")
both = demo()
assert Path("clipia-demo/waves.mp4").stat().st_size > 0
print(f"the demo's picture took {picture:.1f} s, the picture and the clip {both:.1f} s")
sys.exit(f"error: the picture takes {picture:.1f} s, and {sys.argv[1]} s are promised" if picture > float(sys.argv[1]) else 0)
PYTHON
WALK

# The mounts and the network are of this command alone, and end with it. `lo` is up, and nothing else is there.
unshare --mount --net --propagation private bash -euc '
    ip link set lo up
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec chroot --userspec=fox:fox "$1" env -i HOME=/home/fox LANG=C.UTF-8 PATH=/usr/bin:/bin sh /home/fox/walk.sh "$2"
' bash "$root" "$seconds_max"
