# shellcheck shell=bash disable=SC2034 # some of this is used only by the scripts that source it
# Shared by every script in this folder; sourced, never run. It adds long steps, a summary and the product's own folders
# to what the cluster scripts share (log, die, have, in_engine, CACHE, ...).
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/kind/lib.sh
source "$ROOT/tests/kind/lib.sh"

KIND=$ROOT/tests/kind
OUT=$ROOT/target                                  # what the scripts make: guests, images, logs
BINARIES=${CARGO_TARGET_DIR:-$ROOT/target}/release
GUESTS=$OUT/guests
IMAGES=$OUT/images
LOGS=$OUT/logs                                    # one file for each step
KIND_LOGS=$OUT/kind-logs                          # of the cluster, after a failure
PULSE_SECONDS=60                                  # how often a long step says where it is
OPERATOR_NAMESPACE=shrewd-system
WAIT=3m                                           # for what the cluster does by itself; busy machines are slow
TAIL_LINES=40                                     # of a failed step's log are shown

# Always all of it: cargo gives dependencies the features that tests want as soon as one target is an example, and
# others without. A smaller choice compiles tokio, and all that needs it, once more, and what is shipped is not what is
# tested.
BUILD_FLAGS=(--release --locked --workspace --bins --examples)

SUMMARY=()                                        # a line for each finished step
BACKGROUND=                                       # process group of the command that runs beside the steps
PULSE=                                            # process that reports on a long step

cd "$ROOT"
mkdir -p "$GUESTS" "$IMAGES" "$LOGS"

# step TEXT COMMAND...: like that of the cluster scripts, with a log of its own and a sign of life once a minute.
step() {
  local text=$1 start=$SECONDS
  shift
  STEP=$text
  STEP_LOG=$LOGS/$(slug "$text").log
  : >"$STEP_LOG"
  if [[ -t 2 ]]; then printf '    … s  %s\r' "$text" >&2; fi
  # Not a job of this shell: bash 5.2 at times complains about a job that is ended in an EXIT trap.
  PULSE=$(pulse "$text" "$STEP_LOG" >/dev/null & echo $!)
  "$@" >"$STEP_LOG" 2>&1
  end_pulse
  STEP=
  finished "$text" $((SECONDS - start))
}

# slug TEXT: as a file name.
slug() { tr -cs 'a-z0-9\n' - <<<"${1,,}" | sed 's/-*$//' | cut -c1-60; }

# finished TEXT SECONDS: prints the line of a step and keeps it for the summary.
finished() {
  local line
  line=$(printf '%5d s  %s' "$2" "$1")
  SUMMARY+=("$line")
  log "$line"
}

# pulse TEXT LOG: shows the newest line of the log once a minute, until it is ended.
pulse() {
  local never start=$SECONDS last
  exec {never}<> <(:)                             # nothing is ever written there: a sleep that leaves no process behind
  while true; do
    read -r -t "$PULSE_SECONDS" -u "$never" _ || true
    last=$(tail -n 1 "$2" | tr -d '\r' | sed 's/^ *//' | cut -c1-90)
    log "$(printf '%5d s  %s … %s' $((SECONDS - start)) "$1" "$last")"
  done
}

end_pulse() {
  [[ -n $PULSE ]] || return 0
  kill "$PULSE" 2>/dev/null || true
  PULSE=
}

# beside COMMAND...: starts a program that runs beside the steps; its output goes to LOGS/beside.log.
beside() {
  setsid "$@" >"$LOGS/beside.log" 2>&1 </dev/null &
  BACKGROUND=$!
}

# joined: waits for it; to be a step of its own.
joined() {
  local status=0
  wait "$BACKGROUND" || status=$?
  BACKGROUND=
  cat "$LOGS/beside.log"
  return "$status"
}

# leave: for EXIT traps: the failing command's own words, and nothing left running.
leave() {
  end_pulse
  if [[ -n $BACKGROUND ]]; then kill -- "-$BACKGROUND" 2>/dev/null || true; fi
  [[ -n $STEP ]] || return 0
  {
    echo "failed: $STEP; from $STEP_LOG:"
    grep -q '^failures:$' "$STEP_LOG" && sed -n '/^failures:$/,/^test result:/p' "$STEP_LOG"
    tail -n "$TAIL_LINES" "$STEP_LOG"
  } >&3
}
trap leave EXIT

# use_cluster: from here on, kubectl, helm and tests mean our own cluster, whatever KUBECONFIG was set to before.
use_cluster() {
  if [[ -f $ENGINE_ENV ]]; then
    # shellcheck source=/dev/null
    source "$ENGINE_ENV"
    export DOCKER_HOST
  fi
  KUBECONFIG=$(kubeconfig_of "$DEFAULT_CLUSTER")
  export KUBECONFIG
  [[ -f $KUBECONFIG ]] || die "there is no cluster $DEFAULT_CLUSTER: run make kind-up"
}

# ready_within SECONDS PROCESS ADDRESS: waits until this indexer says that it is ready.
ready_within() {
  local end=$((SECONDS + $1))
  until curl --noproxy '*' --silent --fail --output /dev/null "http://$3/readyz"; do
    ((SECONDS < end)) || die "the indexer at $3 is not ready after $1 s"
    kill -0 "$2" || die "the indexer at $3 ended"
    sleep 0.1
  done
}

kube() { in_engine kubectl "$@"; }

# image_of NAME: the image that `scripts/images` made last from that binary.
image_of() { cat "$IMAGES/$1.name"; }
