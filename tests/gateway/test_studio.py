"""People use the studio under a session that no other site or person can begin, forge or misuse."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import api_gateway
import prodgen
import workers
from api_gateway import sessions, studio
from api_gateway.studio import order_files
from api_gateway.studio.create import looks_of
from api_gateway.studio.language import CATALOGUES, SENTENCES, translate
from prodgen.jobs.ending import settle_job
from prodgen.jobs.record import load_record
from prodgen.registry.publish import publish
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.order import Expansion, Item, JobSpec
from tests.gateway.running import Client, Gateway
from tests.sample_models import evaluation, write_model

SOURCES = Path(studio.__file__).parent


@pytest.fixture
def browser(gateway: Gateway, client: Client) -> Iterator[httpx.Client]:
    """Return a browser of the client's tenant that has signed in."""
    with httpx.Client(base_url=gateway.settings.public_url, timeout=20) as browser:
        answer = sign_in(browser, client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/orders?show=done")
        yield browser


def sign_in(browser: httpx.Client, client: Client, following: str = "/orders?show=done") -> httpx.Response:
    key = client.key
    return browser.post("/sign-in", data={"key": key, "next": following})


def test_the_page_create_shows_what_an_order_makes_of_the_same_skus() -> None:
    looks = looks_of("a1b2c3")
    spec = JobSpec.model_validate({"model": "toy", "seed_from": "sku"})
    images = Expansion(spec, [Item(sku=sku) for sku, _ in looks], AttributeSchema(attributes=()))
    found = [(images[k].sku, images[k].seed, images[k].draw) for k in range(images.total)]
    assert found == [(*look, 0) for look in looks]


def token_of(browser: httpx.Client) -> str:
    found = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/orders").text)
    assert found
    return found[1]


def test_a_page_leads_to_the_sign_in_and_back(gateway: Gateway, anyone: httpx.Client) -> None:
    assert anyone.get(f"{gateway.settings.public_url}/").headers["location"] == "/sign-in?next=%2F"
    answer = anyone.get(f"{gateway.settings.public_url}/orders?show=done")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Forders%3Fshow%3Ddone"


def test_the_session_is_kept_from_scripts_and_other_sites(browser: httpx.Client, client: Client) -> None:
    header = sign_in(browser, client).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax"} <= set(header.split("; "))
    page = browser.get("/orders")
    policy = page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="(/studio/[^"]+)"', page.text)
    assert len(files) == 3
    for file in files:
        answer = browser.get(file)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    assert not re.search(r"<script(?![^>]*(src=|application/json))|style=|\son\w+=", page.text)


def test_a_change_needs_the_token_of_the_session(browser: httpx.Client) -> None:
    spec = {"model": "shoes"}
    assert browser.post("/v1/jobs", json=spec).status_code == 403
    assert browser.post("/v1/jobs", json=spec, headers={"X-CSRF-Token": "0" * 27}).status_code == 403
    assert browser.post("/v1/jobs", json=spec, headers={"X-CSRF-Token": token_of(browser)}).status_code == 202


def test_a_forged_or_old_cookie_is_no_session(
    browser: httpx.Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = browser.cookies[sessions.COOKIE].partition(".")[0]
    for forged in (f"{digest}.aaaaaa.{'b' * 27}", sessions.start("the secret of another", digest), "…"):
        headers = {"Cookie": f"{sessions.COOKIE}={forged}".encode()}
        assert (
            httpx.get(f"{gateway.settings.public_url}/v1/jobs", headers=headers, timeout=60).status_code
            == 401
        )
    monkeypatch.setattr(sessions, "SECONDS", -1)
    assert browser.get("/v1/jobs").status_code == 401


def test_signing_out_ends_the_session(browser: httpx.Client) -> None:
    assert browser.post("/sign-out").status_code == 403
    token = token_of(browser)
    assert browser.post("/sign-out", data={sessions.TOKEN_FIELD: token}).headers["location"] == "/sign-in"
    assert browser.get("/v1/jobs").status_code == 401


def test_another_site_cannot_sign_people_in_or_lead_them_away(gateway: Gateway, client: Client) -> None:
    with httpx.Client(base_url=gateway.settings.public_url) as browser:
        for elsewhere in ("//evil.example", "//[evil"):
            assert sign_in(browser, client, elsewhere).headers["location"] == "/"
        browser.headers["Sec-Fetch-Site"] = "cross-site"
        assert sign_in(browser, client).status_code == 403
        del browser.headers["Sec-Fetch-Site"]
        wrong = browser.post("/sign-in", data={"key": "pg_wrong"})
    assert wrong.status_code == 401
    assert "this API key is not valid, or was revoked" in wrong.text


def test_a_key_sees_the_pages_that_its_scopes_allow(gateway: Gateway, client: Client) -> None:
    with (
        gateway.client(client.tenant, ("train",)) as trainer,
        httpx.Client(base_url=gateway.settings.public_url) as browser,
    ):
        sign_in(browser, trainer)
        answer = browser.get("/orders")
    assert answer.status_code == 403
    assert "scope generate" in answer.text
    assert 'href="/orders"' not in answer.text


def test_an_order_is_found_by_its_title_and_its_state(
    browser: httpx.Client, client: Client, gateway: Gateway
) -> None:
    done = client.order(title="<b>Spring</b>", count=2)["id"]
    gateway.work(client.tenant, done)
    waiting = client.order(attributes={"category": ["bag"]})["id"]
    tried = client.order(priority="interactive")["id"]

    listed = {show: browser.get(f"/orders?show={show}").text for show in ("all", "done", "active", "tries")}
    found = {show: [job for job in (done, waiting, tried) if job in page] for show, page in listed.items()}
    assert found == {"all": [done, waiting], "done": [done], "active": [waiting], "tries": [tried]}
    page = browser.get(f"/orders/{done}").text
    assert "&lt;b&gt;Spring&lt;/b&gt;" in page
    assert "<b>Spring" not in page
    assert "there is no job" in browser.get("/orders/0123456789abcdef01234567").text
    several = client.order(attributes={"category": ["bag", "sneaker"]})["id"]
    assert "<dd>bag, sneaker</dd>" in browser.get(f"/orders/{several}").text


def test_a_key_that_may_promote_sees_versions_to_promote(
    gateway: Gateway, client: Client, tmp_path: Path
) -> None:
    versions = [
        publish(gateway.store, write_model(tmp_path / alias, alias.encode()), "boots", client.tenant, [alias])
        for alias in ("production", "staging")
    ]
    with (
        gateway.client(client.tenant, ("promote",)) as promoter,
        httpx.Client(base_url=gateway.settings.public_url) as browser,
    ):
        assert sign_in(browser, promoter, "/").headers["location"] == "/"
        assert browser.get("/").headers["location"] == "/models"
        page = browser.get("/models").text
        assert all(version.version in page for version in versions)
        assert page.count('data-act="promote"') == page.count('data-act="rollback"') == 1
        assert "/create" not in page
        ours, theirs = (version.version for version in versions)
        page = browser.get(f"/models/boots?left={theirs}").text
        assert re.findall(r'<option value="(\w+)" selected>', page) == [theirs, ours]
        assert page.count('data-act="promote"') == page.count('data-act="rollback"') == 1
        assert 'id="gallery"' not in page
        assert browser.get("/models/shoes").headers["location"].startswith("/models#shoes@")
        assert "there is no model &#39;shoe&#39;" in browser.get("/models/shoe").text


def test_versions_are_compared_though_a_score_is_not_finite(
    gateway: Gateway, client: Client, browser: httpx.Client, tmp_path: Path
) -> None:
    for name, value in (("one", None), ("two", 0.25)):
        folder, metrics = write_model(tmp_path / name, name.encode()), evaluation(17.5)
        metrics["figures"]["kid"] = {"title": "Kernel distance", "value": value, "better": "lower"}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        publish(gateway.store, folder, "twins", client.tenant)
    page = browser.get("/models/twins").text
    assert "Kernel distance" in page
    assert {"<td>\u2013</td>", "<td>0.25</td>"} <= set(re.findall(r"<td.*?</td>", page))


def test_what_waits_and_what_failed_can_be_seen(
    browser: httpx.Client, client: Client, gateway: Gateway
) -> None:
    gateway.ledger.client.delete("prodgen:workers")  # other tests may have reported some
    large = client.order(count=1234)["id"]
    waiting = gateway.ledger.backlog("bulk").images
    page = browser.get("/observe").text
    assert waiting >= 1234
    assert f"{waiting:,}</b> pictures wait" in page
    assert "no worker lives" in page
    assert "No order has failed." in page
    client.post(f"/v1/jobs/{large}/cancel")
    job = client.order(count=64, title="<i>Autumn</i>")["id"]
    while lease := gateway.ledger.lease("bulk", "test", 64):
        if lease.job == job:
            gateway.ledger.fail(lease.token, "no paint")
        else:
            gateway.ledger.release(lease.token)
        if gateway.ledger.dead(job):
            break
    settle_job(gateway.store, gateway.ledger, load_record(gateway.store, client.tenant, job))
    page = browser.get("/observe").text
    assert "no paint" in page
    assert "&lt;i&gt;Autumn&lt;/i&gt;" in page
    assert "Flower" not in page


def test_the_columns_of_a_file_are_found(
    browser: httpx.Client, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(data: bytes) -> str:
        digest = client.post("/v1/uploads", content=data).json()["id"]
        return browser.get(f"/orders/new?name=<i>&upload={digest}").text

    text = page('Template;;\nHandle;Type;Qty\nÄ-1;bag;3\nA-2;"<b>";1'.encode("utf-16"))
    assert re.findall(r"<option selected>(\w+)</option>", text) == ["Handle", "Qty", "Type"]
    assert "<td>Ä-1</td>" in text
    assert "&lt;b&gt;" in text
    assert "<i>" not in text
    assert "save it as “CSV UTF-8”" in page(b"PK\x03\x04")
    assert "the quotes do not match" in page(b'sku,a\nA-1,"b"c\n')
    assert "no longer here" in browser.get(f"/orders/new?upload={'0' * 64}").text
    assert browser.get("/orders/new?upload=../x").status_code == 400
    monkeypatch.setattr(order_files, "drawing_models", lambda *_: [])
    assert "There is no model in production" in page(b"sku\nA\n")


def test_a_quote_checks_every_row_and_orders_nothing(client: Client, gateway: Gateway) -> None:
    def quoted(table: str) -> httpx.Response:
        upload = client.post("/v1/uploads", content=table.encode()).json()["id"]
        return client.post("/v1/quotes", json={"model": "shoes", "upload": upload, "count": 2})

    answer = quoted("sku,count,category\nA,3,bag\nB,,\n")
    assert answer.json()["total"] == 5
    waiting = client.order(count=45)
    gateway.ledger.client.delete("prodgen:rates", "prodgen:workers")  # other tests may have reported some
    gateway.ledger.report_worker("w", {waiting["model"]: 5.0})
    rates, owed = gateway.ledger.rates(), gateway.ledger.backlog("bulk").models
    work = sum(rates.seconds(model, images) for model, images in [*owed.items(), (waiting["model"], 5)])
    assert quoted("sku,count,category\nA,3,bag\nB,,\n").json()["seconds"] == round(work / rates.workers, 1)
    assert work >= 10
    faulty = quoted("sku,category\nA,bog\nB,bag\nC,bug\n")
    assert faulty.status_code == 400
    assert [fault["param"] for fault in faulty.json()["error"]["details"]] == [
        "row 2, column category",
        "row 4, column category",
    ]
    assert [job["id"] for job in client.get("/v1/jobs").json()["data"]] == [waiting["id"]]


def test_a_filtered_list_of_jobs_has_pages(client: Client, gateway: Gateway) -> None:
    bulk = []
    for _ in range(3):
        bulk.append(client.order()["id"])
        client.order(priority="interactive")
    found, after = [], ""
    while after is not None:
        page = client.get(
            f"/v1/jobs?priority=bulk&state=queued&state=running&limit=1{after and '&after=' + after}"
        )
        found += [job["id"] for job in page.json()["data"]]
        after = page.json()["next"]
    assert found == bulk[::-1]
    assert client.error("GET", "/v1/jobs?state=lost")[0] == 400


def test_every_text_of_the_pages_is_translated() -> None:
    templates = "".join(path.read_text() for path in SOURCES.glob("templates/*.html"))
    scripts = "".join(path.read_text() for path in SOURCES.glob("static/*.js"))
    texts = [
        *re.findall(r"\b_\(\"([^\"]+)\"|\b_\('([^']+)'", templates),
        *re.findall(r"\bt\(\"([^\"]+)\"()", scripts),
    ]
    used = {first or second for first, second in texts}
    assert len(used) > 40
    assert used - CATALOGUES["zh"].keys() == set()
    for english, chinese in CATALOGUES["zh"].items():
        assert re.findall(r"{\w+}", english) == sorted(re.findall(r"{\w+}", chinese), key=english.index)


def test_every_translated_sentence_is_one_that_the_service_writes() -> None:
    written = set()
    for package in (api_gateway, prodgen, workers):
        for path in Path(package.__path__[0]).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    written.add(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
                    written.add("".join(map(str, parts)))
    texts = "\n".join(re.sub(r"{[^}]*}", "{}", text) for text in written)
    lost = {text for text in SENTENCES["zh"] if re.sub(r"{[^}]*}", "{}", text).strip("{} ") not in texts}
    assert lost == set()
    for english, chinese in SENTENCES["zh"].items():
        assert set(re.findall(r"{\w+}", chinese)) <= set(re.findall(r"{\w+}", english))


def test_sentences_of_the_api_are_translated_with_what_they_name() -> None:
    fault = "row 3 (A-2): category cannot be 'hut'; this model makes hat, dress; did you mean hat?"
    told = translate("zh", fault)
    assert re.findall(r"3|A-2|品类|'hut'|帽子|连衣裙", told) == [
        "3",
        "A-2",
        "品类",
        "'hut'",
        "帽子",
        "连衣裙",
        "帽子",
    ]
    assert not re.search(r"[a-z]{4}", told)
    assert translate("en", fault) == fault
    waits = "waits for 2 nodes with 1 GPU each, or without GPUs; 0 are alive"
    assert translate("zh", waits).startswith("等待 2 个"), "not by the sentence of any problem and any advice"
    assert translate("zh", "2 of 64 images could not be made: no paint").startswith("64 张图片中有 2 张")


def test_a_page_speaks_the_language_of_its_reader(browser: httpx.Client) -> None:
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9"}
    assert "<h1>订单</h1>" in browser.get("/orders", headers=chinese).text
    assert "没有订单" in browser.get("/orders/0123456789abcdef01234567", headers=chinese).text
    assert browser.get("/language/zh?next=/orders").headers["location"] == "/orders"
    assert "<h1>订单</h1>" in browser.get("/orders").text
    catalogue = re.search(r'id="catalogue">(.*?)</script>', browser.get("/orders").text)
    assert catalogue
    assert json.loads(catalogue[1])["Orders"] == "订单"
