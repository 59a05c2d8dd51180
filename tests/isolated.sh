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

for package in "$@"; do
  echo "== $package"
  "$python" -m venv "$work/$package"
  inside="$work/$package/bin/python"
  "$inside" -m pip --quiet --disable-pip-version-check install --constraint constraints.txt \
    --find-links "$work/dist" "$package==0.1.0" "${tools[@]}"
  if [ "$package" != offline-trainer-torch ]; then
    if "$inside" -c 'import torch' 2> /dev/null; then
      echo "torch must not be in the environment of $package" >&2
      exit 1
    fi
  fi
  "$inside" -m pytest --quiet -p no:cacheprovider "packages/$package/tests"
done
