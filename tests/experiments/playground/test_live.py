"""The playground: arms that share a base model, texts side by side, and a server with bounds."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace as N

import pytest
import torch
from peft import (
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

from eval.inference.generation import generate
from experiments.playground.live import writing
from experiments.playground.live.arms import Arm, Arms, _with_adapter, _without_adapter, load
from experiments.playground.live.writing import write
from tests.toolkit.models.shapes import make
from toolkit import catalog
from toolkit.models.load import load_base
from toolkit.records import Costs, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import Decoding, EvalSpec, MethodSpec, ModelSpec, RunSpec, TrainSpec

starlette = pytest.importorskip("starlette.testclient", reason="the extra `playground` is not installed")
from experiments.playground.live.server import Limits, Playground, application  # noqa: E402

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"  # kept, and ignored by git
RECIPE = catalog.document_format("recipe")
SECRET = "s3cret"  # noqa: S105 - of this test
GREEDY = Decoding(temperature=0)


@pytest.fixture
def arms(tiny_gpt2, tmp_path):
    """The untouched base and two adapters that share it, with weights large enough to write differently."""
    for number, name in enumerate(("one", "two")):
        base = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
        torch.manual_seed(number)
        adapted = get_peft_model(
            base, LoraConfig(r=4, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)
        )
        with torch.no_grad():
            for key, weight in adapted.named_parameters():
                if "lora_" in key:
                    weight.normal_(0, 0.5)
        adapted.save_pretrained(tmp_path / name)
    base = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, tmp_path / "one", adapter_name="one")
    model.load_adapter(tmp_path / "two", adapter_name="two")
    model.eval()
    shared = [Arm(name, model, _with_adapter(model, name)) for name in ("one", "two")]
    tokenizer = AutoTokenizer.from_pretrained(tiny_gpt2)
    return Arms((Arm("base", model, _without_adapter(model)), *shared), tokenizer, 1), tmp_path


def saved_runs(tiny_gpt2, root, configs):
    """A finished run of the tiny GPT-2 per peft configuration, with its adapter; None: the untouched base."""
    spec = ModelSpec(name="tiny", folder=str(tiny_gpt2))
    runs = {}
    for name, config in configs.items():
        kind = None if config is None else config.peft_type.value.lower()
        method = catalog.method("base") if kind is None else MethodSpec(name=name, peft={"peft_type": kind})
        run = RunSpec(
            model=spec, dataset=None, data=None, method=method, learning_rate=kind and 1e-3,
            train=TrainSpec(precision="fp32"), seed=0,
        )  # fmt: skip
        folder = RunFolder(root, run.run_id)
        if config is not None:
            base = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
            adapted = get_peft_model(base, config)
            torch.manual_seed(0)
            with torch.no_grad():
                for weight in adapted.parameters():
                    if weight.requires_grad:
                        weight.normal_(0, 0.5)
            adapted.save_pretrained(folder.artifact)
        runs[name] = (
            RunRecord(
                run_id=run.run_id, spec=run, status="finished", validation_bits_per_byte=None, data=None,
                costs=Costs(), precision="fp32", environment={},
            ),
            folder,
        )  # fmt: skip
    return runs


def lora(**options):
    """A LoRA of rank 2 on the tiny GPT-2."""
    shared = {"target_modules": ["c_attn"], "fan_in_fan_out": True, "task_type": "CAUSAL_LM"}
    return LoraConfig(r=2, **shared, **options)


def test_an_adapter_of_virtual_tokens_does_not_share_the_base(tiny_gpt2, tmp_path):
    """The base and LoRA share one model; prompt tuning, whatever the case of its type, has a second one."""
    prompt = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    runs = saved_runs(tiny_gpt2, tmp_path, {"base": None, "lora": lora(), "prompt": prompt})
    loaded = load(runs, lambda text: None)
    assert [arm.name for arm in loaded.arms] == ["base", "lora", "prompt"]
    assert loaded.in_memory == 2
    models = {arm.name: arm.model for arm in loaded.arms}
    assert models["lora"] is models["base"]
    assert models["prompt"] is not models["base"]


def test_an_adapter_whose_loading_changes_the_base_has_a_model_of_its_own(tiny_gpt2, tmp_path):
    """PiSSA and learned biases come before LoRA: three models, each of which computes what it does alone."""
    configs = {
        "base": None,
        "pissa": lora(init_lora_weights="pissa"),
        "biases": lora(bias="all"),
        "lora": lora(),
    }
    runs = saved_runs(tiny_gpt2, tmp_path, configs)
    loaded = load(runs, lambda text: None)
    assert loaded.in_memory == 3
    ids = torch.tensor([[5, 6, 7]])
    computed = {}
    for arm in loaded.arms:
        plain = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
        alone = plain if arm.name == "base" else PeftModel.from_pretrained(plain, runs[arm.name][1].artifact)
        with torch.no_grad(), arm.active():
            computed[arm.name] = arm.model(input_ids=ids).logits
            assert torch.allclose(computed[arm.name], alone.eval()(input_ids=ids).logits, atol=1e-5), arm.name
    assert not torch.allclose(computed["lora"], computed["base"], atol=1e-2)


def texts(pieces):
    """Arm -> its last piece's text and how it ended."""
    return {piece.arm: (piece.text, piece.ended) for piece in pieces}


def test_arms_that_share_a_base_write_what_each_writes_alone(arms, tiny_gpt2):
    """Token by token in turn, greedy: the same texts as one arm at a time, and as plain transformers."""
    shared, folder = arms
    together = texts(write(shared, ["base", "one", "two"], "RECIPE: Pie\n", GREEDY, 12, 0))
    assert len({text for text, _ in together.values()}) == 3
    for name in together:
        assert texts(write(shared, [name], "RECIPE: Pie\n", GREEDY, 12, 0))[name] == together[name]
    plain = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
    alone = PeftModel.from_pretrained(plain, folder / "two").eval()
    from toolkit.data.batches import prefix_token

    ids = [prefix_token(shared.tokenizer), *shared.tokenizer("RECIPE: Pie\n")["input_ids"]]
    whole = alone.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)[0, len(ids) :]
    assert together["two"][0] == shared.tokenizer.decode(whole, skip_special_tokens=True)


def test_a_learned_prompt_writes_what_the_evaluation_writes(tiny_gpt2, tmp_path):
    """Prefix, prompt and P-tuning, greedy, 12 tokens: the virtual tokens stand before the text once."""
    shared = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 3}
    configs = {
        "prefix": PrefixTuningConfig(**shared),
        "prompt": PromptTuningConfig(**shared),
        "p": PromptEncoderConfig(**shared, encoder_hidden_size=8),
    }
    loaded = load(saved_runs(tiny_gpt2, tmp_path, configs), lambda text: None)
    written = texts(write(loaded, list(configs), "RECIPE: Pie\n", GREEDY, 12, 0))
    spec = EvalSpec(max_new_tokens=12)
    for arm in loaded.arms:
        (expected,) = generate(arm.model, loaded.tokenizer, ["RECIPE: Pie\n"], "title", GREEDY, spec)
        assert expected.tokens > 2, arm.name
        assert written[arm.name][0] == expected.text, arm.name


def test_the_same_seed_writes_the_same_and_another_differs(arms):
    """Sampling is keyed by prompt and seed alone."""
    shared, _ = arms
    drawn = [
        texts(write(shared, ["one"], "RECIPE: Pie\n", Decoding(temperature=1.0), 12, s)) for s in (3, 3, 4)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_limit_ends_a_text(arms):
    """Three tokens: three pieces, the last one ended by the limit, unless the model stopped before."""
    shared, _ = arms
    pieces = list(write(shared, ["base"], "RECIPE: Pie\n", GREEDY, 3, 0))
    assert pieces[-1].ended == ("limit" if pieces[-1].tokens == 3 else "end_of_text")
    assert pieces[-1].tokens <= 3


def client(arms, *, limits=None, password=None, hosts=("testserver",), report=None):
    """A client of the application, and the application's state."""
    playground = Playground(arms[0], RECIPE, limits or Limits(new_tokens=16), "tiny", report)
    return starlette.TestClient(application(playground, list(hosts), password)), playground


ASKED = {"title": "Pie", "arms": ["base", "one"], "temperature": 0, "new_tokens": 8}


def events(text):
    """The events of a stream: kind and data."""
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in blocks]


def test_the_stream_ends_with_checks_of_every_text(arms):
    """Two arms of at most 8 tokens; the last piece of each holds the structure checks."""
    web, _ = client(arms)
    answer = web.post("/write", json=ASKED)
    found = events(answer.text)
    assert answer.status_code == 200
    assert found[-1][0] == "done"
    last = {data["arm"]: data for kind, data in found if kind == "piece"}
    assert last.keys() == {"base", "one"}
    assert all(data["checks"]["title present"] and data["ended"] for data in last.values())


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"title": ""}, 422, "give a title or a prompt"),
        ({"arms": []}, 422, "arms"),
        ({"arms": ["other"]}, 422, "unknown model 'other'"),
        ({"new_tokens": 17}, 422, "at most 16 new tokens"),
        ({"temperature": -1}, 422, "temperature"),
        ({"top_p": 0}, 422, "top_p"),
        ({"prompt": "x" * 4001}, 422, "longer than 4000"),
        ({"prompt": "x" * 40_000}, 413, "too long"),
        ({"surprise": 1}, 422, "surprise"),
    ],
)
def test_a_request_out_of_bounds_is_one_line(arms, changes, status, words):
    """The status and what is wrong; nothing is written."""
    answer = client(arms)[0].post("/write", json={**ASKED, **changes})
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_other_hosts_forms_and_strangers_are_refused(arms):
    """Another host name (as DNS rebinding sends), a form post, no password, a wrong one, the right one."""
    assert client(arms)[0].get("/", headers={"host": "evil.example"}).status_code == 400
    assert client(arms)[0].post("/write", data={"title": "x"}).status_code == 415
    web, _ = client(arms, password=SECRET)
    assert web.get("/").status_code == 401
    for word, status in (("wrong", 401), (SECRET, 200)):
        given = base64.b64encode(f"me:{word}".encode()).decode()
        assert web.get("/", headers={"authorization": f"Basic {given}"}).status_code == status
    assert web.get("/", headers={"authorization": "Basic %%%"}).status_code == 401


def test_a_full_queue_turns_people_away(arms):
    """Nobody may wait: the request is refused at once."""
    web, playground = client(arms, limits=Limits(waiting=0, new_tokens=16))
    answer = web.post("/write", json=ASKED)
    assert answer.status_code == 503
    assert "please try again" in answer.json()["error"]
    assert playground._waiting == 0


@pytest.mark.parametrize("pieces", [0, 1])
def test_a_client_that_leaves_frees_its_slot(arms, pieces):
    """It is gone before, or after, the first piece of a text: the turn is free and nobody waits."""
    _, playground = client(arms)

    class Leaving:
        asked = 0

        async def is_disconnected(self):
            self.asked += 1
            return self.asked > pieces

    async def leave():
        from experiments.playground.live.server import Asked

        asked = Asked.model_validate(ASKED)
        found = [event async for event in playground._events(Leaving(), asked, "RECIPE: Pie\n")]
        await asyncio.wait({playground._writing})
        return found, playground._turn.locked(), playground._waiting

    found, locked, waiting = asyncio.run(leave())
    assert len(found) == pieces
    assert (locked, waiting) == (False, 0)


def test_who_stops_reading_holds_nobodys_turn(arms):
    """A laptop falls asleep after the first piece; the next visitor's texts are written to their end."""
    _, playground = client(arms)

    class Connected:
        async def is_disconnected(self):
            return False

    async def two():
        from experiments.playground.live.server import Asked

        asked = Asked.model_validate(ASKED)
        first, second = (playground._events(Connected(), asked, "RECIPE: Pie\n") for _ in range(2))
        await anext(first)
        found = await asyncio.wait_for(anext_until_done(second), 60)
        await first.aclose()
        return found

    assert asyncio.run(two()).startswith("event: done")


async def anext_until_done(events):
    """The last event."""
    return [event async for event in events][-1]


def test_a_model_with_a_state_of_its_own_kind_writes_too(tiny_tokenizer, tmp_path):
    """Mamba's output has no `past_key_values`: the playground reads all of its text each time."""
    base = ModelSpec(name="mamba", folder=str(make("mamba", tiny_tokenizer, tmp_path)))
    state = writing._State(N(model=load_base(base).eval(), active=nullcontext))
    greedy = Decoding(name="greedy", temperature=0)
    for _ in range(3):
        state.ids.append(writing._next(state, [1, 2, 3], torch.zeros(1), greedy))
    assert (len(state.ids), state.cache) == (3, None)


def test_the_page_and_the_results_page(arms, tmp_path):
    """Every arm is offered; results are the study's report, or one line if there is none."""
    (tmp_path / "report.html").write_text("<h1>the report</h1>")
    web, _ = client(arms, report=tmp_path / "report.html")
    assert all(f'value="{name}"' in web.get("/").text for name in ("base", "one", "two"))
    assert "the report" in web.get("/results").text
    assert client(arms)[0].get("/results").status_code == 404


@pytest.mark.browser
def test_a_visitor_writes_changes_the_temperature_and_sees_the_checks(arms):
    """In a real Chromium at phone width: two texts with checks, and another text at another temperature."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    import uvicorn

    playground = Playground(arms[0], RECIPE, Limits(new_tokens=16), "tiny", None)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application(playground, ["127.0.0.1"], None), log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 390, "height": 844})
            errors: list[str] = []
            tab.on("pageerror", lambda error: errors.append(str(error)))
            tab.goto(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            tab.uncheck("input[value=two]")
            tab.fill("#new_tokens", "16")
            tab.fill("#title", "Banana Bread")
            written = []
            for temperature in ("0", "1.5"):
                tab.fill("#temperature", temperature)
                tab.press("#title", "Enter")
                playwright.expect(tab.locator("#go")).to_be_enabled(timeout=300_000)
                playwright.expect(tab.locator("[data-arm=one] .checks li")).to_have_count(14)
                written.append(tab.inner_text("[data-arm=one] .text"))
            assert written[0] != written[1]
            assert tab.locator(".arm").count() == 2
            assert "✓ title present" in tab.inner_text("[data-arm=base] .checks")
            assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            tab.fill("#title", "")
            tab.press("#title", "Enter")
            playwright.expect(tab.locator("#message")).to_contain_text("give a title")
            tab.screenshot(path=SCREENSHOTS / "playground.png", full_page=True)
            assert errors == []
            browser.close()
    finally:
        server.should_exit = True
        thread.join(timeout=10)
