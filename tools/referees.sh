#!/usr/bin/env bash
# Brings the programs of others that the tests are judged by and measured beside: Go programs from the module proxy, and a Python with gRPC.
# They go into a cache outside the repository, each at the version named here; what is there already is left as it is. Prints what it did.
set -euo pipefail

cache=${MICRO_REFEREES:-${XDG_CACHE_HOME:-$HOME/.cache}/micro-referees}

# What is built: a name, then program=package@version, more of them after a comma, then the versions of modules that those leave open.
grpc_go=google.golang.org/grpc/interop
builds=(
  "h2spec h2spec=github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible github.com/spf13/cobra@v1.10.2 github.com/fatih/color@v1.19.0 golang.org/x/net@v0.62.0"
  "grpc-go grpc-go-client=$grpc_go/client@v1.85.0,grpc-go-server=$grpc_go/server@v1.85.0"
  "conformance connectconformance=connectrpc.com/conformance/cmd/connectconformance@v1.0.7"
  "grpcurl grpcurl=github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4"
  "buf buf=github.com/bufbuild/buf/cmd/buf@v1.75.0"
  "micro-v3 micro-v3=github.com/micro/micro/v3@v3.13.0"
  "nats nats-server=github.com/nats-io/nats-server/v2@v2.15.3"
)
python_packages=(grpcio==1.85.3 protobuf==7.36.2)

# With names, only these are built.
main() {
  if (($# > 0)); then
    local wanted=" $* " chosen=() each
    for each in "${builds[@]}"; do [[ $wanted != *" ${each%% *} "* ]] || chosen+=("$each"); done
    builds=("${chosen[@]}")
  fi
  mkdir -p "$cache/bin" "$cache/modules" "$cache/done"
  exec 9>"$cache/lock"
  flock 9
  local -A getting=()
  local build
  for build in "${builds[@]}"; do
    if ! is_done "$build"; then
      get "$build" &
      getting["$build"]=$!
    fi
  done
  local python_pid=
  if ! is_done "python ${python_packages[*]}"; then
    install_python &
    python_pid=$!
  fi
  local failed=()
  # One build after another: each fills the processors, and what one has compiled the next one takes from the build cache.
  for build in "${builds[@]}"; do
    [[ -v getting["$build"] ]] || continue
    { wait "${getting["$build"]}" && build "$build"; } || failed+=("${build%% *}")
  done
  [[ -z $python_pid ]] || wait "$python_pid" || failed+=(python)
  if ((${#failed[@]} > 0)); then
    echo "referees: could not install ${failed[*]}; the messages above say why. Run tools/referees.sh again when that is mended." >&2
    exit 1
  fi
  echo "referees: all in $cache"
}

is_done() { [[ -f $cache/done/${1%% *} && $(<"$cache/done/${1%% *}") == "$1" ]]; }

mark_done() { echo "$1" >"$cache/done/${1%% *}"; }

# Writes a module that requires what is to be built, and downloads it.
get() {
  local name programs versions program
  read -r name programs versions <<<"$1"
  command -v go >/dev/null || { echo "referees: $name needs Go: install it from your system's packages" >&2; return 1; }
  rm -rf "$cache/modules/$name" && mkdir "$cache/modules/$name" && cd "$cache/modules/$name" || return 1
  go mod init "referees/$name" 2>/dev/null || return 1
  for program in ${programs//,/ }; do versions+=" ${program#*=}"; done
  # shellcheck disable=SC2086
  retried timeout 300 go get $versions
}

build() {
  local name programs program package
  read -r name programs _ <<<"$1"
  cd "$cache/modules/$name" || return 1
  [[ $name != grpc-go ]] || on_loopback || return 1
  for program in ${programs//,/ }; do
    package=${program#*=}
    package=${package%@*}
    program=$cache/bin/${program%%=*}
    CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$program.new" "$package" || return 1
    mv "$program.new" "$program"
  done
  mark_done "$1"
  echo "referees: built $name"
}

# grpc-go's server listens on every address of the machine: what is built here is a copy that listens on the loopback one alone.
on_loopback() {
  local source
  source=$(go list -m -f '{{.Dir}}' google.golang.org/grpc) || return 1
  cp -r "$source" grpc && chmod -R u+w grpc || return 1
  sed -i 's/net.Listen("tcp", ":"+p)/net.Listen("tcp", "127.0.0.1:"+p)/' grpc/interop/server/server.go
  grep -q '"127.0.0.1:"+p' grpc/interop/server/server.go || { echo "referees: look how $source/interop/server listens" >&2; return 1; }
  go mod edit -replace=google.golang.org/grpc=./grpc
}

install_python() {
  rm -rf "$cache/python"
  python3 -m venv "$cache/python" || { echo "referees: python3 has no venv: install python3-venv" >&2; return 1; }
  retried timeout 300 "$cache/python/bin/pip" install -q --disable-pip-version-check "${python_packages[@]}" || return 1
  mark_done "python ${python_packages[*]}"
  echo "referees: installed ${python_packages[*]}"
}

# Runs a command that downloads: up to three times, and quietly until the last. Each has its time limit, as a download may also stand still.
retried() {
  local try output
  for try in 1 2 3; do
    output=$("$@" 2>&1) && return 0
    sleep "$try"
  done
  echo "$*: $output" >&2
  return 1
}

main "$@"
