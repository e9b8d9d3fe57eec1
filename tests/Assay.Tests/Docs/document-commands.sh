#!/usr/bin/env bash
# Stands for assay, assay-sim, assay-server, curl and openssl while tests run the commands of the documents: the same programs, but the internet is the
# simulator's services on loopback, fixed ports are free ones, and servers go on in the background until the test ends.
set -euo pipefail
name="$(basename "$0")"

arguments=()
service=false
for word in "$@"; do
    case "$word" in nvidia | intel | amd) if $service; then word="$SERVICES"; fi ;; esac
    case "$word" in --*-url) service=true ;; *) service=false ;; esac
    for host in rim.attestation.nvidia.com ocsp.ndis.nvidia.com api.trustedservices.intel.com certificates.trustedservices.intel.com kdsintf.amd.com; do
        word="${word//https:\/\/$host/$SERVICES}"
    done
    word="${word//cache:8093/127.0.0.1:$PROXY_PORT}"
    word="${word//127.0.0.1:8093/127.0.0.1:$PROXY_PORT}"
    word="${word//127.0.0.1:8471/127.0.0.1:$SIMULATOR_PORT}"
    word="${word//127.0.0.1:8080/127.0.0.1:$SERVER_PORT}"
    # The whole word: a nonce may begin with these digits.
    if [ "$word" = 8471 ]; then word="$SIMULATOR_PORT"; fi
    for place in /var/lib /etc /srv; do
        word="${word/#$place\//$WORLD$place/}"
    done
    arguments+=("$word")
done

case "$name" in
    assay | assay-sim) if [ -n "${ASSAY_BINARIES:-}" ]; then program=("$ASSAY_BINARIES/$name"); else program=(dotnet "$PROGRAMS/$name.dll"); fi ;;
    assay-server) program=(dotnet "$PROGRAMS/$name.dll") ;;
    *) program=("$(PATH="${PATH#*:}" command -v "$name")") ;;
esac

# The port that the documents name may be taken here.
if [ "$name ${1:-} ${2:-}" = "assay collateral serve" ] && [[ " $* " != *" --listen "* ]]; then arguments+=(--listen "127.0.0.1:$PROXY_PORT"); fi

# Its configuration names ports in a file.
if [ "$name ${2:-}" = "assay-server --config" ]; then sed -i "s/127.0.0.1:8080/127.0.0.1:$SERVER_PORT/; s/127.0.0.1:8471/127.0.0.1:$SIMULATOR_PORT/" "$3"; fi

# The revocation list of Intel's root has an address of its own.
case "$name ${1:-} ${2:-}" in
    "assay collateral serve" | "assay bundle create")
        if [[ " $* " == *" --intel-url "* ]]; then arguments+=(--intel-root-crl-url "$SERVICES/IntelSGXRootCA.der"); fi ;;
esac

# The simulator's roots are trusted where the reader would trust the manufacturers'.
case "$name ${1:-} ${2:-}" in
    "assay verify "* | "assay bundle create" | "assay bundle verify" | "assay bundle import" | "assay bundle plan" | "assay collateral serve" | "assay collateral check" | "assay collateral stage")
        if [ -z "${RECORDED:-}" ] && [[ " $* " != *" --anchors "* ]] && [[ " $* " != *" --help "* ]]; then arguments+=(--anchors "$WORLD/anchors.json"); fi ;;
esac

# When a process was started, in ticks since the machine was: with its id it names one process, where an id alone may be another's by now.
# Empty when it is gone or waits for its parent to notice that it ended. The name, in brackets, may hold anything.
started() { # id
    local stat
    stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 0
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" = Z ] || echo "${20}"
}

case "$name ${1:-} ${2:-}" in
    "assay collateral serve" | "assay-sim serve "* | "assay-server run "*)
        # One of each program at a time: where a reader would end the first by hand.
        if read -r id when 2>/dev/null <"$WORLD/servers.$name"; then
            if [ "$(started "$id")" = "$when" ]; then kill "$id" 2>/dev/null || true; fi
            while [ "$(started "$id")" = "$when" ]; do sleep 0.1; done
        fi
        log="$(mktemp "$WORLD/server.XXXXXX")"
        nohup "${program[@]}" "${arguments[@]}" >"$log" 2>&1 </dev/null &
        echo "$! $(started $!)" >"$WORLD/servers.$name"
        for _ in $(seq 3000); do
            if grep -q 'http://127.0.0.1' "$log"; then cat "$log"; exit 0; fi
            if ! kill -0 $! 2>/dev/null; then break; fi
            sleep 0.1
        done
        cat "$log"
        exit 1 ;;
esac

exec "${program[@]}" "${arguments[@]}"
