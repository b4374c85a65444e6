"""Credentials stay where they were given; what is no secret may travel."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from xdicom.errors import SourceError
from xdicom.sources import locate, public_options, read_heads, read_range, set_storage_options, using_options
from xdicom.sources.options import Options, options_for, without_secrets
from xdicom.sources.translations import _az, _gs, _http, _s3, settings_for

SECRET = "xyzzy-plugh-9"
S3 = {"key": "AKIDEXAMPLE", "secret": SECRET, "anon": False, "client_kwargs": {"endpoint_url": "http://h:9", "aws_session_token": SECRET}}


def test_options_hold_below_their_prefix_only() -> None:
    set_storage_options("s3://bucket", S3)

    assert options_for("s3://bucket") == S3
    assert options_for("s3://bucket/a/b.dcm") == S3
    assert options_for("s3://bucket-2/a.dcm") == {}
    assert options_for("gs://bucket/a.dcm") == {}


def test_longer_prefixes_and_later_options_win() -> None:
    set_storage_options("s3://", {"anon": True, "region": "eu"})
    set_storage_options("s3://bucket", {"anon": True})
    set_storage_options("s3://bucket", {"anon": False})

    assert options_for("s3://bucket/a.dcm") == {"anon": False, "region": "eu"}
    assert options_for("s3://other/a.dcm") == {"anon": True, "region": "eu"}


def test_public_options_hold_no_secret() -> None:
    set_storage_options("s3://bucket", S3)

    public = public_options(["s3://bucket/a.dcm", "span@1+2::s3://bucket/b.tar", "/local.dcm"])

    assert public == (("s3://bucket", (("anon", False), ("client_kwargs.endpoint_url", "http://h:9"))),)
    assert hash(public) == hash(pickle.loads(pickle.dumps(public)))


@pytest.mark.parametrize(
    "options",
    [
        {"endpoint_url": f"http://me:{SECRET}@host"},
        {"endpoint_url": f"http://host?sig={SECRET}"},
        {"headers": {"Authorization": SECRET}},
        {"token": SECRET},
        {"anything": SECRET},
        {"client_kwargs": {"headers": {"region": SECRET}}},
    ],
)
def test_what_may_be_a_secret_does_not_travel(options: dict[str, object]) -> None:
    set_storage_options("s3://bucket", options)

    assert public_options("s3://bucket/a.dcm") == ()


def test_anonymous_access_to_google_travels_although_it_is_called_a_token() -> None:
    set_storage_options("gs://bucket", {"token": "anon"})

    assert public_options("gs://bucket/a.dcm") == (("gs://bucket", (("token", "anon"),)),)


def test_local_files_have_no_options() -> None:
    assert public_options(["/a.dcm", "span@1+2::/a.tar"]) == ()


def test_travelled_options_hold_inside_a_task() -> None:
    travelled = (("s3://bucket", (("anon", True), ("client_kwargs.endpoint_url", "http://h:9"))),)

    with using_options(travelled):
        inside = options_for("s3://bucket/a.dcm")

    assert inside == {"anon": True, "client_kwargs": {"endpoint_url": "http://h:9"}}
    assert options_for("s3://bucket/a.dcm") == {}


def test_travelled_options_join_the_secrets_that_a_worker_was_given() -> None:
    set_storage_options("s3://bucket", {"key": "a", "secret": SECRET})

    with using_options((("s3://bucket", (("client_kwargs.endpoint_url", "http://h:9"),)),)):
        assert options_for("s3://bucket/a.dcm") == {"key": "a", "secret": SECRET, "client_kwargs": {"endpoint_url": "http://h:9"}}


def test_two_places_with_one_name_are_told_apart_by_what_travelled() -> None:
    first = {"endpoint_url": "http://one", "secret": "1111"}
    set_storage_options("s3://bucket", first)
    travelled = public_options("s3://bucket/a.dcm")
    set_storage_options("s3://bucket", {"endpoint_url": "http://two", "secret": "2222"})

    with using_options(travelled):
        assert options_for("s3://bucket/a.dcm") == first
    assert options_for("s3://bucket/a.dcm")["secret"] == "2222"


def test_travelled_options_hold_in_one_thread_only() -> None:
    seen: list[Options] = []
    with using_options((("s3://bucket", (("anon", True),)),)):
        thread = threading.Thread(target=lambda: seen.append(options_for("s3://bucket/a.dcm")))
        thread.start()
        thread.join()

    assert seen == [{}]


def test_travelled_options_reach_the_threads_that_read(web: Any) -> None:
    urls = [web.put(f"{i}.dcm", b"0123") for i in range(5)]

    with using_options(((web.url, (("region", "nowhere"),)),)), pytest.raises(SourceError, match="region"):
        list(read_heads(locate(urls)))


def test_options_of_a_chain_hold_for_the_chain() -> None:
    set_storage_options("simplecache::s3://bucket", {"s3": {"anon": True, "secret": SECRET}})

    assert public_options("simplecache::s3://bucket/a.dcm") == (("simplecache::s3://bucket", (("s3.anon", True),)),)


def test_options_never_show_and_never_pickle() -> None:
    options = Options(S3)

    assert SECRET not in repr(options)
    assert SECRET not in str(options)
    assert SECRET not in f"{options}"
    with pytest.raises(TypeError, match="credentials"):
        pickle.dumps(options)


def test_messages_hold_no_secret() -> None:
    text = Options(S3).redact(f"GET https://me:pass@host/a?X-Amz-Signature={SECRET}&b=1 failed: {SECRET} of AKIDEXAMPLE at http://h:9")

    assert text == "GET https://***@host/a?*** failed: *** of *** at http://h:9"


@pytest.mark.parametrize(
    ("url", "clean", "options"),
    [
        ("https://host/a.dcm?frame=1", "https://host/a.dcm?frame=1", {}),
        ("https://host/a.dcm?sv=1&sig=abc", "https://host/a.dcm", {"query": "sv=1&sig=abc"}),
        ("https://host/a.dcm?X-Goog-Signature=abc", "https://host/a.dcm", {"query": "X-Goog-Signature=abc"}),
        ("https://me:p%40ss@host/a.dcm", "https://host/a.dcm", {"headers": {"Authorization": "Basic bWU6cEBzcw=="}}),
        ("s3://key:secret@bucket/a.dcm", "s3://bucket/a.dcm", {"key": "key", "secret": "secret"}),
        ("ftp://me:pass@host/a.dcm", "ftp://host/a.dcm", {"username": "me", "password": "pass"}),
        ("abfs://container@account.dfs.core.windows.net/a", "abfs://container@account.dfs.core.windows.net/a", {}),
        ("sftp://me@host/a.dcm", "sftp://me@host/a.dcm", {}),
    ],
)
def test_secrets_are_taken_out_of_a_url(url: str, clean: str, options: dict[str, object]) -> None:
    assert without_secrets(url) == (clean, options)


def test_nothing_that_travels_holds_a_secret(web: Any) -> None:
    web.put("a.dcm", b"0123456789")
    place = web.url.removeprefix("http://")

    found = locate(f"http://me:{SECRET}@{place}/a.dcm", {"headers": {"X-Key": SECRET}})
    data = read_range(found[0].url, 0, 4)
    with pytest.raises(SourceError) as caught:
        read_range(f"{web.url}/gone.dcm", 0, 4)

    assert data == b"0123"
    assert web.headers[-1].get("X-Key", web.headers[-1].get("x-key")) is not None
    for value in (found, public_options(found[0].url), caught.value):
        assert SECRET.encode() not in pickle.dumps(value)
        assert SECRET not in repr(value)


def test_signed_queries_are_sent_but_not_shown(web: Any) -> None:
    web.put("a.dcm", b"0123456789")

    (found,) = locate(f"{web.url}/a.dcm?X-Amz-Signature={SECRET}")

    assert found.url == f"{web.url}/a.dcm"
    assert read_range(found.url, 2, 3) == b"234"
    assert all(SECRET in headers[":path"] for headers in web.headers)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"anon": True}, {"skip_signature": True}),
        ({"key": "a", "secret": "b", "token": "c"}, {"access_key_id": "a", "secret_access_key": "b", "session_token": "c"}),
        (
            {"anon": True, "client_kwargs": {"endpoint_url": "https://h", "region_name": "eu"}},
            {"skip_signature": True, "endpoint": "https://h", "region": "eu"},
        ),
        ({"anon": True, "requester_pays": True}, {"skip_signature": True, "request_payer": True}),
    ],
)
def test_options_of_s3fs_translate(options: dict[str, object], expected: dict[str, object]) -> None:
    settings = _s3("bucket", options)

    assert settings is not None
    assert settings.pop("client_options")["read_timeout"]
    assert settings == {"kind": "s3", "bucket": "bucket", **expected}


def test_an_endpoint_without_encryption_is_allowed_when_it_is_named() -> None:
    settings = _s3("bucket", {"anon": True, "endpoint_url": "http://h:9"})

    assert settings is not None
    assert settings["client_options"]["allow_http"] is True


def test_options_of_how_s3fs_buffers_are_left_out_and_those_of_its_client_translate() -> None:
    buffers = {"default_fill_cache": False, "use_listings_cache": False, "key": None}
    client = {"client_kwargs": {"verify": False}, "config_kwargs": {"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}}}

    settings = settings_for("s3://bucket/a", {"anon": True, **buffers, **client})

    assert settings is not None
    assert settings.pop("client_options")["allow_invalid_certificates"] is True
    assert settings == {"kind": "s3", "bucket": "bucket", "skip_signature": True, "virtual_hosted_style_request": True}


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "work"},
        {"anon": True, "session": object()},
        {"anon": True, "config_kwargs": {"proxies": {}}},
        {"anon": True, "config_kwargs": {"s3": {"payload_signing_enabled": True}}},
        {"anon": True, "client_kwargs": {"verify": "/etc/ca.pem"}},
    ],
)
def test_options_of_s3fs_that_do_not_translate_are_left_to_it(options: dict[str, object]) -> None:
    assert _s3("bucket", options) is None


def test_credentials_in_the_files_of_botocore_are_left_to_s3fs(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    assert _s3("bucket", {}) is None

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    assert _s3("bucket", {}) is not None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"token": "anon"}, {"skip_signature": True}),
        ({"project": "p"}, {}),
        ({"token": "/keys/a.json"}, {"application_credentials": "/keys/a.json"}),
        ({"token": "google_default"}, {}),
        ({"token": "anon", "endpoint_url": "http://h:9/"}, {"skip_signature": True, "base_url": "http://h:9"}),
        ({"token": {"type": "service_account", "x": 1}}, {"service_account_key": '{"type": "service_account", "x": 1}'}),
        ({"token": {"type": "authorized_user"}}, None),
        ({"token": "browser"}, None),
        ({"consistency": "md5"}, None),
    ],
)
def test_options_of_gcsfs_translate(options: dict[str, object], expected: dict[str, object] | None) -> None:
    settings = _gs("bucket", options)

    assert (settings and {name: value for name, value in settings.items() if name not in ("kind", "bucket", "client_options")}) == expected


@pytest.mark.parametrize(
    ("place", "options", "expected"),
    [
        ("box@acc.dfs.core.windows.net", {}, {"container_name": "box", "account_name": "acc"}),
        ("box", {"account_name": "acc", "account_key": "k"}, {"container_name": "box", "account_name": "acc", "account_key": "k"}),
        ("box", {"account_name": "acc", "anon": True}, {"container_name": "box", "account_name": "acc", "skip_signature": True}),
        (
            "box",
            {"connection_string": "AccountName=acc;AccountKey=k==;EndpointSuffix=core.chinacloudapi.cn"},
            {"container_name": "box", "account_name": "acc", "account_key": "k==", "endpoint": "https://acc.blob.core.chinacloudapi.cn"},
        ),
        (
            "box",
            {"connection_string": "BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x"},
            {
                "container_name": "box",
                "account_name": "acc",
                "sas_key": "sv=1&sig=x",
                "endpoint": "https://acc.blob.core.windows.net/",
            },
        ),
        (
            "box",
            {"account_name": "acc", "account_host": "acc.blob.example"},
            {"container_name": "box", "account_name": "acc", "endpoint": "https://acc.blob.example"},
        ),
        ("box", {"connection_string": "x"}, None),
        ("box", {"account_name": "acc", "credential": object()}, None),
        ("box", {}, None),
    ],
)
def test_options_of_adlfs_translate(
    monkeypatch: pytest.MonkeyPatch, place: str, options: dict[str, object], expected: dict[str, object] | None
) -> None:
    for name in ("ACCOUNT_NAME", "CONNECTION_STRING"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    settings = _az(place, options)

    assert (settings and {name: value for name, value in settings.items() if name not in ("kind", "client_options")}) == expected


def test_a_connection_string_may_lie_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acc;AccountKey=k")

    settings = settings_for("az://box/a.dcm", {})

    assert settings is not None
    assert (settings["account_name"], settings["account_key"]) == ("acc", "k")


def test_only_headers_translate_for_web_servers() -> None:
    settings = _http("h", {"headers": {"a": "b"}}, "https")

    assert settings is not None
    assert settings["client_options"]["default_headers"] == {"a": "b"}
    assert "allow_http" not in settings["client_options"]
    assert _http("h", {"client_kwargs": {"auth": object()}}, "https") is None


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://bucket/a", {"anon": True, "region": "eu"}),
        ("gs://bucket/a", {"token": "anon"}),
        ("gcs://bucket/a", {"token": "anon"}),
        ("az://box/a", {"account_name": "acc", "anon": True}),
        ("https://host/a", {}),
    ],
)
def test_obstore_takes_what_the_translation_gives(url: str, options: dict[str, object]) -> None:
    pytest.importorskip("obstore")
    from xdicom.sources.objectstores import ObjectStore, connect

    assert isinstance(connect(url, Options(options)), ObjectStore)
