#!/bin/sh
# Installs the program `clipia` from a release, for this user: downloads the archive of this platform, checks its SHA-256, and copies the
# program to a directory. Nothing else is changed. Run it again to update; to uninstall, remove the program.
#
#   CLIPIA_VERSION      the version, such as 0.1.0; by default that of this script
#   CLIPIA_INSTALL_DIR  where the program goes; by default ~/.local/bin
#   CLIPIA_RELEASES     where the releases are, for a mirror; the archives of a version are in its directory `v…`
set -eu

# A function, so that nothing runs of a script whose download broke off.
main() {
    version=${CLIPIA_VERSION:-@VERSION@}
    directory=${CLIPIA_INSTALL_DIR:-${HOME:?is not set, so CLIPIA_INSTALL_DIR must be}/.local/bin}
    releases=${CLIPIA_RELEASES:-https://github.com/clipia/clipia-queue/releases/download}

    fail() {
        echo "error: $1" >&2
        echo "hint: $2" >&2
        exit 1
    }

    case "$(uname -s) $(uname -m)" in
        "Linux x86_64" | "Linux amd64") target=x86_64-unknown-linux-gnu ;;
        "Linux aarch64" | "Linux arm64") target=aarch64-unknown-linux-gnu ;;
        "Darwin x86_64") target=x86_64-apple-darwin ;;
        "Darwin arm64") target=aarch64-apple-darwin ;;
        *) fail "there is no archive for $(uname -s) on $(uname -m)" "\`pip install clipia-queue\` builds it from the source" ;;
    esac
    # musl's loader cannot start a program that was built for glibc.
    if [ "$(uname -s)" = Linux ] && ls /lib/ld-musl-* > /dev/null 2>&1 && ! ls /lib*/ld-linux-* > /dev/null 2>&1; then
        fail "the archives for Linux need glibc, and this system has musl" "\`pip install clipia-queue\` has the program for musl"
    fi

    name=clipia-queue-$version-$target
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    download() {
        url=$releases/v$version/$1
        if command -v curl > /dev/null; then
            curl --fail --silent --show-error --location --retry 3 --output "$work/$1" "$url"
        elif command -v wget > /dev/null; then
            wget --quiet --output-document="$work/$1" "$url"
        else
            fail "neither curl nor wget is installed" "install one of them"
        fi || fail "cannot download $url" "check the version, \`$version\`, and the network"
    }

    download SHA256SUMS
    download "$name.tar.gz"
    if command -v sha256sum > /dev/null; then
        sum=$(sha256sum "$work/$name.tar.gz")
    else
        sum=$(shasum -a 256 "$work/$name.tar.gz")
    fi
    grep -qx "${sum%% *}  $name.tar.gz" "$work/SHA256SUMS" ||
        fail "$name.tar.gz is not the file that SHA256SUMS names" "download again; if it stays so, report it as SECURITY.md says"

    tar -xzf "$work/$name.tar.gz" -C "$work"
    # The program must run here before it replaces one that did.
    "$work/$name/clipia" --version > /dev/null || fail "the program does not run on this system" "\`pip install clipia-queue\` may"
    mkdir -p "$directory"
    # A program that runs cannot be written to, but it can be replaced.
    cp "$work/$name/clipia" "$directory/.clipia.new"
    mv -f "$directory/.clipia.new" "$directory/clipia"
    echo "installed clipia $version in $directory"
    case ":$PATH:" in
        *":$directory:"*) ;;
        *) echo "note: $directory is not in PATH; add it, or call $directory/clipia" ;;
    esac
}

main
