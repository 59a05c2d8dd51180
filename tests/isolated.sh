#!/usr/bin/env bash
# Builds every package (sdist, and the wheel from that sdist) and tests each one in an environment
# that holds its wheel, what it declares, and the test tools. Core's has no torch.
set -euo pipefail
python="${PYTHON:-python3}"
work=.isolated
rm -rf "$work"
mkdir -p "$work/dist"
tools=(pytest hypothesis)

for package in "$@"; do
  "$python" -m build --outdir "$work/dist" "packages/$package" > "$work/build-$package.log" 2>&1 \
    || { cat "$work/build-$package.log"; exit 1; }
done

# environment PACKAGE: an environment with a package's wheel and what it declares
environment() {
  "$python" -m venv "$work/$1"
  install "$1" "$1==0.1.0" "${tools[@]}"
}

install() {
  "$work/$1/bin/python" -m pip --quiet --disable-pip-version-check install \
    --constraint constraints.txt --find-links "$work/dist" "${@:2}"
}

run_tests() {
  "$work/$1/bin/python" -m pytest --quiet -p no:cacheprovider "${@:2}"
}

refuse_torch() {
  if "$work/$1/bin/python" -c 'import torch' 2> /dev/null; then
    echo "torch must not be in the environment of $1" >&2
    exit 1
  fi
}

has_key() {
  listing=$("$work/$1/bin/ot" list-components --json)
  grep -q "\"$2\"" <<< "$listing"
}

builder_tests=packages/model-constructor/tests/torch_builder

for package in "$@"; do
  echo "== $package"
  environment "$package"
  case "$package" in
    model-constructor)
      refuse_torch "$package"
      run_tests "$package" "packages/$package/tests" --ignore "$builder_tests"
      ;;
    offline-trainer-core)
      refuse_torch "$package"
      run_tests "$package" "packages/$package/tests"
      echo "== a plugin's keys come and go with its package"
      if has_key "$package" data.constant_regression; then exit 1; fi
      install "$package" example-plugin==0.1.0
      has_key "$package" data.constant_regression
      "$work/$package/bin/python" -m pip --quiet uninstall --yes example-plugin
      if has_key "$package" data.constant_regression; then exit 1; fi
      ;;
    example-plugin)
      refuse_torch "$package"
      run_tests "$package" "packages/$package/tests"
      ;;
    offline-trainer-torch)
      run_tests "$package" "packages/$package/tests" "$builder_tests"
      ;;
  esac
done
