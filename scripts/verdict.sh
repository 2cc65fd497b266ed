# shellcheck shell=bash disable=SC2034,SC2154 # some of this is used, and some set, only by the scripts that source it
# Shared by the scripts that run tests; sourced after lib.sh, never run. Their last line is "N passed, N failed".
E2E_THREADS=${E2E_THREADS:-4}                     # tests on the cluster at a time; each waits more than it computes
VERDICT=$OUT/verdict
ON_CLUSTER="on the cluster"                       # how the names of steps end whose failure the nodes' logs may explain

CARGO_FLAGS=(--release --locked --workspace)      # always the whole workspace: another choice compiles dependencies anew
TEST_LOGS=()

# test_step TEXT COMMAND...: a step whose log says how many tests passed.
test_step() {
  TEST_LOGS+=("$LOGS/$(slug "$1").log")
  step "$@"
}

# on_cluster PROGRAMS [OPTION...]: the test programs with names of this pattern, with options of theirs, and with the
# images that `scripts/images` made last.
on_cluster() {
  local programs=$1
  shift
  use_cluster
  SHREWD_INDEXER_IMAGE=$(image_of indexer)
  SHREWD_BITCOIND_IMAGE=$(image_of bitcoind)
  SHREWD_ASKER_IMAGE=$(image_of asker)
  SHREWD_TAMPER_IMAGE=$(image_of tamper)
  SHREWD_S3_IMAGE=$(image_of s3)
  export SHREWD_INDEXER_IMAGE SHREWD_BITCOIND_IMAGE SHREWD_ASKER_IMAGE SHREWD_TAMPER_IMAGE SHREWD_S3_IMAGE
  export SHREWD_GUESTS=$GUESTS
  export SHREWD_E2E_KUBECONFIG=$KUBECONFIG SHREWD_OPERATOR_NAMESPACE=$OPERATOR_NAMESPACE
  in_engine cargo test "${CARGO_FLAGS[@]}" --no-fail-fast --test "$programs" -- --test-threads="$E2E_THREADS" "$@"
}

# conclude: for the EXIT trap: why it failed, what was done, how many tests passed.
conclude() {
  local failed_step=$STEP passed failed
  leave
  passed=$(count passed)
  failed=$(count failed)
  if [[ -n $failed_step ]]; then
    if [[ $failed_step == *"$ON_CLUSTER" ]]; then "$KIND/logs" "$KIND_LOGS" || true; fi
    SUMMARY+=(" failed  $failed_step")
    ((failed > 0)) || failed=1
  fi
  {
    echo
    printf '%s\n' "${SUMMARY[@]}"
    printf '%5d s  in all\n' "$SECONDS"
  } >&3
  echo "$passed passed, $failed failed" | tee "$VERDICT"
}

# count passed|failed: over all tests that were run.
count() {
  cat "${TEST_LOGS[@]}" /dev/null 2>/dev/null |
    sed -n "s/^test result:.* \([0-9]*\) $1;.*/\1/p" | awk '{sum += $1} END {print sum + 0}'
}
