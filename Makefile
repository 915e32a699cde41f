# The only front door. `make` lists what there is.
SHELL := /bin/bash
PREFIX ?= /usr/local
CARGO ?= cargo
ARGS ?= --help
PACKAGES := build-essential pkg-config libasound2-dev cmake strace tmux pulseaudio pulseaudio-utils
KITHARA := target/release/kithara
RUST := $(shell sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' Cargo.toml)
RUSTUP := curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
# Most stories wait for a socket or a clock, not for a processor.
export RUST_TEST_THREADS ?= 8
# Right after Rust was installed no new shell is needed.
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help demo test torture check bench setup doctor build run install uninstall man completions fixtures fuzz clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: setup ## build, serve the fixtures on loopback, and play, cache, dump and measure them
	$(CARGO) build --release --locked
	rustc --edition 2024 -O examples/serve.rs -o target/release/serve  # std only: cargo would build everything anew for it
	@set -e; dir=$$(mktemp -d); export XDG_CACHE_HOME=$$dir/cache; \
	target/release/serve fixtures --port-file $$dir/port & server=$$!; \
	trap 'kill $$server 2>/dev/null || true; rm -rf $$dir' EXIT; \
	for _ in {1..100}; do [ -s $$dir/port ] && break; sleep 0.1; done; \
	url=http://127.0.0.1:$$(cat $$dir/port)/hls; \
	step() { echo; echo "\$$ kithara $$*"; $(KITHARA) "$$@"; }; \
	step info $$url/master.m3u8; \
	step cache $$url/master.m3u8; \
	step dump $$url/master.m3u8 -Q best -o $$dir/out.wav; ls -l $$dir/out.wav; \
	step play $$url/master.m3u8 --ao null --length 1; \
	step stats $$url/aac.m3u8 --length 2; \
	kill $$server; wait $$server 2>/dev/null || true; \
	step dump $$url/master.m3u8 -Q best --offline -o $$dir/offline.wav; \
	cmp $$dir/out.wav $$dir/offline.wav; echo "the origin is gone; the dump out of the cache is the same, byte for byte"

test: setup ## unit tests and stories: loopback only, no sound card needed
	$(CARGO) test --locked

torture: setup ## the long form of the cache's tests: killed, refused, damaged, without power, shared; about 25 minutes
	KITHARA_TORTURE=1 $(CARGO) test --locked --lib cache:: -- --nocapture
	KITHARA_TORTURE=1 $(CARGO) test --locked --test torture -- --nocapture

check: setup ## format, lints, documentation, levels, manual
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet
	$(CARGO) test --locked --test levels --quiet
	@if [ -e tests/manual.rs ]; then $(CARGO) test --locked --test manual --quiet; fi

bench: setup ## decode beside ffmpeg, playlists beside hls_m3u8, cache beside a bare file: medians and ratios; see benches/README.md
	$(CARGO) bench --locked --bench peers --bench playlist --bench cache --bench abr

setup: ## install what is missing on a Debian machine (first step of demo, test, check); safe to repeat
	@command -v $(CARGO) >/dev/null && printf '%s\n' $(RUST) "$$($(CARGO) --version | cut -d' ' -f2)" | sort -VC || { \
	  echo "Rust $(RUST) or later is missing. This line installs it (https://rustup.rs):"; echo "  $(RUSTUP)"; exit 1; }
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if command -v apt-get >/dev/null; then \
	  as=; [ "$$(id -u)" = 0 ] || as=sudo; \
	  echo "$$as apt-get install" $$missing; \
	  $$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	elif ! { command -v cc && command -v cmake && pkg-config --exists alsa; } >/dev/null 2>&1; then \
	  echo "no apt-get here: please install a C compiler, pkg-config, cmake and the headers of ALSA"; exit 1; \
	fi

doctor: ## what is present or missing, with versions and the line that fixes it
	@say() { printf '%-10s %s\n' "$$1" "$$2"; }; \
	look() { if command -v $$1 >/dev/null; then say $$1 "$$($$2 2>&1 | head -n 1)"; else say $$1 "missing: $$3"; fi; }; \
	look cargo "cargo --version" "$(RUSTUP)"; \
	look cc "cc --version" "make setup"; \
	look cmake "cmake --version" "make setup"; \
	look pkg-config "pkg-config --version" "make setup"; \
	if pkg-config --exists alsa 2>/dev/null; then say alsa "$$(pkg-config --modversion alsa)"; else say alsa "missing: make setup"; fi; \
	look ffmpeg "ffmpeg -version" "apt-get install ffmpeg (only for make fixtures)"; \
	look python3 "python3 --version" "apt-get install python3 (only for make fixtures)"; \
	look strace "strace -V" "make setup (the sweeps of tests/torture are skipped without it)"; \
	look tmux "tmux -V" "make setup (the stories of tests/stories/keys.rs are skipped without it)"; \
	look pulseaudio "pulseaudio --version" "make setup (the stories of tests/stories/sound.rs are skipped without it)"; \
	look parec "parec --version" "make setup (as above)"; \
	if ls /dev/snd/pcm*p >/dev/null 2>&1; then say sound "$$(ls /dev/snd/pcm*p | wc -l) playback devices"; else say sound "no card: play --ao null and dump work"; fi

build: ## the release binary, target/release/kithara
	$(CARGO) build --release --locked

run: build ## run it: make run ARGS='play URL'
	$(KITHARA) $(ARGS)

install: build ## binary, man page and completions under PREFIX (/usr/local), below DESTDIR
	install -Dm755 $(KITHARA) "$(DESTDIR)$(PREFIX)/bin/kithara"
	@set -e; share="$(DESTDIR)$(PREFIX)/share"; \
	put() { install -d "$$(dirname "$$share/$$1")"; $(KITHARA) $$2 > "$$share/$$1"; chmod 644 "$$share/$$1"; echo "$$share/$$1"; }; \
	put man/man1/kithara.1 man; \
	put bash-completion/completions/kithara "completions bash"; \
	put zsh/site-functions/_kithara "completions zsh"; \
	put fish/vendor_completions.d/kithara.fish "completions fish"

uninstall: ## remove what install wrote
	rm -f "$(DESTDIR)$(PREFIX)"/bin/kithara "$(DESTDIR)$(PREFIX)"/share/{man/man1/kithara.1,bash-completion/completions/kithara,zsh/site-functions/_kithara,fish/vendor_completions.d/kithara.fish}

man: build ## write man/kithara.1 from the flag definitions
	@mkdir -p man && $(KITHARA) man > man/kithara.1 && echo man/kithara.1

completions: build ## write completions for bash, zsh and fish to target/completions/
	@mkdir -p target/completions && for s in bash zsh fish; do $(KITHARA) completions $$s > target/completions/kithara.$$s && echo target/completions/kithara.$$s; done

fixtures: ## check the fixtures, make them anew and compare (needs ffmpeg and python3)
	fixtures/make.sh check

fuzz: ## throw bytes at the parsers, FUZZ_SECONDS (600) for each; installs nightly and cargo-fuzz if missing
	fuzz/run.sh

clean: ## remove target/ and say how much it was
	@[ ! -e target ] || du -sh target; $(CARGO) clean --quiet
