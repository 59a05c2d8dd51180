#!/usr/bin/env bash
# Builds every package (sdist, and the wheel from that sdist) and tests each one in an environment
# that holds its wheel, what it declares, and the test tools. Core's has no torch.
set -euo pipefail
python="${PYTHON:-python3}"
work=.isolated
rm -rf "$work"
mkdir -p "$work/dist"
tools=(pytest hypothesis jsonschema safetensors)

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

# new_plugin PACKAGE: `ot new-plugin`, installed, tested, used and removed where there is no torch,
# outside of this repository and its settings
new_plugin() {
  local bin="$PWD/$work/$1/bin" folder key=data.my_losses_constant_regression
  folder="$(mktemp -d)"
  "$bin/ot" new-plugin my_losses --path "$folder" > /dev/null
  install "$1" --editable "$folder/my-losses[test]"
  (cd "$folder" && "$bin/python" -m pytest --quiet -W error ./my-losses)
  (cd "$folder" && "$bin/ot" run ./my-losses/experiment.yaml > /dev/null)
  test -f "$folder/runs/my-losses/metrics.jsonl"
  has_key "$1" "$key"
  "$bin/python" -m pip --quiet uninstall --yes my-losses
  if has_key "$1" "$key"; then exit 1; fi
  rm -rf "$folder"
}

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
      echo "== a new plugin, without torch"
      new_plugin "$package"
      ;;
    example-plugin)
      refuse_torch "$package"
      run_tests "$package" "packages/$package/tests"
      ;;
    offline-trainer-torch)
      run_tests "$package" "packages/$package/tests" "$builder_tests"
      echo "== the tutorial, as a reader follows it"
      PIP_CONSTRAINT="$PWD/constraints.txt" PIP_FIND_LINKS="$PWD/$work/dist ${PIP_FIND_LINKS:-}" \
        run_tests "$package" tests/test_tutorial.py --with-pip
      ;;
  esac
done
