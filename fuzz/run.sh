#!/usr/bin/env bash
# Runs the fuzz targets, one after another, and says what each did.
#   FUZZ_SECONDS  for each target (600)
#   FUZZ_TARGETS  which ones (all)
#   FUZZ_MAX_LEN  longest input in bytes (16384)
# What breaks a target is left in fuzz/artifacts/TARGET/: when it is fixed, it
# goes to fuzz/regressions/TARGET/, where tests/regressions.rs finds it.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-600}
targets=${FUZZ_TARGETS:-playlist key fmp4 ts packed id3 decrypt}
longest=${FUZZ_MAX_LEN:-16384}
corpus=fuzz/corpus

setup() {
  rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
  command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
}

# put TARGET NAME: standard input becomes one file of the corpus.
put() { head -c "$longest" > "$corpus/$1/$2"; }

# name FILE: a path as one word.
name() { echo "${1#fixtures/}" | tr / -; }

# The front of a file is enough: what follows is more of the same.
seed() {
  for target in $targets; do mkdir -p "$corpus/$target"; done
  mkdir -p "$corpus"/{playlist,key,fmp4,ts,packed,id3,decrypt}
  find fixtures -name '*.m3u8' | while read -r file; do
    put playlist "$(name "$file")" < "$file"
  done
  { cat fixtures/hls/master.m3u8; printf '\0'; cat fixtures/hls/aac.m3u8; } | put playlist two
  printf 'METHOD=AES-128,URI="key.bin",IV=0x000102030405060708090A0B0C0D0E0F' | put key stated
  printf 'METHOD=AES-128,URI="data:;base64,AAECAwQFBgcICQoLDA0ODw=="' | put key inline
  printf '0123456789abcdef' | put key sixteen
  find fixtures -name '*-init.mp4' | while read -r init; do
    for file in "${init%-init.mp4}"-[01].m4s; do
      [ ! -e "$file" ] || cat "$init" "$file" | put fmp4 "$(name "$file")"
    done
  done
  find fixtures -name '*.ts' | while read -r file; do
    head -c 5640 "$file" | put ts "$(name "$file")"
  done
  # Bytes that say what packets hold: one of ADTS with a stamp, one that goes on, a title.
  { printf '\0\2\252'; head -c 170 fixtures/timeline/tone.aac; printf '\0\270'; head -c 354 fixtures/timeline/tone.aac | tail -c 184
    printf '\3\60ID3\4\0\0\0\0\0\16TIT2\0\0\0\4\0\0\3abc'; } | put ts packets
  # Kinds of sound that no fixture holds.
  if command -v ffmpeg >/dev/null; then
    ffmpeg -v error -t 0.2 -i fixtures/timeline/tone.aac -c copy -f mpegts -mpegts_flags latm - | put ts latm || true
    ffmpeg -v error -t 0.2 -i fixtures/timeline/tone.mp3 -c copy -f mpegts - | put ts mp3 || true
  fi
  find fixtures -name '*.aac' -o -name '*.mp3' | while read -r file; do
    head -c 4096 "$file" | put packed "$(name "$file")"
    head -c 512 "$file" | put id3 "$(name "$file")"
  done
  find fixtures -name '*.ts' -o -name '*.aac' -o -name '*.mp3' -o -name '*-0.m4s' | while read -r file; do
    { printf '\0\0\0'; head -c 1024 "$file"; } | put decrypt "clear-$(name "$file")"
    { printf '\0\100\1'; head -c 1024 "$file"; } | put decrypt "damaged-$(name "$file")"
  done
}

# fuzz TARGET: a line of what it did; fails when it found something.
fuzz() {
  local log=fuzz/target/$1.log words=() found=0
  case $1 in playlist | key) words=(-dict=fuzz/playlist.dict) ;; esac
  cargo +nightly fuzz run --sanitizer none "$1" -- -max_total_time="$seconds" -max_len="$longest" \
    -timeout=60 -rss_limit_mb=1024 -malloc_limit_mb=256 -print_final_stats=1 "${words[@]}" >"$log" 2>&1 || found=$?
  local runs coverage
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  coverage=$(sed -n 's/.*cov: \([0-9]*\) ft: \([0-9]*\) corp: \([0-9]*\).*/\1 edges, \2 features, \3 inputs kept/p' "$log" | tail -n 1)
  printf '%-9s %9s runs in %4s s, %s%s\n' "$1" "${runs:-?}" "$seconds" "${coverage:-no coverage}" \
    "$([ "$found" = 0 ] || echo "  FOUND SOMETHING: $log")"
  return "$found"
}

setup
seed
# The code has no `unsafe` of its own, so no sanitizer is needed to see what it does wrong.
cargo +nightly fuzz build --sanitizer none
failed=0
for target in $targets; do fuzz "$target" || failed=1; done
exit "$failed"
