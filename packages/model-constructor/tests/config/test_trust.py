"""What a configuration may do, by what the file asks for and what its caller allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_constructor import Registry, render
from model_constructor.binding import Binder, prefix_allowed
from model_constructor.config.resolve import resolve_config
from model_constructor.errors import ConfigError

TARGET = "objects: {_target_: 'collections:OrderedDict'}"
WAY_OUT = "run it without --untrusted"


def bound(config: Any, *, allowed: bool) -> Any:
    """What `_target_` under `params` comes to, or the error."""
    binder = Binder(Registry(), config.source_map, config.settings, allowed)
    binder.bind(config.data["params"], ("params",))
    return binder.errors


# --- `_target_`: the file's permission, the caller's, the prefixes -------------------------------

COLLECTIONS = "[collections]"
OUTSIDE = "outside settings.allowed_import_prefixes"


@pytest.mark.parametrize(
    ("in_file", "by_caller", "untrusted", "prefixes", "reason"),
    [
        (None, False, False, COLLECTIONS, "needs `settings.allow_target: true`"),
        (None, True, False, COLLECTIONS, "needs `settings.allow_target: true`"),
        ("false", False, False, COLLECTIONS, "the caller's permission (--allow-target)"),
        ("false", True, False, COLLECTIONS, "needs `settings.allow_target: true`"),
        ("true", False, False, COLLECTIONS, "the caller's permission (--allow-target)"),
        ("true", True, False, COLLECTIONS, None),
        ("true", True, False, "['collections.']", None),
        ("true", True, False, "[collect]", OUTSIDE),
        ("true", True, False, "[collections.abc]", OUTSIDE),
        ("true", True, False, "[collections_]", OUTSIDE),
        ("true", True, False, "[]", OUTSIDE),
        ("true", True, True, COLLECTIONS, WAY_OUT),
        ("true", False, True, COLLECTIONS, WAY_OUT),
        ("false", True, True, COLLECTIONS, WAY_OUT),
    ],
)
def test_a_target_needs_the_file_the_caller_and_a_prefix(
    resolve: Any,
    in_file: str | None,
    by_caller: bool,
    untrusted: bool,
    prefixes: str,
    reason: str | None,
) -> None:
    asked = f"allow_target: {in_file}, " if in_file else ""
    text = f"settings: {{{asked}allowed_import_prefixes: {prefixes}}}\nparams: {{{TARGET}}}\n"
    errors = bound(resolve(text, untrusted=untrusted), allowed=by_caller)
    if reason is None:
        assert errors == []
        return
    (error,) = errors
    shown = render(error)
    assert reason in shown
    assert ("add `collections` to it" in shown) is (reason == OUTSIDE)
    assert "main.yaml:3:" in shown
    assert error.config_path == ("params", "objects", "_target_")


@pytest.mark.parametrize(
    ("module", "prefix", "allowed"),
    [
        ("torch", "torch.", True),
        ("torch", "torch", True),
        ("torch.nn", "torch.", True),
        ("torch.nn", "torch", True),
        ("torch_evil", "torch.", False),
        ("torch_evil", "torch", False),
        ("torchevil.nn", "torch", False),
        ("tor", "torch", False),
        ("torch", "torch.nn", False),
        ("torch.nnx", "torch.nn.", False),
        ("evil.torch.nn", "torch.", False),
        ("os", "", False),
    ],
)
def test_a_prefix_ends_at_a_dot(module: str, prefix: str, allowed: bool) -> None:
    assert prefix_allowed(module, [prefix]) is allowed


# --- what an untrusted file may not do, whatever it says -----------------------------------------


def test_settings_of_an_untrusted_file_allow_nothing(resolve: Any) -> None:
    text = "settings: {allow_imports: true, allow_target: true}\nimports: [os]\n"
    settings = resolve(text, untrusted=True).settings
    assert (settings.allow_imports, settings.allow_target) == (False, False)
    assert settings.untrusted


@pytest.mark.parametrize("setting", ["untrusted: false", "untrusted: true"])
def test_a_file_cannot_say_that_it_is_trusted(resolve: Any, setting: str) -> None:
    with pytest.raises(ConfigError, match="unknown setting `untrusted`"):
        resolve(f"settings: {{{setting}}}", untrusted=True)


@pytest.mark.parametrize(
    "expression",
    [
        "${env:HOME}",
        "${env:HOME,default}",
        "${env:int:HOME,1}",
        "before ${env:HOME} after",
        "${params.absent,${env:HOME}}",
        "${env:NOT_SET,x}",
    ],
)
def test_an_untrusted_file_reads_no_environment(resolve: Any, expression: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(f'params: {{a: "{expression}"}}', environ={"HOME": "/home/ada"}, untrusted=True)
    assert caught.value.code == "OT0245"
    shown = render(caught.value)
    assert "/home/ada" not in shown
    assert "main.yaml:2:" in shown
    assert WAY_OUT in shown


def test_nor_does_an_override_of_it(resolve: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params: {a: 1}", "params.a=${env:HOME}", environ={"HOME": "/"}, untrusted=True)
    assert (caught.value.code, caught.value.location) == ("OT0245", "<cli:1>:1:10")


@pytest.mark.parametrize(
    "target",
    [
        "../outside.yaml",
        "sub/../../outside.yaml",
        "link.yaml",
        "linked/outside.yaml",
        "ABSOLUTE",
        "pkg://plugin/outside.yaml",
        "optional: ../outside.yaml",
        "optional: link.yaml",
    ],
)
def test_an_untrusted_file_includes_nothing_from_elsewhere(folder: Path, target: str) -> None:
    home = folder / "home"
    (home / "sub").mkdir(parents=True)
    outside = folder / "outside.yaml"
    outside.write_text("params: {x: 1}", encoding="utf-8")
    (home / "link.yaml").symlink_to(outside)
    (home / "linked").symlink_to(folder, target_is_directory=True)
    main = home / "main.yaml"
    entry = target.replace("ABSOLUTE", str(outside))
    main.write_text(f"schema_version: 1\ndefaults:\n  - {entry}\n", encoding="utf-8")
    assert resolve_config(main, package_file=lambda *_: outside).data["params"] == {"x": 1}
    with pytest.raises(ConfigError) as caught:
        resolve_config(main, untrusted=True, package_file=lambda *_: outside)
    assert caught.value.code == "OT0203"
    shown = render(caught.value)
    assert "outside the configuration's folder" in shown
    assert "home/main.yaml:3:" in shown
    assert WAY_OUT in shown


@pytest.mark.parametrize("target", ["beside.yaml", "sub/below.yaml", "sub/../beside.yaml"])
def test_an_untrusted_file_includes_what_lies_beside_or_below_it(resolve: Any, target: str) -> None:
    files = {"beside.yaml": "params: {x: 1}", "sub/below.yaml": "params: {x: 1}"}
    config = resolve(f"defaults: [{target}]", files=files, untrusted=True)
    assert config.data["params"] == {"x": 1}


# --- secrets -------------------------------------------------------------------------------------

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize("name", ["API_KEY", "token", "MY_SECRETS", "DB_PASSWORD", "monkey"])
@pytest.mark.parametrize("expression", ["${env:NAME}", "x ${env:NAME}", "${params.b}", "${.b}"])
def test_what_is_made_of_a_secret_is_one(resolve: Any, name: str, expression: str) -> None:
    text = f'params: {{a: "{expression}", b: "${{env:NAME}}"}}'.replace("NAME", name)
    config = resolve(text, environ={name: SECRET})
    assert config.secrets == {("params", "a"), ("params", "b")}
    assert config.secret_texts == {SECRET}


@pytest.mark.parametrize("name", ["USER", "DATA_DIR", "PASS", "KE_Y"])
def test_other_variables_are_none(resolve: Any, name: str) -> None:
    config = resolve(f'params: {{a: "${{env:{name}}}"}}', environ={name: SECRET})
    assert (config.secrets, config.secret_texts) == (frozenset(), frozenset())


def test_every_text_in_a_secret_of_several_is_one(resolve: Any) -> None:
    config = resolve("params: {a: '${env:json:KEYS}'}", environ={"KEYS": '["abcd", [17]]'})
    assert config.secrets == {("params", "a", 0), ("params", "a", 1, 0)}
    assert config.secret_texts == {"abcd", "17"}


@pytest.mark.parametrize("value", ['{"hunter2-hunter2": 1}', '[[{"hunter2-hunter2": 1}]]'])
def test_a_secret_that_is_a_mapping_is_refused_as_its_keys_are_shown(
    resolve: Any, value: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("params: {a: '${env:json:API_KEY}'}", environ={"API_KEY": value})
    assert caught.value.code == "OT0244"
    shown = render(caught.value)
    assert "its keys would be shown" in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    "text",
    [
        "settings: {strict: '${env:API_KEY}'}",
        "settings: {allowed_import_prefixes: ['${env:API_KEY}']}",
        "settings: {allowed_import_prefixes: '${env:API_KEY}'}",
        "settings: '${env:API_KEY}'",
        "params: {a: '${env:int:API_KEY}'}",
        "params: {a: '${env:json:API_KEY}'}",
        "params: {a: '${env:API_KEY}', b: '${params.a.deep}'}",
    ],
)
def test_no_error_of_the_resolver_tells_a_secret(resolve: Any, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(text, environ={"API_KEY": SECRET})
    assert SECRET not in render(caught.value) + str(caught.value) + repr(caught.value)
